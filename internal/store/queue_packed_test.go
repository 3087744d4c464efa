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

func sentOf(subs []model.Subscriber) []model.SentCopy {
	var out []model.SentCopy
	for i := range subs {
		out = append(out, model.SentCopy{RecipientID: subs[i].ID, At: model.Instant(100 + i), Code: 250, Reply: "2.0.0 ok"})
	}
	return out
}

// TestQueuePacks: copies sent at the first try are packed, and every question
// has the same answer as with rows.
func TestQueuePacks(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 50)
		lease := model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}
		c, people, err := s.LeaseRange(ctx, d, lease, 30)
		if err != nil {
			t.Fatal(err)
		}
		failed := outcomes(d, model.DeliveryFailed, 1, people[20].ID)
		record := func(r model.RangeOutcomes, ended ...model.Chunk) {
			t.Helper()
			if err := s.RecordDeliveries(ctx, []model.RangeOutcomes{r}, nil, ended); err != nil {
				t.Fatal(err)
			}
		}
		record(model.RangeOutcomes{Chunk: *c, Sent: sentOf(people[:10])})
		record(model.RangeOutcomes{Chunk: *c, Sent: sentOf(people[10:20]), Rows: failed})
		record(model.RangeOutcomes{Chunk: *c, Sent: sentOf(people[21:23])}) // too few for a pack
		packs, _ := s.CountRows(ctx, "delivery_packs")
		rows, _ := s.CountRows(ctx, "deliveries")
		if packs != 2 || rows != 3 {
			t.Fatalf("%d packs and %d rows", packs, rows)
		}
		e, err := s.QueueEntryOf(ctx, d.ID)
		if err != nil || e.Sent != 22 || e.Failed != 1 {
			t.Errorf("%+v, %v", e, err)
		}
		var got []int64
		for after := int64(-1); ; after = got[len(got)-1] {
			part, err := s.DeliveriesOf(ctx, d.ID, after, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(part) == 0 {
				break
			}
			for _, r := range part {
				got = append(got, r.RecipientID)
			}
		}
		if !slices.Equal(got, personIDs(people[:23])) {
			t.Errorf("the deliveries are of %v", got)
		}
		to, err := s.DeliveriesTo(ctx, []int64{d.ID, d.ID + 1}, []int64{people[12].ID, people[20].ID, people[22].ID, people[25].ID})
		slices.SortFunc(to, func(a, b model.Delivery) int { return int(a.RecipientID - b.RecipientID) })
		if err != nil || len(to) != 3 || to[0].RecipientID != people[12].ID || to[0].At != 102 || to[0].Code != 250 || to[1].State != model.DeliveryFailed {
			t.Errorf("%+v, %v", to, err)
		}
		traced, err := s.TracedDeliveries(ctx, d.ID, 100)
		if err != nil || len(traced) != 23 || traced[0].RecipientID != people[20].ID || traced[1].RecipientID != people[0].ID || traced[1].Email != people[0].Email ||
			traced[22].At != 109 {
			t.Errorf("%+v, %v", traced, err)
		}
		if traced, err = s.TracedDeliveries(ctx, d.ID, 5); err != nil || len(traced) != 5 || traced[0].State != model.DeliveryFailed {
			t.Errorf("%+v, %v", traced, err)
		}
		if ranges, copies, err := s.Reclaim(ctx, "a"); err != nil || ranges != 1 || copies != 7 {
			t.Errorf("%d ranges, %d copies, %v", ranges, copies, err)
		}
		_, taken, rest, err := s.TakeOver(ctx, model.LanePost, lease, instant(s, 0))
		if err != nil || !slices.Equal(personIDs(rest), personIDs(people[23:])) {
			t.Fatalf("taken over: %v, %v", personIDs(rest), err)
		}
		record(model.RangeOutcomes{Chunk: *taken, Sent: sentOf(rest)}, *taken)
		last, people, err := s.LeaseRange(ctx, d, lease, 30)
		if err != nil {
			t.Fatal(err)
		}
		record(model.RangeOutcomes{Chunk: *last, Sent: sentOf(people)}, *last)
		if e, err = s.QueueEntryOf(ctx, d.ID); err != nil || e.Sent != 49 || e.DoneAt == 0 {
			t.Errorf("%+v, %v", e, err)
		}
		if n, err := s.FoldDeliveries(ctx, time.Now().Add(time.Hour)); err != nil || n != 50 {
			t.Fatalf("%d folded, %v", n, err)
		}
		if packs, _ = s.CountRows(ctx, "delivery_packs"); packs != 0 {
			t.Errorf("%d packs stay", packs)
		}
	})
}

// TestQueueContestedRange: a node whose lease another has taken still records
// what it sent; each copy has one record, and one that is sent is not tried
// again.
func TestQueueContestedRange(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 40)
		slow, people, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, -time.Minute)}, 41)
		if err != nil {
			t.Fatal(err)
		}
		record := func(r model.RangeOutcomes, ended ...model.Chunk) {
			t.Helper()
			if err := s.RecordDeliveries(ctx, []model.RangeOutcomes{r}, nil, ended); err != nil {
				t.Fatal(err)
			}
		}
		record(model.RangeOutcomes{Chunk: *slow, Sent: sentOf(people[:10])})
		_, quick, rest, err := s.TakeOver(ctx, model.LanePost, model.Chunk{Owner: "b", LeaseUntil: instant(s, time.Minute)}, instant(s, 0))
		if err != nil || len(rest) != 30 {
			t.Fatalf("%d people, %v", len(rest), err)
		}
		record(model.RangeOutcomes{Chunk: *quick, Sent: sentOf(people[10:20])})
		// Node a comes late: some of these node b has sent, one is refused by now.
		retry := outcomes(d, model.DeliveryRetry, 1, people[18].ID, people[30].ID)
		record(model.RangeOutcomes{Chunk: *slow, Sent: sentOf(people[10:18]), Rows: retry})
		record(model.RangeOutcomes{Chunk: *slow, Sent: sentOf(people[20:29])})
		// Node b sends the others, what a has sent among them.
		record(model.RangeOutcomes{Chunk: *quick, Sent: sentOf(people[20:])}, *quick)
		record(model.RangeOutcomes{Chunk: *slow, Lost: true, Sent: sentOf(people[5:15])}, *slow) // the range is no more
		all, err := s.DeliveriesOf(ctx, d.ID, -1, 100)
		if err != nil || len(all) != 40 {
			t.Fatalf("%d records for 40 people, %v", len(all), err)
		}
		for i, r := range all {
			if r.RecipientID != people[i].ID || r.State != model.DeliverySent {
				t.Errorf("%d: %+v", i, r)
			}
		}
		e, err := s.QueueEntryOf(ctx, d.ID)
		if err != nil || e.Sent != 40 || e.Retry != 0 || e.DoneAt == 0 {
			t.Errorf("%+v, %v", e, err)
		}
	})
}
