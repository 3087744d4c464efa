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
		p.BodyKey = []byte("the body")
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
		version := map[int64]int64{l.ID: 1, other.ID: 1}
		check := func() {
			t.Helper()
			for _, list := range []int64{l.ID, other.ID} {
				for _, key := range [][]byte{p.MessageKey, []byte("another"), nil} {
					for _, author := range []string{"ann@example.org", "gone@example.org", "nobody@example.org", ""} {
						for since, seen := range map[model.Instant]bool{p.Post.ReceivedAt: true, p.Post.ReceivedAt + 1: false} {
							got, err := s.FindOffered(ctx, model.Offering{ListID: list, MessageKey: key, AuthorKey: author, BodyKey: p.BodyKey, Since: since})
							if err != nil {
								t.Fatal(err)
							}
							want := model.Offered{Version: version[list], Duplicate: list == l.ID && string(key) == string(p.MessageKey), SeenBody: list == l.ID && seen}
							if want.Subscriber, err = s.FindSubscriber(ctx, list, author); err != nil {
								t.Fatal(err)
							}
							if want.Bans, err = s.Bans(ctx, list); err != nil {
								t.Fatal(err)
							}
							if diff := cmp.Diff(&want, got); diff != "" {
								t.Errorf("list %d, %q, author %q, since %d:\n%s", list, key, author, since, diff)
							}
						}
					}
				}
			}
		}
		check()
		if got, err := s.FindOffered(ctx, model.Offering{ListID: l.ID, MessageKey: p.MessageKey, AuthorKey: "ann@example.org"}); err != nil || !got.Duplicate || got.Subscriber == nil || got.Subscriber.Moderation != model.Hold {
			t.Errorf("%+v %v", got, err)
		}
		if err := s.SaveList(ctx, l); err != nil {
			t.Fatal(err)
		}
		version[l.ID] = 2
		for id, want := range map[int64]int64{l.ID: 2, other.ID + 1: 0} {
			if got, err := s.FindOffered(ctx, model.Offering{ListID: id}); err != nil || got.Version != want {
				t.Errorf("%+v %v", got, err)
			}
		}
		for _, b := range []model.Ban{{ListID: other.ID, Pattern: "x@example.org"}, {Pattern: "*@example.net", ExpiresAt: 1}, {Pattern: "*@example.com"}} {
			if err := s.SaveBan(ctx, &b); err != nil {
				t.Fatal(err)
			}
			check()
		}
	})
}
