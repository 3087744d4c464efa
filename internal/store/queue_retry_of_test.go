package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestRetryOfSome: nodes hear of a retry of a distribution, or of a list's, for a time;
// refusals of these are forgotten, others stay; who is paused is named and left alone.
func TestRetryOfSome(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, d := queueRig(t, s, 30)
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		rows := outcomes(d, model.DeliveryRetry, 1, personIDs(subs)...)
		for i := range rows {
			rows[i].NextAt, rows[i].Site = instant(s, time.Hour), model.SiteKey(model.SiteNumber(model.WaitSite, []string{"a", "b"}[i%2]), model.LanePost)
		}
		if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		sites, err := s.SitesOf(ctx, d.ID)
		want := []int64{model.SiteNumber(model.WaitSite, "a"), model.SiteNumber(model.WaitSite, "b")}
		if slices.Sort(want); err != nil || !slices.Equal(sites, want) {
			t.Errorf("%v, %v, want %v", sites, err, want)
		}
		for _, q := range []store.QueueScope{{DistributionID: d.ID}, {ListID: l.ID}} {
			for id := range int64(2) {
				if err := s.NoteRefusal(ctx, d.ID+10*id, "a", "5.7.1 no"); err != nil {
					t.Fatal(err)
				}
			}
			before, err := s.QueueStops(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.RetryNow(ctx, q); err != nil || q.DistributionID != 0 && n != 30 {
				t.Errorf("%d, %v", n, err)
			}
			after, err := s.QueueStops(ctx)
			if err != nil || len(after.Again) != 1 || after.Again[d.ID] <= before.Again[d.ID] || len(after.Retry) != 0 {
				t.Errorf("%+v, %v", after, err)
			}
			if st, err := s.QueueStatus(ctx, 0); err != nil || len(st.Refused) != 1 || st.Refused[0].DistributionID != d.ID+10 {
				t.Errorf("%+v, %v", st, err)
			}
		}
		if err := s.PauseDistribution(ctx, d.ID, "it is refused"); err != nil {
			t.Fatal(err)
		}
		for _, q := range []store.QueueScope{{DistributionID: d.ID}, {ListID: l.ID}, {}} {
			if got, err := s.PausedDistributions(ctx, q, 5); err != nil || len(got) != 1 || got[0] != (store.PausedDistribution{ID: d.ID, Why: "it is refused"}) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if err := s.CancelDistribution(ctx, d.ID, "test"); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStops(ctx); err != nil || len(st.Again) != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}
