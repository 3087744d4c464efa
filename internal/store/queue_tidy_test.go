package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTidySparesWhatANodeSends: a node that starts beside others does not hold
// what one of them is sending, however old it is.
func TestTidySparesWhatANodeSends(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 30)
		later := model.At(time.Now().Add(time.Hour)) // the distribution is older than that
		lease := model.Chunk{Owner: "other", LeaseUntil: model.At(time.Now().Add(time.Minute))}
		c, _, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || c == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 0 {
			t.Errorf("held while it is sent: %v, %v", held, err)
		}
		if _, err := s.RenewChunks(ctx, "other", model.At(time.Now().Add(-time.Minute)), []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 1 {
			t.Errorf("held after the lease ended: %v, %v", held, err)
		}
	})
}

// TestNotesEndWithTheirDistribution: what is cancelled is no longer counted as
// waiting for a yes, and a site's refusal is not told for ever.
func TestNotesEndWithTheirDistribution(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 30)
		later := model.At(time.Now().Add(time.Hour))
		if err := s.NoteRefusal(ctx, d.ID, "a.example", "5.7.1 no"); err != nil {
			t.Fatal(err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 1 {
			t.Fatalf("%v, %v", held, err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Stale != 1 || st.Held != 0 || len(st.Refused) != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		if err := s.CancelDistribution(ctx, d.ID, "test"); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Stale != 0 || st.Held != 0 || len(st.Refused) != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		if err := s.NoteRefusal(ctx, d.ID, "a.example", "5.7.1 no"); err != nil { // a node that did not know
			t.Fatal(err)
		}
		if err := s.NoteNode(ctx, "new", "the relay is down"); err != nil {
			t.Fatal(err)
		}
		now := s.Now
		s.Now = func() time.Time { return now().Add(-40 * 24 * time.Hour) }
		if err := s.NoteNode(ctx, "gone", "the relay is down"); err != nil {
			t.Fatal(err)
		}
		s.Now = now
		if _, err := s.TidyQueue(ctx, later); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || len(st.Refused) != 0 || len(st.Nodes) != 1 || st.Nodes[0].Name != "new" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}
