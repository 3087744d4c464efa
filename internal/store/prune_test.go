package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestPruneForgetsOnlyWhatIsOver(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		start := time.Now()
		for _, day := range []int{0, 200, 400} {
			s.Now = func() time.Time { return start.AddDate(0, 0, day) }
			if err := s.SaveEvent(ctx, &model.Event{At: model.At(s.Now()), Kind: "test", MessageKey: "m"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		left, err := s.EventsOf(ctx, "m", "")
		if err != nil || len(left) != 2 {
			t.Fatalf("%d events are left, want 2 (%v)", len(left), err)
		}
	})
}

func TestPruneLeavesNoBytesBehind(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		start := time.Now()
		s.Now = func() time.Time { return start.AddDate(0, 0, -100) }
		for i := range 2100 { // more than a batch
			if err := s.SaveBounce(ctx, &model.Bounce{RecipientID: int64(i), ReceivedAt: model.At(s.Now())}, []byte("a bounce")); err != nil {
				t.Fatal(err)
			}
		}
		s.Now = func() time.Time { return start }
		if err := s.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		if n, err := s.CountRows(ctx, "message_bytes"); err != nil || n != 0 {
			t.Fatalf("%d messages stay behind (%v)", n, err)
		}
	})
}

// TestLeaseSlots: nodes know how many they are and which they are.
func TestLeaseSlots(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		take := func(owner string, d time.Duration, want ...int) {
			t.Helper()
			slot, all, err := s.LeaseSlot(ctx, "senders", owner, d)
			if err != nil || slot != want[0] || all != want[1] {
				t.Fatalf("%s is %d of %d, %v; want %v", owner, slot, all, err, want)
			}
		}
		take("b", time.Minute, 0, 1)
		take("b", time.Minute, 0, 1)
		take("a", time.Minute, 0, 2)
		take("c", time.Minute, 2, 3)
		take("b", time.Minute, 1, 3)
		if _, all, err := s.LeaseSlot(ctx, "others", "z", time.Minute); err != nil || all != 1 {
			t.Fatal(all, err)
		}
		if err := s.LeaveSlot(ctx, "senders", "a"); err != nil {
			t.Fatal(err)
		}
		take("c", -time.Second, 1, 2) // it ended a second ago
		take("b", time.Minute, 0, 1)
	})
}

func TestLeaseHasOneOwner(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		take := func(owner string, d time.Duration, want bool) {
			t.Helper()
			got, err := s.Lease(ctx, "job", owner, d)
			if err != nil || got != want {
				t.Fatalf("%s: %v, %v; want %v", owner, got, err, want)
			}
		}
		take("a", time.Minute, true)
		take("b", time.Minute, false)
		take("a", -time.Second, true) // it ended a second ago
		take("b", time.Minute, true)
		take("a", time.Minute, false)
	})
}
