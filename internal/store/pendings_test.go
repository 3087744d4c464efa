package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestPendingsOfOneAddress(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		make := func(hash string, until model.Instant) *model.Pending {
			p := &model.Pending{Kind: model.PendingJoin, ListID: l.ID, Email: "a@b.example", EmailKey: "a@b.example",
				TokenHash: []byte(hash), ExpiresAt: until}
			if err := s.SavePending(ctx, p); err != nil {
				t.Fatal(err)
			}
			return p
		}
		make("one", 1000)
		two := make("two", 2000)
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM pendings WHERE used_at = 0"); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		got, err := s.FindPending(ctx, []byte("one"))
		if err != nil || got.ID != two.ID || got.ExpiresAt != 1000 || got.UsedAt != 0 {
			t.Fatalf("the older token gives %+v, %v", got, err)
		}
		if got, err := s.FindPending(ctx, []byte("three")); got != nil || err != nil {
			t.Fatal(got, err)
		}
		for _, want := range []bool{true, false} {
			if first, err := s.UsePending(ctx, two.ID); err != nil || first != want {
				t.Fatal(first, err)
			}
		}
		for _, hash := range []string{"one", "two"} {
			if got, err = s.FindPending(ctx, []byte(hash)); err != nil || got.ID != two.ID || got.UsedAt.IsZero() {
				t.Fatalf("%s gives %+v, %v", hash, got, err)
			}
		}
		// A used token never stands for a later request.
		make("four", 3000)
		if got, err = s.FindPending(ctx, []byte("two")); err != nil || got.ID != two.ID {
			t.Fatal(got, err)
		}
		if open, err := s.OpenPending(ctx, l.ID, "a@b.example", model.PendingJoin); err != nil || string(open.TokenHash) != "four" {
			t.Fatal(open, err)
		}
		wantKind(t, s.SavePending(ctx, &model.Pending{ListID: 99, TokenHash: []byte("z")}), fault.NotFound)
	})
}

func TestBans(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		now := time.Unix(1_700_000_000, 0)
		s.Now = func() time.Time { return now }
		l, other := makeList(t, s, "talk"), makeList(t, s, "other")
		mine := &model.Ban{ListID: l.ID, Pattern: "@spam.example", Reason: "adverts"}
		for _, b := range []*model.Ban{mine, {Pattern: "*@bad.example"}, {ListID: other.ID, Pattern: "x@y.example"},
			{ListID: l.ID, Pattern: "old@y.example", ExpiresAt: model.At(now) - 1}} {
			if err := s.SaveBan(ctx, b); err != nil || b.ID == 0 {
				t.Fatal(err)
			}
		}
		again := &model.Ban{ListID: l.ID, Pattern: "@spam.example", Reason: "more adverts"}
		if err := s.SaveBan(ctx, again); err != nil || again.ID != mine.ID {
			t.Fatal(err, again.ID, mine.ID)
		}
		bans, err := s.Bans(ctx, l.ID)
		if err != nil || len(bans) != 2 || bans[0].ListID != 0 || bans[1].Reason != "more adverts" {
			t.Fatal(bans, err)
		}
		all, err := s.AllBans(ctx)
		if err != nil || len(all) != 4 || all[0].Pattern != "*@bad.example" || all[1].Pattern != "@spam.example" && all[1].Pattern != "old@y.example" {
			t.Fatal(all, err)
		}
		if err := s.RemoveBan(ctx, mine.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.RemoveBan(ctx, mine.ID), fault.NotFound)
	})
}

func TestAccounts(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		now := time.Unix(1_700_000_000, 0)
		s.Now = func() time.Time { return now }
		a, err := s.EnsureAccount(ctx, "Ann@example.net", "ann@example.net", "Ann")
		if err != nil || a.ID == 0 {
			t.Fatal(a, err)
		}
		if same, err := s.EnsureAccount(ctx, "ann@example.net", "ann@example.net", ""); err != nil || same.ID != a.ID || same.Name != "Ann" {
			t.Fatal(same, err)
		}
		if none, err := s.FindAccount(ctx, "none@example.net"); none != nil || err != nil {
			t.Fatal(none, err)
		}
		if err := s.SaveAddress(ctx, a.ID, "ann@work.example"); err != nil {
			t.Fatal(err)
		}
		b, err := s.EnsureAccount(ctx, "bob@example.net", "bob@example.net", "")
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.SaveAddress(ctx, b.ID, "ann@work.example"), fault.Conflict)
		if by, err := s.EnsureAccount(ctx, "ann@work.example", "ann@work.example", ""); err != nil || by.ID != a.ID {
			t.Fatal(by, err)
		}
		keys, err := s.AddressesOf(ctx, a.ID)
		if err != nil || len(keys) != 2 || keys[0] != "ann@example.net" {
			t.Fatal(keys, err)
		}
		p := &model.AppPassword{AccountID: a.ID, Hash: []byte("h"), Label: "mail"}
		if err := s.SaveAppPassword(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := s.TouchAppPassword(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.RevokeAppPassword(ctx, b.ID, p.ID), fault.NotFound)
		if bad, err := s.RevokedPasswords(ctx, []int64{p.ID, p.ID + 1}); err != nil || len(bad) != 1 || bad[0] != p.ID+1 {
			t.Fatal(bad, err)
		}
		wake, cancel := s.WatchAccess()
		defer cancel()
		if err := s.RevokeAppPassword(ctx, a.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told")
		}
		if bad, err := s.RevokedPasswords(ctx, []int64{p.ID}); err != nil || len(bad) != 1 {
			t.Fatal(bad, err)
		}
		all, err := s.AppPasswords(ctx, a.ID)
		if err != nil || len(all) != 1 || all[0].UsedAt != model.At(now) || all[0].RevokedAt != model.At(now) || string(all[0].Hash) != "h" {
			t.Fatal(all, err)
		}
	})
}
