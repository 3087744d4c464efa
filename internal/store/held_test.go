package store_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func held(list int64, key, token string) *model.Held {
	return &model.Held{ListID: list, MessageKey: key, ReversePath: "ann@example.net", Author: "Ann", AuthorKey: "ann@example.net",
		Subject: "A question", Size: 11, Reasons: "[]", Trace: "[]", TokenHash: []byte(token), CreatedAt: 1000, ExpiresAt: 5000}
}

func heldList(t *testing.T, s *store.Store) int64 {
	t.Helper()
	l := &model.List{Local: "talk", Domain: "example.org", UIDValidity: 1, CreatedAt: 1}
	if err := s.CreateList(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	return l.ID
}

func TestHeldOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		h := held(list, "m1", "token-1")
		event := &model.Event{ListID: list, Kind: "post.held", MessageKey: "m1"}
		if dup, err := s.SaveHeld(ctx, h, []byte("hello world"), event); err != nil || dup || h.ID == 0 {
			t.Fatalf("dup %v, id %d, %v", dup, h.ID, err)
		}
		again := held(list, "m1", "token-2")
		if dup, err := s.SaveHeld(ctx, again, []byte("hello again"), event); err != nil || !dup || again.ID != h.ID {
			t.Fatalf("dup %v, id %d (want %d), %v", dup, again.ID, h.ID, err)
		}
		if e, err := s.EventsOf(ctx, "m1", ""); err != nil || len(e) != 1 {
			t.Fatalf("%d trace lines, %v", len(e), err)
		}
		raw, err := s.Bytes(ctx, h.BytesID)
		if err != nil || !bytes.Equal(raw, []byte("hello world")) {
			t.Fatalf("%q, %v", raw, err)
		}
		found, err := s.FindHeldByToken(ctx, []byte("token-1"))
		if err != nil || found == nil || found.ID != h.ID || found.Subject != "A question" {
			t.Fatalf("%+v, %v", found, err)
		}
		if none, err := s.FindHeldByToken(ctx, []byte("token-2")); err != nil || none != nil {
			t.Fatalf("%+v, %v", none, err)
		}
		if err := s.RenewHeldToken(ctx, h.ID, []byte("token-3")); err != nil {
			t.Fatal(err)
		}
		if found, _ := s.FindHeldByToken(ctx, []byte("token-1")); found != nil {
			t.Error("the old token still works")
		}
		if found, _ := s.FindHeldByToken(ctx, []byte("token-3")); found == nil {
			t.Error("the new token does not work")
		}
		if _, err := s.GetHeld(ctx, h.ID+1000); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	})
}

func TestHeldIsDecidedOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		h := held(list, "m1", "token-1")
		if _, err := s.SaveHeld(ctx, h, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		var wins [8]bool
		var wg sync.WaitGroup
		for i := range wins {
			wg.Go(func() {
				won, err := s.DecideHeld(ctx, h.ID, model.HeldRejected, "mod@example.net", "no room")
				if err != nil {
					t.Error(err)
				}
				wins[i] = won
			})
		}
		wg.Wait()
		n := 0
		for _, w := range wins {
			if w {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d decisions won", n)
		}
		got, err := s.GetHeld(ctx, h.ID)
		if err != nil || got.State != model.HeldRejected || got.Comment != "no room" || got.DecidedAt.IsZero() {
			t.Fatalf("%+v, %v", got, err)
		}
		// Decided: the same message may be offered, and wait, again.
		if dup, err := s.SaveHeld(ctx, held(list, "m1", "token-2"), []byte("x"), nil); err != nil || dup {
			t.Fatalf("dup %v, %v", dup, err)
		}
		if open, err := s.HeldOf(ctx, list, model.HeldPending); err != nil || len(open) != 1 {
			t.Fatalf("%d wait, %v", len(open), err)
		}
		if all, err := s.HeldOf(ctx, 0, model.HeldRejected); err != nil || len(all) != 1 {
			t.Fatalf("%d rejected, %v", len(all), err)
		}
	})
}

