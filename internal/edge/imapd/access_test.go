package imapd

import (
	"context"
	"strings"
	"testing"

	"plenary/internal/auth"
	"plenary/internal/list/archive"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestRevokedPasswordsEndConnections: those that were opened with one, wherever
// they stand, and no others.
func TestRevokedPasswordsEndConnections(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := &model.List{Local: "talk", Domain: "example.org"}
		if err := s.CreateList(ctx, l); err != nil {
			t.Fatal(err)
		}
		a, err := address.Parse("alice@example.org")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: a.String(), EmailKey: a.Key(), Roles: model.RoleSubscriber}); err != nil {
			t.Fatal(err)
		}
		keys := auth.New(auth.Deps{Store: s})
		var secrets [2]string
		for i := range secrets {
			if secrets[i], err = keys.NewAppPassword(ctx, a, "test"); err != nil {
				t.Fatal(err)
			}
		}
		_, addr := serve(t, newMemory(), func(o *Options, _ *times) {
			o.Archive, o.Changes, o.Auth, o.Access, o.Moderation = Over(archive.NewReader(s)), s, keys, s, nil
		})
		enter := func(secret string) *client {
			c := dial(t, addr)
			c.line()
			c.want(`LOGIN alice@example.org "`+secret+`"`, "OK")
			return c
		}
		plain, selected, waiting, other := enter(secrets[0]), enter(secrets[0]), enter(secrets[0]), enter(secrets[1])
		selected.want("SELECT Lists/talk", "OK")
		waiting.want("SELECT Lists/talk", "OK")
		other.want("SELECT Lists/talk", "OK")
		waiting.send("w IDLE\r\n")
		waiting.line()
		all, err := keys.AppPasswords(ctx, a)
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		if err := keys.Revoke(ctx, a, all[0].ID); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]*client{"logged in": plain, "selected": selected, "in IDLE": waiting} {
			if got := c.line(); !strings.HasPrefix(got, "* BYE ") {
				t.Errorf("%s: %q", name, got)
			}
			if more := c.line(); more != "" {
				t.Errorf("%s: after BYE %q", name, more)
			}
		}
		other.want("NOOP", "OK")
		late := dial(t, addr)
		late.line()
		late.want(`LOGIN alice@example.org "`+secrets[0]+`"`, "NO")
		enter(secrets[1]).want("SELECT Lists/talk", "OK")
	})
}
