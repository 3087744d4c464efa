package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestFindOffered: the same as asking for each by itself.
func TestFindOffered(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, other := makeList(t, s, "talk"), makeList(t, s, "other")
		p := newPost(l.ID, "a@x")
		savePost(t, s, p)
		for _, sub := range []model.Subscriber{
			{ListID: l.ID, Email: "Ann@example.org", EmailKey: "ann@example.org", Name: "Ann", Roles: model.RoleSubscriber | model.RoleOwner, Language: "de",
				Moderation: model.Hold, Options: model.OptNoDuplicate, Consent: "by mail", Mode: model.ModeEach + 1, DeliveryStatus: model.DeliveryOffByBounces},
			{ListID: l.ID, Email: "gone@example.org", EmailKey: "gone@example.org", Roles: model.RoleSubscriber},
		} {
			if _, err := s.Subscribe(ctx, &sub); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Unsubscribe(ctx, l.ID, "gone@example.org", "left"); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			for _, list := range []int64{l.ID, other.ID} {
				for _, key := range [][]byte{p.MessageKey, []byte("another"), nil} {
					for _, author := range []string{"ann@example.org", "gone@example.org", "nobody@example.org", ""} {
						got, err := s.FindOffered(ctx, list, key, author)
						if err != nil {
							t.Fatal(err)
						}
						var want model.Offered
						if want.Duplicate, err = s.HasPost(ctx, list, model.KeyMessageID, key, 0); err != nil {
							t.Fatal(err)
						}
						if want.Subscriber, err = s.FindSubscriber(ctx, list, author); err != nil {
							t.Fatal(err)
						}
						if want.Bans, err = s.Bans(ctx, list); err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(&want, got); diff != "" {
							t.Errorf("list %d, %q, author %q:\n%s", list, key, author, diff)
						}
					}
				}
			}
		}
		check()
		if got, err := s.FindOffered(ctx, l.ID, p.MessageKey, "ann@example.org"); err != nil || !got.Duplicate || got.Subscriber == nil || got.Subscriber.Moderation != model.Hold {
			t.Errorf("%+v %v", got, err)
		}
		for _, b := range []model.Ban{{ListID: other.ID, Pattern: "x@example.org"}, {Pattern: "*@example.net", ExpiresAt: 1}, {Pattern: "*@example.com"}} {
			if err := s.SaveBan(ctx, &b); err != nil {
				t.Fatal(err)
			}
			check()
		}
	})
}
