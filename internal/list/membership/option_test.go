package membership_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestWhoTurnedDeliveryOff: off says who said it, and what an option prints is
// what it reads.
func TestWhoTurnedDeliveryOff(t *testing.T) {
	for _, c := range []struct{ by, want string }{{"cli", "off-by-moderator"}, {"own@example.net", "off-by-moderator"}, {"ann@example.net", "off-by-subscriber"}} {
		s := &model.Subscriber{EmailKey: "ann@example.net"}
		if err := membership.SetOption(s, model.Pair{Key: "delivery", Value: "off"}, c.by); err != nil {
			t.Fatal(err)
		}
		delivery, err := membership.FindOption("Delivery")
		if err != nil || delivery.Get(s) != c.want {
			t.Errorf("off by %s is %s, %v", c.by, delivery.Get(s), err)
		}
	}
	for status := model.DeliveryEnabled; status <= model.DeliveryOffByModerator; status++ {
		s := &model.Subscriber{EmailKey: "ann@example.net", Name: "Ann", Roles: model.RoleOwner | model.RoleEditor, DeliveryStatus: status, Moderation: model.Hold}
		again := &model.Subscriber{EmailKey: "ann@example.net"}
		for _, o := range membership.Options() {
			if err := membership.SetOption(again, model.Pair{Key: o.Key, Value: o.Get(s)}, "cli"); err != nil {
				t.Errorf("%s cannot be what it says, %s: %v", o.Key, o.Get(s), err)
			}
		}
		if *again != *s {
			t.Errorf("%+v came back as %+v", s, again)
		}
	}
}

// TestChangesOfPeopleAreTraced: each change of roles and options, with who made it
// and what was so before, in one transaction; what changes nothing leaves nothing.
func TestChangesOfPeopleAreTraced(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		ann := addr("ann@example.net")
		story := func(want ...string) {
			t.Helper()
			events, err := s.EventsOf(ctx, "", ann.Key())
			r.ok(err)
			var got []string
			for _, e := range events {
				got = append(got, strings.TrimSpace(e.Kind+" "+e.Actor+" "+e.Detail))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		set := func(by string, words ...string) error {
			var values []model.Pair
			for _, w := range words {
				key, value, _ := strings.Cut(w, "=")
				values = append(values, model.Pair{Key: key, Value: value})
			}
			return r.Set(ctx, r.list, ann, values, by)
		}
		add := func(roles model.Role) {
			t.Helper()
			_, err := r.Add(ctx, r.list, &model.Subscriber{Email: ann.String(), EmailKey: ann.Key(), Roles: roles}, "cli")
			r.ok(err)
		}
		r.want(set("cli", "delivery=off"), fault.NotFound)
		add(model.RoleSubscriber)
		add(model.RoleSubscriber)
		added := "member.added cli subscriber"
		story(added)
		r.ok(set("cli", "delivery=on", "moderation=default", "name="))
		r.want(set("cli", "name=Ann", "delivery=sometimes"), fault.Invalid)
		r.want(set("cli", "name=Ann", "colour=red"), fault.NotFound)
		story(added)
		r.ok(set("cli", "delivery=off", "name=Ann Lee"))
		r.ok(set("cli", "delivery=off"))
		off := `member.changed cli name="Ann Lee", delivery=off-by-moderator (was on)`
		story(added, off)
		r.ok(set(ann.Key(), "delivery=on", "Delivery=off"))
		own := "member.changed ann@example.net delivery=off-by-subscriber (was off-by-moderator)"
		story(added, off, own)
		add(model.RoleOwner)
		r.ok(set("own@example.net", "roles=owner"))
		story(added, off, own, "member.added cli subscriber,owner", "member.changed own@example.net roles=owner (was subscriber,owner)")
		if got := r.member("ann@example.net"); got.Name != "Ann Lee" || got.Roles != model.RoleOwner || got.DeliveryStatus != model.DeliveryOffBySubscriber {
			t.Errorf("%+v", got)
		}
	})
}

// untraced is a store that cannot write the trace.
type untraced struct{ *store.Store }

func (untraced) SaveEvent(context.Context, *model.Event) error {
	return fault.New(fault.Temporary, "no trace")
}

// TestNothingIsDecidedWithoutATrace: what an owner does happens with its line of
// the trace, or not at all.
func TestNothingIsDecidedWithoutATrace(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, r := context.Background(), newRig(t, s)
		ann, bo := addr("ann@example.net"), addr("bo@example.net")
		_, err := r.Add(ctx, r.list, &model.Subscriber{Email: ann.String(), EmailKey: ann.Key()}, "cli")
		r.ok(err)
		_, err = r.Ban(ctx, r.list, model.Ban{Pattern: "@spam.example", CreatedBy: "cli"})
		r.ok(err)
		m := membership.New(membership.Deps{Store: untraced{s}, Tokens: r.keys, Letters: r, Now: func() time.Time { return r.now }})
		_, err = m.Add(ctx, r.list, &model.Subscriber{Email: bo.String(), EmailKey: bo.Key()}, "cli")
		r.want(err, fault.Temporary)
		r.want(m.Set(ctx, r.list, ann, []model.Pair{{Key: "name", Value: "Ann"}}, "cli"), fault.Temporary)
		r.want(m.Remove(ctx, r.list, ann, "cli"), fault.Temporary)
		_, err = m.Ban(ctx, r.list, model.Ban{Pattern: "@bad.example", CreatedBy: "cli"})
		r.want(err, fault.Temporary)
		r.want(m.Unban(ctx, r.list, "@spam.example", "cli"), fault.Temporary)
		bans, err := s.AllBans(ctx)
		r.ok(err)
		if got := r.member("ann@example.net"); got == nil || got.Name != "" || r.member("bo@example.net") != nil || len(bans) != 1 {
			t.Errorf("something is left: %+v, %v", got, bans)
		}
	})
}
