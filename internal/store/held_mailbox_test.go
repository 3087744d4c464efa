package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestHeldPostsAreAMailbox: what waits has UIDs that only grow, and a UIDNEXT
// that never falls, whatever is decided, cleared away or restarted.
func TestHeldPostsAreAMailbox(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		s.Now = func() time.Time { return time.UnixMicro(1000) }
		save := func(key string) *model.Held {
			t.Helper()
			h := held(list, key, key)
			if _, err := s.SaveHeld(ctx, h, []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
			return h
		}
		look := func(limit int, want string, next model.UID) {
			t.Helper()
			waiting, got, err := s.PendingHeld(ctx, list, limit)
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, h := range waiting {
				text += fmt.Sprint(h.MessageKey, h.UID, " ")
			}
			if text != want || got != next {
				t.Errorf("%q, next %d; want %q, %d", text, got, want, next)
			}
		}
		look(10, "", 1)
		a, b := save("a"), save("b")
		if dup, err := s.SaveHeld(ctx, held(list, "a", "again"), []byte("x"), nil); err != nil || !dup {
			t.Fatal(dup, err)
		}
		save("c")
		look(10, "a1 b2 c3 ", 4)
		look(2, "a1 b2 ", 3)
		for _, h := range []*model.Held{a, b} {
			if won, err := s.DecideHeld(ctx, h.ID, model.HeldDiscarded, "cli", ""); err != nil || !won {
				t.Fatal(won, err)
			}
		}
		look(2, "c3 ", 4)
		if _, err := s.ExpireHeld(ctx, 6000); err != nil {
			t.Fatal(err)
		}
		s.Now = func() time.Time { return time.UnixMicro(1000).Add(365 * 24 * time.Hour) }
		if err := s.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.GetHeld(ctx, a.ID); err == nil {
			t.Fatal("not cleared away")
		}
		look(2, "", 4)
		save("d")
		look(2, "d4 ", 5)

		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() { save(fmt.Sprint("k", i)) })
		}
		for range 40 { // nothing appears below what was seen
			waiting, _, err := s.PendingHeld(ctx, list, 100)
			if err != nil {
				t.Fatal(err)
			}
			for i, h := range waiting {
				if h.UID != model.UID(4+i) {
					t.Fatalf("UID %d at place %d", h.UID, i)
				}
			}
		}
		all.Wait()
	})
}

// TestHeldPostsWakeWhoWatches: a moderator's mailbox shows what comes and what is
// decided at once, also by another node.
func TestHeldPostsWakeWhoWatches(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, list := context.Background(), heldList(t, s)
		sub := &model.Subscriber{ListID: list, Email: "mod@example.org", EmailKey: "mod@example.org", Roles: model.RoleModerator}
		if _, err := s.Subscribe(ctx, sub); err != nil {
			t.Fatal(err)
		}
		var released *model.Held
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"held", func() error { _, err := s.SaveHeld(ctx, held(list, "a", "a"), []byte("x"), nil); return err }},
			{"decided", func() error {
				h, err := s.FindHeldByToken(ctx, []byte("a"))
				if err == nil {
					_, err = s.DecideHeld(ctx, h.ID, model.HeldRejected, "cli", "")
				}
				return err
			}},
			{"held again", func() error { _, err := s.SaveHeld(ctx, held(list, "b", "b"), []byte("x"), nil); return err }},
			{"expired", func() error { _, err := s.ExpireHeld(ctx, 6000); return err }},
			{"held once more", func() error {
				released = held(list, "c", "c")
				_, err := s.SaveHeld(ctx, released, []byte("x"), nil)
				return err
			}},
			{"released", func() error {
				p := newPost(list, "c")
				p.HeldID = released.ID
				_, _, err := s.SavePost(ctx, p)
				return err
			}},
			{"no moderator any more", func() error {
				sub.Roles = model.RoleSubscriber
				return s.SaveSubscriber(ctx, sub)
			}},
		} {
			wake, cancel := s.Watch(store.TopicList(list))
			if err := step.do(); err != nil {
				t.Fatal(step.name, err)
			}
			select {
			case <-wake:
			case <-time.After(10 * time.Second):
				t.Errorf("%s: nobody is woken", step.name)
			}
			cancel()
		}
	})
}
