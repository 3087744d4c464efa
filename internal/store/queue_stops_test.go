package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestRetryPutOff: what a node puts off although a person has just asked for it is
// due again; what was put off later, or elsewhere, waits, and so does what was tried.
func TestRetryPutOff(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 30) // the even ones at example.com
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		now := instant(s, 0)
		rows := outcomes(d, model.DeliveryRetry, 1, personIDs(subs)...)
		for i := range rows {
			rows[i].At, rows[i].NextAt, rows[i].Code = now, now.Add(time.Hour), 0
			if i >= 26 { // two of each
				rows[i].Code = 450
			}
			if i < 6 {
				rows[i].At = now.Add(time.Second) // three of each
			}
		}
		if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		claimed := func(owner string) int {
			t.Helper()
			mine, _, err := s.ClaimRetries(ctx, model.Chunk{DistributionID: d.ID, Owner: owner, LeaseUntil: instant(s, time.Hour)}, instant(s, time.Minute), 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(mine)
		}
		for _, step := range []struct {
			name   string
			before model.Instant
			want   int
		}{
			{"example.com", now.Add(-time.Second), 0},
			{"example.com", now, 10},
			{"example.com", now, 0},
			{"", now, 10},
			{"", now.Add(time.Second), 6},
		} {
			if err := s.RetryPutOff(ctx, 0, step.name, step.before); err != nil {
				t.Fatal(err)
			}
			if n := claimed("a"); n != step.want {
				t.Errorf("%q until %d: %d are due, want %d", step.name, step.before-now, n, step.want)
			}
		}
	})
}
