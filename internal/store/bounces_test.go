package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestRefusedCopiesAreBounces: what a server refuses for good stands beside what comes
// back by mail; what is put off, taken, skipped, or our own doing does not.
func TestRefusedCopiesAreBounces(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, d := queueRig(t, s, 8)
		rows := []model.Delivery{
			{RecipientID: 1, State: model.DeliverySent, Code: 250},
			{RecipientID: 2, State: model.DeliveryFailed, Code: 550, Reply: "5.1.1 no such person", At: 77},
			{RecipientID: 3, State: model.DeliveryRetry, Code: 451, Reply: "4.2.0 later", NextAt: 99},
			{RecipientID: 4, State: model.DeliveryFailed, Reply: "no relay takes it"},
			{RecipientID: 5, State: model.DeliverySkipped, Reply: "left"},
			{RecipientID: 6, State: model.DeliveryFailed, Code: 554, Reply: "5.7.1 no", At: 78},
		}
		for i := range rows {
			rows[i].DistributionID, rows[i].Attempts = d.ID, 1
		}
		chunk, _, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		out := []model.RangeOutcomes{{Chunk: *chunk, Rows: rows[:2]}}
		if err := s.RecordDeliveries(ctx, out, rows[2:], nil); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveBounce(ctx, &model.Bounce{ListID: l.ID, DistributionID: d.ID, RecipientID: 2, ReceivedAt: 80}, []byte("Subject: Undelivered\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		again := []model.Delivery{rows[0], rows[1]} // a node that is late, an answer to a commit that was lost
		again[0].State, again[0].Code = model.DeliveryFailed, 550
		for range 2 {
			if err := s.RecordDeliveries(ctx, nil, again, nil); err != nil {
				t.Fatal(err)
			}
		}
		want := map[int64]int{2: 2, 6: 1}
		for i := range rows {
			id := rows[i].RecipientID
			got, err := s.BouncesOf(ctx, d.ID, id)
			if err != nil || len(got) != want[id] {
				t.Fatalf("%d: %+v, %v", id, got, err)
			}
			if want[id] > 0 && (got[0].ListID != l.ID || got[0].Code != rows[i].Code || got[0].Reply != rows[i].Reply || got[0].ReceivedAt != rows[i].At || got[0].BytesID != 0) {
				t.Errorf("%+v", got[0])
			}
		}
		if mail, err := s.BouncesTo(ctx, []int64{d.ID}, []int64{1, 2, 6}); err != nil || len(mail) != 1 || mail[0].Code != 0 {
			t.Errorf("by mail: %+v, %v", mail, err)
		}
	})
}
