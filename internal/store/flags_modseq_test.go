package store_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestFlagChangesAreLogged(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := &model.List{Local: "talk", Domain: "example.org"}
		if err := s.CreateList(ctx, l); err != nil {
			t.Fatal(err)
		}
		if c, next, err := s.LastFlagChange(ctx, 7, l.ID); err != nil || c.ModSeq() != 0 || next != 1 {
			t.Fatal(c, next, err)
		}
		wake, stop := s.Watch(store.TopicFlags(7, l.ID))
		defer stop()
		if err := s.SetFlag(ctx, model.Mark{Account: 7, List: l.ID, Flag: `\seen`}, []model.UID{3, 1, 2, 9}, true); err != nil {
			t.Fatal(err)
		}
		<-wake
		left, err := s.ChangeFlags(ctx, model.Marking{Account: 7, List: l.ID, Edits: []model.FlagEdit{
			{Flag: `\flagged`, UIDs: []model.UID{9, 20_000}, On: true}, {Flag: `\seen`, UIDs: []model.UID{1}}}})
		if err != nil || left != nil {
			t.Fatal(left, err)
		}
		want := []model.FlagChange{
			{Seq: 1, UIDNext: 1, Runs: []model.UIDRun{{From: 1, To: 3}, {From: 9, To: 9}}},
			{Seq: 2, UIDNext: 1, Runs: []model.UIDRun{{From: 1, To: 1}, {From: 9, To: 9}, {From: 20_000, To: 20_000}}}}
		if got, err := s.FlagChanges(ctx, 7, l.ID, 0); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatal(got, err)
		}
		if got, err := s.FlagChanges(ctx, 7, l.ID, want[0].ModSeq()); err != nil || !reflect.DeepEqual(got, want[1:]) {
			t.Fatal(got, err)
		}
		if c, next, err := s.LastFlagChange(ctx, 7, l.ID); err != nil || c.ModSeq() != 3 || next != 1 {
			t.Fatal(c, next, err)
		}
		for _, g := range []model.Glance{{Account: 7, ListID: l.ID, Last: model.FlagChange{Seq: 2, UIDNext: 1}, NextUID: 1},
			{Account: 8, ListID: l.ID, NextUID: 1}, {Account: 7, ListID: l.ID + 1}} { // her, somebody else, and a list that is not there
			got := model.Glance{Account: g.Account, ListID: g.ListID}
			if _, _, err := s.ListsMark(ctx, []string{"x@example.org"}, &got); err != nil || !reflect.DeepEqual(got, g) {
				t.Errorf("%+v, want %+v, %v", got, g, err)
			}
		}
		// Somebody else has nothing of it.
		if got, err := s.FlagChanges(ctx, 8, l.ID, 0); err != nil || got != nil {
			t.Fatal(got, err)
		}
		// 3 has not changed since 2, 9 has.
		left, err = s.ChangeFlags(ctx, model.Marking{Account: 7, List: l.ID, Conditional: true, Since: 2, Guard: []model.UID{9, 3, 1},
			Edits: []model.FlagEdit{{Flag: `$work`, UIDs: []model.UID{9, 3}, On: true}}})
		if err != nil || !slices.Equal(left, []model.UID{1, 9}) {
			t.Fatal(left, err)
		}
		if got, want := flagged(t, s, 7, l.ID), "$work 3 \\flagged 9 20000 \\seen 2 3 9"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := s.RemoveList(ctx, l.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := s.FlagChanges(ctx, 7, l.ID, 0); err != nil || got != nil {
			t.Fatal(got, err)
		}
	})
}

// flagged writes down a person's flags.
func flagged(t *testing.T, s *store.Store, account, list int64) string {
	t.Helper()
	out, last := "", ""
	err := s.FlagPages(context.Background(), account, list, func(flag string, page int64, bits []byte) {
		if flag != last {
			out += " " + flag
		}
		last = flag
		for i, b := range bits {
			for k := range 8 {
				if b&(1<<k) != 0 {
					out += fmt.Sprint(" ", page*8192+int64(i*8+k))
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[1:]
}

// TestOldFlagChangesAreJoined makes so many changes that the oldest are joined:
// whoever asks is told of every post that changed.
func TestOldFlagChangesAreJoined(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	l := &model.List{Local: "talk", Domain: "example.org"}
	if err := s.CreateList(ctx, l); err != nil {
		t.Fatal(err)
	}
	const n = 1300
	for u := range model.UID(n) {
		if err := s.SetFlag(ctx, model.Mark{Account: 7, List: l.ID, Flag: `\seen`}, []model.UID{2 * (u + 1)}, true); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.FlagChanges(ctx, 7, l.ID, 0)
	if err != nil || len(all) >= 1100 || all[len(all)-1].Seq != n {
		t.Fatal(len(all), err)
	}
	for _, since := range []uint64{0, 1, 300, 700, 1000, n, n + 1} {
		told := map[model.UID]bool{}
		some, err := s.FlagChanges(ctx, 7, l.ID, since)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some {
			for _, r := range c.Runs {
				for u := r.From; u <= r.To; u++ {
					told[u] = true
				}
			}
		}
		for u := range uint64(n) { // change u+1 has the mod-sequence u+2
			if u+2 > since && !told[model.UID(2*(u+1))] {
				t.Fatalf("since %d: %d is missing", since, 2*(u+1))
			}
		}
	}
}

func BenchmarkSetFlag(b *testing.B) {
	s := stores.SQLite(b)
	ctx := context.Background()
	l := &model.List{Local: "talk", Domain: "example.org"}
	if err := s.CreateList(ctx, l); err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		if err := s.SetFlag(ctx, model.Mark{Account: 7, List: l.ID, Flag: `\seen`}, []model.UID{model.UID(i%50_000 + 1)}, true); err != nil {
			b.Fatal(err)
		}
	}
}
