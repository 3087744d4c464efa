package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// again marks rows as claimed by owner before.
func again(owner string, rows []model.Delivery) []model.Delivery {
	for i := range rows {
		rows[i].Claimed = owner
	}
	return rows
}

// TestQueueSites: copies that wait for a site are claimed by site and lane, once;
// those of a paused distribution stay.
func TestQueueSites(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 30)
		_, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		ids := personIDs(subs)
		a, b := model.SiteKey(800, d.Lane), model.SiteKey(1600, d.Lane)
		rows := outcomes(d, model.DeliveryRetry, 0, ids...)
		for i := range rows {
			switch {
			case i < 10:
				rows[i].Site, rows[i].NextAt = a, instant(s, -time.Duration(i)*time.Second)
			case i < 20:
				rows[i].Site, rows[i].NextAt = b, instant(s, time.Hour)
			case i < 25:
				rows[i].NextAt = instant(s, 0)
			default:
				rows[i].State = model.DeliverySent
			}
		}
		if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{{DistributionID: d.ID, FirstID: 1}}); err != nil {
			t.Fatal(err)
		}
		due, err := s.WaitingSites(ctx, instant(s, time.Second), -1, 100)
		if err != nil || len(due) != 3 || due[0] != (model.SiteDue{Site: 0, Due: true}) || due[1] != (model.SiteDue{Site: a, Due: true}) || due[2].Due {
			t.Fatalf("%+v, %v", due, err)
		}
		if due, err = s.WaitingSites(ctx, instant(s, 2*time.Hour), a, 1); err != nil || len(due) != 1 || due[0] != (model.SiteDue{Site: b, Due: true}) {
			t.Errorf("%+v, %v", due, err)
		}
		lease := model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}
		got, err := s.ClaimSites(ctx, []model.SiteRoom{{Site: a, Room: 7}}, lease, instant(s, time.Second))
		if err != nil || len(got.Rows) != 7 || len(got.People) != 7 || len(got.Distributions) != 1 || got.Distributions[0].ID != d.ID {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, r := range got.Rows {
			if r.RecipientID < ids[3] {
				t.Errorf("person %d was claimed, who has not waited longest", r.RecipientID)
			}
		}
		if got, err = s.ClaimSites(ctx, []model.SiteRoom{{Site: a, Room: 100}}, lease, instant(s, time.Second)); err != nil || len(got.Rows) != 3 {
			t.Errorf("%d rows, %v", len(got.Rows), err)
		}
		if got, err = s.ClaimSites(ctx, []model.SiteRoom{{Site: b, Room: 100}}, lease, instant(s, time.Second)); err != nil || len(got.Rows) != 0 {
			t.Errorf("%d rows of a site that is down, %v", len(got.Rows), err)
		}
		// What was never tried ends its claim too.
		if err := s.RecordDeliveries(ctx, nil, again("a", outcomes(d, model.DeliverySent, 1, ids[:10]...)), nil); err != nil {
			t.Fatal(err)
		}
		if _, copies, err := s.Reclaim(ctx, "a"); err != nil || copies != 0 {
			t.Errorf("%d claims are left, %v", copies, err)
		}
		// Paused: not now; resumed: at once.
		if err := s.PauseQueue(ctx, store.QueueScope{DistributionID: d.ID}, "test"); err != nil {
			t.Fatal(err)
		}
		if got, err = s.ClaimSites(ctx, []model.SiteRoom{{Site: b, Room: 100}}, lease, instant(s, 2*time.Hour)); err != nil || len(got.Rows) != 0 || len(got.Distributions) != 0 {
			t.Errorf("%d rows of a paused distribution, %v", len(got.Rows), err)
		}
		if _, err := s.ResumeQueue(ctx, store.QueueScope{DistributionID: d.ID}, "test"); err != nil {
			t.Fatal(err)
		}
		if got, err = s.ClaimSites(ctx, []model.SiteRoom{{Site: b, Room: 100}}, lease, instant(s, time.Second)); err != nil || len(got.Rows) != 10 {
			t.Errorf("%d rows after the pause, %v", len(got.Rows), err)
		}
		if err := s.RecordDeliveries(ctx, nil, again("a", outcomes(d, model.DeliverySent, 1, ids[10:]...)), nil); err != nil {
			t.Fatal(err)
		}
		if d, err = s.GetDistribution(ctx, d.ID); err != nil { // resuming opened it again
			t.Fatal(err)
		}
		if _, _, err := s.LeaseRange(ctx, d, lease, 10); err != nil {
			t.Fatal(err)
		}
		if e, err := s.QueueEntryOf(ctx, d.ID); err != nil || e.Sent != 30 || e.DoneAt == 0 {
			t.Errorf("%+v, %v", e, err)
		}
	})
}
