package archive_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// bench is a list whose threads are put right.
type bench struct {
	t *testing.T
	s *store.Store
	l *model.List
	r *archive.Reader
	x *archive.Threader
}

var site = model.Actor{Site: true}

func newBench(t *testing.T, s *store.Store) *bench {
	b := &bench{t: t, s: s, l: makeList(t, s, "talk"), r: archive.NewReader(s)}
	b.x = &archive.Threader{Reader: b.r, Store: s, Now: time.Now}
	return b
}

// post stores a post with this letter for an id, answering others.
func (b *bench) post(letter string, references ...string) {
	b.t.Helper()
	field := "X-A: b"
	if len(references) > 0 {
		field = "References: <" + strings.Join(references, "@x> <") + "@x>"
	}
	save(b.t, b.s, b.l, mail(letter+"@x", "Ann <ann@example.org>", "Re: Books", "Words of "+letter+".", field))
}

// drawn is the forest with letters, indented; with IMAP's groups below "-".
func (b *bench) drawn(bs []archive.Branch, err error) string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	names := map[model.PostID]string{0: "-"}
	for _, n := range storedNodes(b.t, b.s, b.l.ID) {
		if n.PostID != 0 {
			names[n.PostID] = strings.TrimSuffix(n.MessageID, "@x")
		}
	}
	var out strings.Builder
	for _, x := range bs {
		out.WriteString(strings.Repeat(".", x.Depth) + names[x.Post] + " ")
	}
	return strings.TrimSpace(out.String())
}

func (b *bench) threads() string { return b.drawn(b.r.Threads(context.Background(), b.l.ID)) }

