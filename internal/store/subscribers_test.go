package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func person(l *model.List, email string) *model.Subscriber {
	return &model.Subscriber{ListID: l.ID, Email: email, EmailKey: email, Roles: model.RoleSubscriber, Consent: "test"}
}

func TestSubscribeAndUnsubscribe(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		ann := person(l, "ann@example.net")
		fresh, err := s.Subscribe(ctx, ann)
		if err != nil || !fresh || ann.ID == 0 || ann.BeganSeq != 1 {
			t.Fatal(fresh, err, ann)
		}
		second := person(l, "ann@example.net")
		second.Roles, second.Name = model.RoleModerator, "Ann Lee"
		fresh, err = s.Subscribe(ctx, second)
		if err != nil || fresh || second.ID != ann.ID || second.Roles != model.RoleSubscriber|model.RoleModerator ||
			second.Name != "Ann Lee" || second.BeganSeq != 1 {
			t.Fatal(fresh, err, second)
		}
		gone, err := s.Unsubscribe(ctx, l.ID, "ann@example.net", "left")
		if err != nil || gone == nil || gone.EndedSeq <= gone.BeganSeq || gone.EndedAt == 0 {
			t.Fatal(gone, err)
		}
		if gone, err := s.Unsubscribe(ctx, l.ID, "ann@example.net", "left"); gone != nil || err != nil {
			t.Fatal(gone, err)
		}
		wantKind(t, s.SaveSubscriber(ctx, second), fault.NotFound)
		if old, err := s.GetSubscriber(ctx, ann.ID); err != nil || old.EndReason != "left" {
			t.Fatal(old, err)
		}
		again := person(l, "ann@example.net")
		if fresh, err := s.Subscribe(ctx, again); err != nil || !fresh || again.ID == ann.ID || again.BeganSeq <= gone.EndedSeq-1 {
			t.Fatal(fresh, err, again, gone)
		}
		_, err = s.Subscribe(ctx, &model.Subscriber{ListID: 99, EmailKey: "x"})
		wantKind(t, err, fault.NotFound)
		_, err = s.GetSubscriber(ctx, 999)
		wantKind(t, err, fault.NotFound)
	})
}

func TestOwnerWhoBeginsToReceive(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		owner := person(l, "olga@example.net")
		owner.Roles = model.RoleOwner
		if _, err := s.Subscribe(ctx, owner); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(ctx, person(l, "x@example.net")); err != nil {
			t.Fatal(err)
		}
		if n, err := s.CountSubscribers(ctx, l.ID); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		joins := person(l, "olga@example.net")
		if fresh, err := s.Subscribe(ctx, joins); err != nil || fresh || joins.BeganSeq != 3 || !joins.Has(model.RoleOwner) {
			t.Fatal(fresh, err, joins)
		}
	})
}

func TestWalkSubscribers(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		a, b := makeList(t, s, "a"), makeList(t, s, "b")
		for _, l := range []*model.List{a, b} {
			for _, e := range []string{"1@example.net", "2@example.net", "3@example.net"} {
				p := person(l, e)
				if e[0] == '2' {
					p.Roles |= model.RoleOwner
				}
				if _, err := s.Subscribe(ctx, p); err != nil {
					t.Fatal(err)
				}
			}
		}
		page, err := s.SubscribersOf(ctx, a.ID, model.RoleSubscriber, 0, 2)
		if err != nil || len(page) != 2 {
			t.Fatal(page, err)
		}
		page, err = s.SubscribersOf(ctx, a.ID, model.RoleSubscriber, page[1].ID, 2)
		if err != nil || len(page) != 1 || page[0].Email != "3@example.net" {
			t.Fatal(page, err)
		}
		staff, err := s.SubscribersOf(ctx, b.ID, model.RoleOwner|model.RoleModerator, 0, 10)
		if err != nil || len(staff) != 1 || staff[0].Email != "2@example.net" {
			t.Fatal(staff, err)
		}
		mine, err := s.SubscriptionsOf(ctx, []string{"1@example.net", "none@example.net"})
		if err != nil || len(mine) != 2 || mine[0].ListID != a.ID {
			t.Fatal(mine, err)
		}
		mine[0].Name, mine[0].DeliveryStatus, mine[0].Options = "One", model.DeliveryOffBySubscriber, model.OptConceal
		if err := s.SaveSubscriber(ctx, &mine[0]); err != nil {
			t.Fatal(err)
		}
		got, err := s.FindSubscriber(ctx, a.ID, "1@example.net")
		if err != nil || got.Name != "One" || got.DeliveryStatus != model.DeliveryOffBySubscriber || got.Options != model.OptConceal {
			t.Fatal(got, err)
		}
	})
}

func TestSubscribeTheSameAddressAtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "talk")
		var wg sync.WaitGroup
		var mu sync.Mutex
		fresh := 0
		for range 8 {
			wg.Go(func() {
				ok, err := s.Subscribe(context.Background(), person(l, "ann@example.net"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if ok {
					fresh++
				}
			})
		}
		wg.Wait()
		if n, err := s.CountSubscribers(context.Background(), l.ID); err != nil || n != 1 || fresh != 1 {
			t.Fatal(n, fresh, err)
		}
	})
}

func TestSubscribeAll(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := &model.List{Local: "many", Domain: "example.org"}
		if err := s.CreateList(ctx, l); err != nil {
			t.Fatal(err)
		}
		for key, role := range map[string]model.Role{"p3@example.org": model.RoleSubscriber, "p5@example.org": model.RoleOwner} {
			if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: key, EmailKey: key, Roles: role}); err != nil {
				t.Fatal(err)
			}
		}
		var subs []model.Subscriber
		for i := range 100 {
			key := fmt.Sprintf("p%d@example.org", i)
			subs = append(subs, model.Subscriber{Email: key, EmailKey: key, Consent: "test"})
		}
		fresh, rest, err := s.SubscribeAll(ctx, l.ID, subs, model.Event{Kind: "member.added", Actor: "test"})
		if err != nil || fresh != 98 || len(rest) != 1 || rest[0].EmailKey != "p5@example.org" {
			t.Fatalf("%d, %v, %v", fresh, rest, err)
		}
		if fresh, _, err = s.SubscribeAll(ctx, l.ID, subs, model.Event{Kind: "member.added"}); err != nil || fresh != 0 {
			t.Fatalf("again: %d, %v", fresh, err)
		}
		if e, err := s.EventsOf(ctx, "", "p7@example.org"); err != nil || len(e) != 1 {
			t.Fatalf("%v, %v", e, err)
		}
	})
}
