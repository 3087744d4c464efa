package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestLostClaims: a node whose claims ran out is told which another has taken over,
// and what it records late ends none of those.
func TestLostClaims(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 10)
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		ids := personIDs(subs)
		if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliveryRetry, 1, ids...), []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		now := instant(s, 0)
		claim := func(owner string, until, at model.Instant, limit, want int) []model.Delivery {
			t.Helper()
			rows, _, err := s.ClaimRetries(ctx, model.Chunk{DistributionID: d.ID, Owner: owner, LeaseUntil: until}, at, limit)
			if err != nil || len(rows) != want {
				t.Fatalf("%s claimed %d, %v", owner, len(rows), err)
			}
			return rows
		}
		mine := claim("a", now.Add(time.Minute), now, 100, 10)
		if lost, err := s.RenewClaims(ctx, "a", now.Add(2*time.Minute), mine); err != nil || len(lost) != 0 {
			t.Errorf("lost at once: %v, %v", lost, err)
		}
		theirs := claim("b", now.Add(time.Hour), now.Add(3*time.Minute), 4, 4)
		lost, err := s.RenewClaims(ctx, "a", now.Add(10*time.Minute), mine)
		if err != nil || len(lost) != len(theirs) {
			t.Fatalf("lost %v, %v", lost, err)
		}
		is := map[int64]bool{}
		for _, r := range theirs {
			is[r.RecipientID] = true
		}
		for _, r := range lost {
			if r.DistributionID != d.ID || !is[r.RecipientID] {
				t.Errorf("%d is lost, which nobody took", r.RecipientID)
			}
		}
		claim("c", now.Add(time.Hour), now.Add(5*time.Minute), 100, 0) // the others were prolonged

		// One comes late, one in time.
		var late, kept int64
		for _, id := range ids {
			if late == 0 && is[id] {
				late = id
			}
			if kept == 0 && !is[id] {
				kept = id
			}
		}
		if err := s.RecordDeliveries(ctx, nil, again("a", outcomes(d, model.DeliveryRetry, 2, late, kept)), nil); err != nil {
			t.Fatal(err)
		}
		rows := claim("c", now.Add(time.Hour), now.Add(5*time.Minute), 100, 1)
		if rows[0].RecipientID != kept {
			t.Errorf("%d can be claimed although b has it", rows[0].RecipientID)
		}
	})
}
