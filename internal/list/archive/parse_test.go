package archive_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

var now = time.Date(2026, 3, 20, 8, 0, 0, 0, time.UTC)

func TestFind(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := makeList(t, s, "talk")
		for i, raw := range [][]byte{
			mail("1@x", "Ann <ann@example.org>", "New shelves", "The oak shelves came.\n> Who ordered glass?"),
			mail("2@x", "Bob <bob@example.net>", "Re: New shelves", "Nobody ordered them.", "Cc: Zoe <zoe@example.com>"),
			mail("3@x", "Zoë <zoe@example.com>", "Catalogue cards", "Oak drawers, "+strings.Repeat("cards and more cards ", 40)+"needle "+strings.Repeat("and so on ", 40)),
			mail("4@x", "Ann <ann@example.org>", "Minutes", "see file", "MIME-Version: 1.0", "Content-Type: application/pdf; name=minutes.pdf", "Content-Disposition: attachment; filename=minutes.pdf"),
		} {
			if uid := save(t, s, l, raw); uid != model.UID(i+1) {
				t.Fatal(uid)
			}
		}
		r := archive.NewReader(s)
		r.Now = func() time.Time { return now }
		for q, want := range map[string]string{
			"shelves": "2 1", "oak": "3 1", "oak shelves": "1", `"oak shelves"`: "1", `"shelves oak"`: "", "shelves -oak": "2", "-oak": "4 2",
			"drawers OR nobody": "3 2", "oak shelves OR nobody": "2 1", "shel*": "2 1", "s:shelves": "2 1", "s:oak": "", "f:ann": "4 1",
			"f:zoe": "3", "f:ann@example.org": "4 1", "c:zoe": "2", "t:zoe": "", "a:zoe": "3 2", "b:ordered": "2 1", "nq:ordered": "2", "q:ordered": "1",
			"n:minutes": "4", "has:attachment": "4", "m:<2@x>": "2", "m:none@x": "", "d:2026-03-02": "4 3 2 1", "d:2026-03-03..": "", "d:..2026-03-02 oak": "3 1",
			"d:2026": "4 3 2 1", "d:3.weeks.ago..": "4 3 2 1", "d:2.weeks.ago..": "", "(oak)": "3 1", "S:SHELVES": "2 1", "Zoé": "3", "a:Zoé": "3 2",
			"http://oak": "", `s:"new shelves"`: "2 1", `"oak`: "3 1", "!oak shelves": "2", "oak ... shelves": "1", "d:yesterday": "", "d:202603": "4 3 2 1",
		} {
			hits, err := r.Find(ctx, model.Actor{Site: true}, l.ID, q, 10)
			var got []string
			for _, h := range hits {
				got = append(got, fmt.Sprint(h.UID))
			}
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s (%v)", q, got, want, err)
			}
		}
		for _, q := range []string{"", "...", "OR oak", "oak OR", "d:soon", "d:..", "has:wings", "a*", strings.Repeat("oak ", 60), strings.Repeat("x", 3000), "\xff"} {
			if _, err := r.Find(ctx, model.Actor{Site: true}, l.ID, q, 10); !fault.Is(err, fault.Invalid) {
				t.Errorf("%.20q: %v", q, err)
			}
		}
		if _, err := r.Find(ctx, model.Actor{}, l.ID, "oak", 10); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
		hits, err := r.Find(ctx, model.Actor{Site: true}, l.ID, "needle", 10)
		if err != nil || len(hits) != 1 || !strings.Contains(hits[0].Snippet, archive.MarkStart+"needle"+archive.MarkEnd) ||
			!strings.HasPrefix(hits[0].Snippet, "… ") || !strings.HasSuffix(hits[0].Snippet, " …") || hits[0].Author != "Zoë" {
			t.Errorf("%+v %v", hits, err)
		}
		if hits, err := r.Find(ctx, model.Actor{Site: true}, l.ID, "oak", 1); err != nil || len(hits) != 1 || hits[0].UID != 3 {
			t.Errorf("%+v %v", hits, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a OR "b c"* -s:d`, `d:2026..x`, `-"`, `s:`, `"`, "日本* t:x", "!-", "OR OR"} {
		f.Add(s)
	}
	s := stores.SQLite(f)
	l := makeList(f, s, "talk")
	r := archive.NewReader(s)
	p := archive.Make(l, mail("1@x", "Ann <ann@example.org>", "s", "a b c d 日本"), nil, march, false)
	if _, _, err := s.SavePost(context.Background(), p); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := r.Find(context.Background(), model.Actor{Site: true}, l.ID, text, 10); err != nil &&
			!fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooMany) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func FuzzIndexWords(f *testing.F) {
	for _, s := range []string{"Zürich", "日本語 x", "a\u0301\xff", "½㎏ﷺ", "हिन्दी"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Fields(archive.IndexWords(text))
		for _, w := range words {
			if len(w) > 48 && strings.Count(w, "") > 3 {
				t.Errorf("%q is too long", w)
			}
		}
		if len(words) > 0 {
			again := strings.Fields(archive.IndexWords(words[0]))
			if len(again) == 0 {
				t.Errorf("%q of %q is not a word", words[0], text)
			}
		}
	})
}
