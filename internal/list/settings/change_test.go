package settings_test

import (
	"context"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/settings"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// broken is a store that cannot write the trace.
type broken struct{ *store.Store }

func (broken) SaveEvent(context.Context, *model.Event) error {
	return fault.New(fault.Temporary, "no trace")
}

// TestAListsLifeIsTraced: making, changing and removing a list each leave who did
// it and what became different, found by the list's address when it is gone; and
// nothing happens without its line.
func TestAListsLifeIsTraced(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		story := func(want ...string) {
			t.Helper()
			events, err := s.EventsOf(ctx, "", "talk@lists.example.org")
			check(err)
			var got []string
			for _, e := range events {
				if e.ListID == 0 || e.At == 0 {
					t.Errorf("%+v", e)
				}
				got = append(got, strings.TrimSpace(e.Kind+" "+e.Actor+" "+e.Detail))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		l := settings.New(model.Announcement, "talk", "lists.example.org")
		l.Name = "Book club"
		if err := settings.Create(ctx, broken{s}, l, "cli"); !fault.Is(err, fault.Temporary) {
			t.Fatal(err)
		}
		check(settings.Create(ctx, s, l, "cli"))
		made := `list.created cli kind=announcement, name="Book club"`
		story(made)

		if err := settings.Change(ctx, s, l, []model.Pair{{Key: "emergency", Value: "yes"}, {Key: "held-days", Value: "never"}}, "cli"); !fault.Is(err, fault.Invalid) || l.Emergency {
			t.Fatal(err)
		}
		if err := settings.Change(ctx, broken{s}, l, []model.Pair{{Key: "emergency", Value: "yes"}}, "cli"); !fault.Is(err, fault.Temporary) || l.Emergency {
			t.Fatal(err)
		}
		check(settings.Change(ctx, s, l, []model.Pair{{Key: "emergency", Value: "no"}, {Key: "closed", Value: "yes"}, {Key: "closed", Value: "no"}}, "cli"))
		if l.Version != 1 {
			t.Errorf("what was so already made version %d", l.Version)
		}
		story(made)
		old := *l
		check(settings.Change(ctx, s, l, []model.Pair{{Key: "Emergency", Value: "on"}, {Key: "hold_size", Value: "500 kB"}}, "own@example.net"))
		changed := "list.changed own@example.net emergency=yes (was no), hold-size=500K (was 0)"
		story(made, changed)
		if now, err := s.GetList(ctx, l.ID); err != nil || !now.Emergency || *now != *l {
			t.Errorf("%+v, %v", now, err)
		}
		if err := settings.Change(ctx, s, &old, []model.Pair{{Key: "closed", Value: "yes"}}, "cli"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a change of what is no longer so: %v", err)
		}

		check(settings.Remove(ctx, s, l, "cli"))
		story(made, changed, "list.removed cli")
		if err := settings.Remove(ctx, s, l, "cli"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		story(made, changed, "list.removed cli")
	})
}