func (b *bench) imap() string {
	ix, err := b.r.Open(context.Background(), b.l.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var uids []model.UID
	for _, r := range ix.Rows() {
		uids = append(uids, r.UID)
	}
	return b.drawn(b.r.ThreadForest(context.Background(), b.l.ID, uids))
}

// is checks what people and what mail programs see, and that a rebuild gives
// the same and changes nothing.
func (b *bench) is(threads, imap string) {
	b.t.Helper()
	if got := b.threads(); got != threads {
		b.t.Errorf("threads are %s, want %s", got, threads)
	}
	if got := b.imap(); got != imap {
		b.t.Errorf("THREAD gives %s, want %s", got, imap)
	}
	before := storedNodes(b.t, b.s, b.l.ID)
	if found := check(b.t, b.s, b.l); len(found) > 0 {
		b.t.Error(found)
	}
	if done, err := keeper(b.s).Reindex(context.Background(), b.l); err != nil || done.Threads != 0 {
		b.t.Error(done, err)
	}
	if d := gocmp.Diff(before, storedNodes(b.t, b.s, b.l.ID)); d != "" {
		b.t.Error(d)
	}
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestModeratorsPutThreadsRight(t *testing.T) {
	ctx := context.Background()
	stores.Each(t, func(t *testing.T, s *store.Store) {
		b := newBench(t, s)
		id := b.l.ID
		b.post("a")
		b.post("b", "a")
		b.post("c", "a", "b")
		b.post("d", "a", "b", "c")
		b.post("e", "g") // below a ghost
		b.post("f", "g")
		b.is("a .b ..c ...d - .e .f", "- .a ..b ...c ....d .e .f") // IMAP groups by subject
		b.ok(b.x.Split(ctx, site, id, "c@x"))
		b.is("a .b c .d - .e .f", "- .a ..b .e .f c .d")
		b.post("h", "c") // comes later
		b.is("a .b c .d .h - .e .f", "- .a ..b .e .f c .d .h")
		b.ok(b.x.Move(ctx, site, id, "<d@x>", "2"))
		b.is("a .b ..d c .h - .e .f", "- .a ..b ...d .e .f c .h")
		b.ok(b.x.Merge(ctx, site, id, "f@x", "b@x")) // the whole thread of the ghost
		b.is("a .b ..d .e .f c .h", "a .b ..d .e .f c .h")
		b.post("g") // it was no ghost
		b.is("a .b ..d .g ..e ..f c .h", "a .b ..d .g ..e ..f c .h")
		b.ok(b.x.Merge(ctx, site, id, "a@x", "h@x"))
		b.is("c .a ..b ...d ..g ...e ...f .h", "c .a ..b ...d ..g ...e ...f .h")

		for what, err := range map[string]error{
			"below itself": b.x.Move(ctx, site, id, "a@x", "a@x"), "below an answer": b.x.Move(ctx, site, id, "c@x", "e@x"),
			"split what begins": b.x.Split(ctx, site, id, "c@x"), "one thread": b.x.Merge(ctx, site, id, "a@x", "h@x"),
		} {
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"no such": b.x.Move(ctx, site, id, "zz@x", "a@x"), "no such UID": b.x.Split(ctx, site, id, "99"), "UID 0": b.x.Split(ctx, site, id, "0"),
			"nothing decided": b.x.Reset(ctx, site, id, "b@x"), "no list": b.x.Split(ctx, site, 99, "1"),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.is("c .a ..b ...d ..g ...e ...f .h", "c .a ..b ...d ..g ...e ...f .h")

		if err := b.x.Reset(ctx, site, id, "c@x"); !fault.Is(err, fault.Conflict) { // it says that it answers b, which was put below it
			t.Error(err)
		}
		b.ok(b.x.Reset(ctx, site, id, "a@x"))
		b.ok(b.x.Reset(ctx, site, id, "c@x"))
		b.ok(b.x.Reset(ctx, site, id, "d@x"))
		b.ok(b.x.Reset(ctx, site, id, "g@x"))
		b.is("a .b ..c ...d ...h g .e .f", "- .a ..b ...c ....d ....h .g ..e ..f")
		if r, err := s.ThreadRulings(ctx, id); err != nil || len(r) != 0 {
			t.Error(r, err)
		}
		events, err := s.EventsOf(ctx, "c@x", "")
		if err != nil || len(events) < 2 || events[0].Kind != archive.EventSplit || events[0].Actor != "cli" {
			t.Error(events, err)
		}
	})
}

// A post that comes late and closes a loop does not undo what a moderator said,
// in whatever order the others came.
func TestRulingsOutlastLoops(t *testing.T) {
	ctx := context.Background()
	post := func(b *bench, letter, time, field string) {
		raw := strings.Replace(string(mail(letter+"@x", "Ann <ann@example.org>", letter, "Words of "+letter+".", field)), "10:00:00", time, 1)
		save(b.t, b.s, b.l, []byte(raw))
	}
	stores.Each(t, func(t *testing.T, s *store.Store) {
		for i, order := range [][]string{{"a", "b"}, {"b", "a"}} {
			r := archive.NewReader(s)
			b := &bench{t: t, s: s, l: makeList(t, s, fmt.Sprint("talk", i)), r: r, x: &archive.Threader{Reader: r, Store: s, Now: time.Now}}
			for _, letter := range order {
				if letter == "a" {
					post(b, "a", "20:05:00", "X-A: b")
				} else {
					post(b, "b", "20:03:00", "References: <g@x>")
				}
			}
			b.ok(b.x.Move(ctx, site, b.l.ID, "a@x", "b@x"))
			b.is("b .a", "b .a")
			post(b, "g", "20:01:00", "References: <a@x>")
			b.is("b .a ..g", "b .a ..g")
			// Two that were moved below each other's answers by what came later.
			post(b, "c", "20:06:00", "References: <h@x>")
			post(b, "d", "20:07:00", "References: <i@x>")
			b.ok(b.x.Move(ctx, site, b.l.ID, "c@x", "d@x"))
			post(b, "i", "20:09:00", "References: <h@x>")
			b.is("b .a ..g i .d ..c", "b .a ..g i .d ..c")
			post(b, "h", "20:08:00", "References: <c@x>")
			b.is("b .a ..g i .d ..c ...h", "b .a ..g i .d ..c ...h")
			lines, err := b.x.Show(ctx, site, b.l.ID, "c@x")
			if err != nil || len(lines) != 4 || lines[2].Message != "c@x" || lines[2].Link != model.LinkModerator {
				t.Error(lines, err)
			}
		}
	})
}

// A guess comes back when a moderator's word is taken back.
func TestRulingsOverGuesses(t *testing.T) {
	ctx := context.Background()
	stores.Each(t, func(t *testing.T, s *store.Store) {
		b := newBench(t, s)
		const may1, may2 = "Fri, 1 May 2026 10:00:00 +0000", "Sat, 2 May 2026 10:00:00 +0000"
		when := slices.Repeat([]time.Time{time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)}, 2)
		arrive(t, s, b.l, [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Re: Shelves", may2, agreed, shelves)}, when)
		b.is("a .b", "a .b")
		lines, err := b.x.Show(ctx, site, b.l.ID, "b@x")
		if err != nil || len(lines) != 2 || lines[1].Link != model.LinkGuessed || lines[1].Post.ID.UID() != 2 || lines[0].Message != "a@x" {
			t.Fatal(lines, err)
		}
		b.ok(b.x.Split(ctx, site, b.l.ID, "b@x"))
		b.is("a b", "a b")
		b.ok(b.x.Reset(ctx, site, b.l.ID, "b@x"))
		b.is("a .b", "a .b")
	})
}

// Who answers what is not here goes where his words belong, and moderators may
// still say otherwise of both.
func TestRulingsOverGuessesOfMissingMessages(t *testing.T) {
	ctx := context.Background()
	stores.Each(t, func(t *testing.T, s *store.Store) {
		b := newBench(t, s)
		id := b.l.ID
		const may1, may2, march1 = "Fri, 1 May 2026 10:00:00 +0000", "Sat, 2 May 2026 10:00:00 +0000", "Sun, 1 Mar 2026 10:00:00 +0000"
		when := slices.Repeat([]time.Time{time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)}, 2)
		arrive(t, s, b.l, [][]byte{said("b@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <g@x>"), said("a@x", "Shelves", may1, shelves, "")}, when)
		b.is("a .b", "a .b")
		lines, err := b.x.Show(ctx, site, id, "b@x")
		if err != nil || len(lines) != 2 || lines[1].Link != model.LinkGuessed || lines[1].Message != "b@x" {
			t.Fatal(lines, err)
		}
		b.ok(b.x.Split(ctx, site, id, "b@x"))
		b.is("a b", "a b")
		save(t, s, b.l, said("c@x", "Ladders", march1, returns, ""))
		b.is("c a b", "c a b")
		b.ok(b.x.Reset(ctx, site, id, "b@x"))
		b.is("c a .b", "c a .b")
		ghost := archive.ThreadKey("g@x")
		rule := func(parent string) {
			b.ok(s.RuleThreads(ctx, id, []model.ThreadRuling{{ListID: id, Key: ghost, ParentKey: archive.ThreadKey(parent), RuledBy: "x", At: march}}, nil,
				&model.Event{At: march, ListID: id, Kind: archive.EventMoved}))
		}
		rule("c@x")
		b.is("c .b a", "c .b a")
		b.ok(b.x.Reset(ctx, site, id, "b@x"))
		b.is("c a .b", "c a .b")
		b.post("g") // it comes, and claims nobody
		b.is("c g .b a", "c g .b a")
	})
}

func TestWhoMayPutThreadsRight(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	b := newBench(t, s)
	b.post("a")
	b.post("b", "a")
	other := makeList(t, s, "other")
	for i, m := range []struct {
		list int64
		role model.Role
		may  bool
	}{{b.l.ID, model.RoleSubscriber, false}, {b.l.ID, model.RoleEditor, false}, {other.ID, model.RoleOwner, false}, {b.l.ID, model.RoleModerator, true}, {b.l.ID, model.RoleOwner, true}} {
		key := fmt.Sprintf("p%d@example.org", i)
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: m.list, Email: key, EmailKey: key, Roles: m.role}); err != nil {
			t.Fatal(err)
		}
		who := model.Actor{Email: key, Keys: []string{key}}
		for what, do := range map[string]func() error{
			"split": func() error { return b.x.Split(ctx, who, b.l.ID, "b@x") }, "move": func() error { return b.x.Move(ctx, who, b.l.ID, "b@x", "a@x") },
			"reset": func() error { return b.x.Reset(ctx, who, b.l.ID, "b@x") }, "merge": func() error { return b.x.Merge(ctx, who, b.l.ID, "b@x", "a@x") },
		} {
			err := do()
			if fault.Is(err, fault.Forbidden) == m.may {
				t.Errorf("%+v %s: %v", m, what, err)
			}
		}
	}
	if _, err := b.x.Show(ctx, model.Actor{}, b.l.ID, "a@x"); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}
