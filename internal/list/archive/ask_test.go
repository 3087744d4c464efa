package archive_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// askers are two lists and three people: ann reads both, bob one, and the site
// all.
func askers(t *testing.T, s *store.Store) (r *archive.Reader, talk, board *model.List) {
	t.Helper()
	ctx := context.Background()
	talk, board = makeList(t, s, "talk"), makeList(t, s, "board")
	for _, raw := range [][]byte{
		mail("1@x", "Ann <ann@example.org>", "New shelves", "The oak shelves came."),
		mail("2@x", "Bob <bob@example.net>", "Re: New shelves", "Nobody ordered oak.", "References: <1@x>"),
		mail("3@x", "Cem <cem@example.com>", "Catalogue", "> oak\nYes.", "References: <0@x> <2@x>"),
		mail("4@x", "Ann <ann@example.org>", "Oak", "Drawers."),
	} {
		save(t, s, talk, raw)
	}
	save(t, s, board, mail("9@x", "Dot <dot@example.org>", "Minutes", "We want oak shelves."))
	for key, lists := range map[string][]*model.List{"ann@example.org": {talk, board}, "bob@example.net": {talk}} {
		for _, l := range lists {
			if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: key, EmailKey: key, Roles: model.RoleSubscriber}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r = archive.NewReader(s)
	if err := r.SetFlag(ctx, model.Mark{Account: 5, List: talk.ID, Flag: `\seen`}, []model.UID{1, 3}, true); err != nil {
		t.Fatal(err)
	}
	return r, talk, board
}

func TestAskAcrossLists(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		r, talk, board := askers(t, s)
		ann := model.Actor{AccountID: 5, Keys: []string{"ann@example.org"}}
		bob := model.Actor{AccountID: 6, Keys: []string{"bob@example.net"}}
		for _, c := range []struct {
			who   model.Actor
			ask   archive.Ask
			want  string // list letter and UID of each hit
			total int
		}{
			{ann, archive.Ask{Text: "oak"}, "b1 t4 t3 t2 t1", 5},
			{bob, archive.Ask{Text: "oak"}, "t4 t3 t2 t1", 4},
			{model.Actor{}, archive.Ask{Text: "oak"}, "", 0},
			{ann, archive.Ask{Text: "oak", List: talk.ID, Skip: 1, Limit: 2}, "t3 t2", 4},
			{ann, archive.Ask{Text: "oak", Ranked: true, List: talk.ID}, "t4 t2 t1 t3", 4},
			{ann, archive.Ask{Text: "oak shelves", Ranked: true}, "t1 t2 b1", 3},
			{ann, archive.Ask{Text: "oak list:board"}, "b1", 1},
			{ann, archive.Ask{Text: "oak -list:board@lists.example.org"}, "t4 t3 t2 t1", 4},
			{ann, archive.Ask{Text: "list:nowhere oak"}, "", 0},
			{ann, archive.Ask{Text: "is:unread oak", List: talk.ID}, "t4 t2", 2},
			{ann, archive.Ask{Text: "is:read", List: talk.ID}, "t3 t1", 2},
			{bob, archive.Ask{Text: "is:read OR is:flagged"}, "", 0},
			{ann, archive.Ask{Text: "thread:<1@x>"}, "t3 t2 t1", 3},
			{ann, archive.Ask{Text: "thread:3 -nobody", List: talk.ID}, "t3 t1", 2},
			{ann, archive.Ask{Text: "thread:none@x OR drawers"}, "t4", 1},
			{ann, archive.Ask{Text: "(drawers OR nobody) oak", List: talk.ID}, "t4 t2", 2},
			{ann, archive.Ask{Text: "drawers OR nobody f:ann", List: talk.ID}, "t4", 1},
			{ann, archive.Ask{Text: "-(drawers OR nobody) oak", List: talk.ID}, "t3 t1", 2},
			{ann, archive.Ask{Text: "oak AND NOT (shelves OR drawers)", List: talk.ID}, "t3", 1},
			{ann, archive.Ask{Text: "oak NOT q:oak ()", List: talk.ID}, "t4 t2 t1", 3},
		} {
			if c.ask.Limit == 0 {
				c.ask.Limit = 10
			}
			got, err := r.Ask(ctx, c.who, c.ask)
			var hits []string
			for _, h := range got.Hits {
				hits = append(hits, fmt.Sprintf("%c%d", "?tb"[map[int64]int{talk.ID: 1, board.ID: 2}[h.List]], h.UID))
			}
			if err != nil || strings.Join(hits, " ") != c.want || got.Total != c.total {
				t.Errorf("%+v: %v of %d, want %s of %d (%v)", c.ask, hits, got.Total, c.want, c.total, err)
			}
		}
		if _, err := r.Ask(ctx, bob, archive.Ask{Text: "oak", List: board.ID}); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
		for text, says := range map[string]string{
			"(oak": "not closed", "oak)": "not opened", "oak NOT": "NOT stands", "(oak OR) x": "OR stands", "is:new": "is:unread",
			"s: oak": "without a space", "list: oak": "list:talk", "thread:": "Message-ID", "d:soon": "d:2.weeks.ago", "m:": "m:<id@host>",
			strings.Repeat("(", 40): "brackets", "has:x": "has:attachment",
		} {
			if _, err := r.Ask(ctx, ann, archive.Ask{Text: text}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := r.Ask(ctx, model.Actor{Site: true}, archive.Ask{Text: "is:unread"}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "log in") {
			t.Error(err)
		}
	})
}
