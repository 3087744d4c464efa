package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestAudienceIsReadAsItIs: everybody with what is his, whatever the names hold.
func TestAudienceIsReadAsItIs(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		names := []string{"", "Ann", "9 9 9 9 9 9 9 ", "\x1f\x1e1 0 0 5 5 0 0 x@y.zx@y.z", "Ünïcode 漢字", " ", "7"}
		var want []model.Subscriber
		for i, n := range names {
			sub := model.Subscriber{ListID: l.ID, Email: fmt.Sprintf("P%d@example.net", i), EmailKey: fmt.Sprintf("p%d@example.net", i), Name: n,
				Language: "en", Roles: model.RoleSubscriber, Options: model.OptNoDuplicate, Mode: model.ModeDigestPlain, DeliveryStatus: model.DeliveryOffByBounces}
			if i%2 == 0 {
				sub.Language, sub.Options, sub.Mode, sub.DeliveryStatus = "", 0, 0, 0
			}
			if _, err := s.Subscribe(ctx, &sub); err != nil {
				t.Fatal(err)
			}
			want = append(want, sub)
		}
		d := queuePost(t, s, l.ID, 1, model.At(s.Now()))
		if _, err := s.Unsubscribe(ctx, l.ID, "p1@example.net", "left"); err != nil {
			t.Fatal(err)
		}
		_, got, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d people, %v", len(got), len(want), err)
		}
		for i := range got {
			if (got[i].EndedSeq != 0) != (i == 1) {
				t.Errorf("%d ended at %d", i, got[i].EndedSeq)
			}
			g, w := got[i], want[i]
			if g.Email != w.Email || g.EmailKey != w.EmailKey || g.Options != w.Options ||
				g.Mode != w.Mode || g.DeliveryStatus != w.DeliveryStatus || i > 0 && g.ID <= got[i-1].ID {
				t.Errorf("%+v, want %+v", g, w)
			}
		}
	})
}
