package archive_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
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
			strings.Repeat("(", 40): "brackets", "has:x": "has:attachment", "*shelf": "end of a word", "sh*f": "end of a word", "oak a*": "at least 2 letters",
			"oak -author:ann": "write f:name", "after:2026-01-01": "d:2026-03-01..", "Filename:plan.pdf": "n:name",
			"dt:20220101..": "d:2026-03-01..", "rt:2022..": "d:2026-03-01..", `"sam* rate"`: "only the last word", `s:"oak a*"`: "at least 2 letters",
			"d:2026-03-01..2026-01-31": "earlier day comes first", "d:2026..2025": "ends before", "d:" + strings.Repeat("x", 1900): "is no date",
		} {
			if _, err := r.Ask(ctx, ann, archive.Ask{Text: text}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) || len(err.Error()) > 300 {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := r.Ask(ctx, model.Actor{Site: true}, archive.Ask{Text: "is:unread"}); !errors.Is(err, archive.ErrWhose) {
			t.Error(err)
		}
	})
}

// A word alone is not sought in To: most posts of a list have its name there.
// Quotes may be those of a telephone. What was found is shown where all of it
// stands together, and what was not wanted is not marked.
func TestSearchAsPeopleType(t *testing.T) {
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	to := "To: School library people <talk@lists.example.org>"
	save(t, s, l, mail("1@x", "Ann <ann@example.org>", "Shelves", "The shelves are of pine. Oak came later: oak shelves, and they last.", to))
	save(t, s, l, mail("2@x", "Bo <bo@example.org>", "Library hours", "Shelves for all. We open at nine.", to, `Cc: "D’Arc, Jeanne" <jd@example.fr>`))
	save(t, s, l, mail("3@x", "森沢 <m@example.org>", "図書", "図書委員の話。学校図書館 glass oak", to, "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"))
	r := archive.NewReader(s)
	r.Now = func() time.Time { return now }
	for _, c := range []struct{ query, want, snippet string }{
		{"library", "2", "Shelves for all. We open at nine."},
		{"a:library", "3 2 1", ""},
		{"t:library s:hours", "2", ""},
		{`c:"d'arc jeanne"`, "2", ""},
		{`t:"d'arc jeanne"`, "", ""},
		{"c:jd@example.fr", "2", ""},
		{"c:Jean*", "2", ""},
		{"“oak shelves”", "1", "pine. Oak came later: <oak> <shelves>, and"},
		{"s:„library hours“", "2", ""},
		{`"oak shel*"`, "1", "pine. Oak came later: <oak> <shelves>, and"},
		{`s:"library hou*"`, "2", ""},
		{`"oak shel"*`, "1", ""},
		{`"oak *"`, "3 1", ""}, // a sign between words
		{`"oak shel"`, "", ""},
		{`"*oak shel*"`, "", ""},
		{"«oak shelves»", "1", ""},
		{`"oak shelves"`, "1", "pine. Oak came later: <oak> <shelves>, and"},
		{"図書館", "3", "図書委員の話。学校<図書館>"},
		{"glass\u3000図書館", "3", ""},
		{"came later:oak", "1", ""},
		{`"author:ann"`, "", ""},
		{"s:図書\u3000-pine\u00a0oak", "3", ""},
		{strings.Repeat("話", 900) + " OR 図書館", "3", ""}, // characters are counted, not octets
		{"oak -(glass OR pine)", "", ""},
		{"nine NOT (oak glass)", "2", "at <nine>."},
		{"shelves -t:nobody oak", "1", "The <shelves> are of pine. <Oak> came"},
		{"-t:school OR glass", "3", "<glass>"},
	} {
		got, err := r.Ask(context.Background(), site, archive.Ask{Text: c.query, List: l.ID, Limit: 10})
		var uids []string
		snippet := ""
		for _, h := range got.Hits {
			uids, snippet = append(uids, fmt.Sprint(h.UID)), strings.NewReplacer(archive.MarkStart, "<", archive.MarkEnd, ">").Replace(h.Snippet)
		}
		if err != nil || strings.Join(uids, " ") != c.want || !strings.Contains(snippet, c.snippet) {
			t.Errorf("%s: %v %q, want %s %q (%v)", c.query, uids, snippet, c.want, c.snippet, err)
		}
	}
}

// The handbook's examples are queries, each of which can be meant.
func TestHandbookQueries(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(real.Root(t), "docs", "search.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## The language")
	table, _, _ = strings.Cut(table, "## What is found")
	n := 0
	for i, code := range strings.Split(table, "`") {
		if i%2 == 0 || strings.HasSuffix(code, ":") || code == "-" || strings.HasPrefix(code, "plenary ") || strings.HasPrefix(code, "--") {
			continue
		}
		n++
		if _, err := archive.Parse(code, now); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	if n < 40 {
		t.Errorf("only %d examples were found", n)
	}
}

// A query that names a list or a post there is none of is told so, in the same words
// where the list is hidden.
func TestWhatIsNotThereIsSaid(t *testing.T) {
	ctx := context.Background()
	s := stores.SQLite(t)
	var lists []*model.List
	for _, l := range []*model.List{{Local: "café", Domain: "lists.example.org", ArchiveAccess: model.AccessPublic},
		{Local: "hand-ball", Domain: "lists.example.org", ArchiveAccess: model.AccessPublic}, {Local: "secret", Domain: "lists.example.org"}} {
		if err := s.CreateList(ctx, l); err != nil {
			t.Fatal(err)
		}
		save(t, s, l, mail(l.Local+"@x", "Ann <ann@example.org>", "Oak", "Shelves."))
		lists = append(lists, l)
	}
	r := archive.NewReader(s)
	for _, c := range []struct {
		query string
		in    int64
		hits  int
		says  string
	}{
		{"list:café", 0, 1, ""},
		{"list:cafe", 0, 1, ""},
		{"l:CAFÉ@lists.example.org", 0, 1, ""},
		{"list:hand*", 0, 1, ""},
		{"-list:hand*", 0, 1, ""},
		{"list:hand", 0, 0, "there is no list hand you may read"},
		{"list:nosuch*", 0, 0, "there is no list nosuch* you may read"},
		{"list:secret", 0, 0, "there is no list secret you may read"},
		{"oak OR list:nosuch", 0, 2, ""},
		{"elm OR list:nosuch", 0, 0, ""},
		{"list:nosuch (elm OR ash)", 0, 0, "there is no list nosuch you may read"},
		{"elm (ash list:nosuch)", 0, 0, "there is no list nosuch you may read"},
		{"elm (ash OR oak list:nosuch)", 0, 0, ""},
		{"-list:secret elm", 0, 0, ""},
		{"elm NOT (ash list:nosuch)", 0, 0, ""},
		{"elm OR thread:99", 0, 0, ""},
		{"-thread:99 elm", 0, 0, ""},
		{"list:hand-ball", lists[0].ID, 0, ""},
		{"thread:1", 0, 2, ""},
		{"thread:café@x", 0, 1, ""},
		{"thread:99", lists[0].ID, 0, "there is no post 99 here"},
		{"thread:secret@x", 0, 0, "there is no post secret@x here"},
	} {
		got, err := r.Ask(ctx, model.Actor{Anonymous: true}, archive.Ask{Text: c.query, List: c.in, Limit: 10})
		if (err == nil) != (c.says == "") || !strings.Contains(fault.Text(err), c.says) || got.Total != c.hits {
			t.Errorf("%s: %d, %v", c.query, got.Total, err)
		}
	}
}