func TestHeldExpires(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		old, young := held(list, "old", "t1"), held(list, "young", "t2")
		young.ExpiresAt = 9000
		for _, h := range []*model.Held{old, young} {
			if _, err := s.SaveHeld(ctx, h, []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
		}
		gone, err := s.ExpireHeld(ctx, 6000)
		if err != nil || len(gone) != 1 || gone[0].ID != old.ID || gone[0].State != model.HeldExpired {
			t.Fatalf("%+v, %v", gone, err)
		}
		if again, err := s.ExpireHeld(ctx, 6000); err != nil || len(again) != 0 {
			t.Fatalf("%+v, %v", again, err)
		}
		if _, err := s.GetHeld(ctx, young.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestAutoRepliesAreLimited(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for i := range 5 {
			ok, err := s.CountAutoReply(ctx, "ann@example.net", 20000, 3)
			if err != nil || ok != (i < 3) {
				t.Fatalf("reply %d allowed %v, %v", i, ok, err)
			}
		}
		if ok, err := s.CountAutoReply(ctx, "ann@example.net", 20001, 3); err != nil || !ok {
			t.Fatalf("the next day: %v, %v", ok, err)
		}
		if ok, _ := s.CountAutoReply(ctx, "bob@example.net", 20000, 0); ok {
			t.Error("a limit of zero allows a reply")
		}
	})
}

func TestBounceIsKeptWithItsDelivery(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		b := &model.Bounce{ListID: 3, DistributionID: 7, RecipientID: 9}
		if err := s.SaveBounce(ctx, b, []byte("bounced\r\n")); err != nil || b.ID == 0 || b.ReceivedAt.IsZero() {
			t.Fatalf("%+v, %v", b, err)
		}
		got, err := s.BouncesOf(ctx, 7, 9)
		if err != nil || len(got) != 1 || got[0] != *b {
			t.Fatalf("%+v, %v", got, err)
		}
		raw, err := s.Bytes(ctx, b.BytesID)
		if err != nil || string(raw) != "bounced\r\n" {
			t.Fatalf("%q, %v", raw, err)
		}
	})
}

func TestEventsInOrder(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.Now = func() time.Time { return time.UnixMicro(42) }
		for _, e := range []model.Event{
			{Kind: "post.held", MessageKey: "m", EmailKey: "a@x.example"}, {Kind: "post.released", MessageKey: "m"},
			{Kind: "member.joined", EmailKey: "a@x.example"}} {
			if err := s.SaveEvent(ctx, &e); err != nil {
				t.Fatal(err)
			}
		}
		m, err := s.EventsOf(ctx, "m", "")
		if err != nil || len(m) != 2 || m[0].Kind != "post.held" || m[1].Kind != "post.released" || m[0].At != 42 {
			t.Fatalf("%+v, %v", m, err)
		}
		if p, err := s.EventsOf(ctx, "", "a@x.example"); err != nil || len(p) != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		if none, err := s.EventsOf(ctx, "", ""); err != nil || len(none) != 0 {
			t.Fatalf("%+v, %v", none, err)
		}
	})
}

// TestHeldOnceFromManyDoors: the same message comes in over several connections
// at once.
func TestHeldOnceFromManyDoors(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		var dups [8]bool
		var ids [8]int64
		var wg sync.WaitGroup
		for i := range dups {
			wg.Go(func() {
				h := held(list, "m1", "token-"+string(rune('a'+i)))
				var err error
				if dups[i], err = s.SaveHeld(ctx, h, []byte("x"), nil); err != nil {
					t.Error(err)
				}
				ids[i] = h.ID
			})
		}
		wg.Wait()
		fresh := 0
		for i := range dups {
			if !dups[i] {
				fresh++
			}
			if ids[i] != ids[0] || ids[i] == 0 {
				t.Errorf("ids %v", ids)
			}
		}
		if fresh != 1 {
			t.Errorf("%d rows", fresh)
		}
	})
}
