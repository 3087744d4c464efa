package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// fixture is a list whose posts the test knows.
type fixture struct {
	s     *store.Store
	r     *archive.Reader
	l     *model.List
	posts []*model.NewPost
}

func (f *fixture) fill(t testing.TB, raws [][]byte, received []time.Time) {
	t.Helper()
	for at := 0; at < len(raws); at += 200 {
		var batch []*model.NewPost
		for i := at; i < min(at+200, len(raws)); i++ {
			batch = append(batch, archive.Make(f.l, raws[i], nil, model.At(received[i]), true))
		}
		added, err := f.s.ImportPosts(context.Background(), f.l.ID, batch, "x", int64(at+1))
		if err != nil || added != len(batch) {
			t.Fatal(added, err)
		}
		f.posts = append(f.posts, batch...)
	}
}

// plain is the answer worked out without any index.
func (f *fixture) plain(match func(*model.NewPost) bool) (uids []model.UID) {
	for i, p := range f.posts {
		if match(p) {
			uids = append(uids, model.UID(i+1))
		}
	}
	return uids
}

func (f *fixture) check(t *testing.T, what string, q archive.Query, match func(*model.NewPost) bool) {
	t.Helper()
	got, err := f.r.Search(context.Background(), f.l.ID, q)
	want := f.plain(match)
	if err != nil || !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Fatalf("%s: %d posts %v, want %d %v (%v)", what, len(got), head(got), len(want), head(want), err)
	}
	slices.Reverse(want)
	for _, last := range []model.UID{1<<32 - 1, model.UID(len(f.posts) / 2)} {
		at := slices.IndexFunc(want, func(u model.UID) bool { return u <= last })
		some := want[:0]
		if at >= 0 {
			some = want[at:min(at+7, len(want))]
		}
		newest, err := f.r.Newest(context.Background(), f.l.ID, q, last, 7)
		if err != nil || !slices.Equal(newest, some) && len(newest)+len(some) > 0 {
			t.Fatalf("newest %s up to %d: %v, want %v (%v)", what, last, newest, some, err)
		}
	}
}

func head(u []model.UID) []model.UID { return u[:min(len(u), 12)] }

// phrased tells whether the words stand one after another in one column.
func phrased(p *model.NewPost, columns model.SearchColumns, words []string, prefix bool) bool {
	x := p.Text
	for i, text := range []string{x.Subject, x.Author, x.Recipients, x.Body, x.Quoted, x.Files} {
		if columns&(1<<i) == 0 {
			continue
		}
		have := strings.Fields(text)
		for at := range have {
			if at+len(words) > len(have) {
				break
			}
			ok := true
			for k, w := range words {
				last := prefix && k == len(words)-1
				if have[at+k] != w && !(last && strings.HasPrefix(have[at+k], w)) {
					ok = false
					break
				}
			}
			if ok {
				return true
			}
		}
	}
	return false
}

func TestSearchFindsWhatIsThere(t *testing.T) {
	path := real.Corpus(t, "archives", "usrp-users-1500.mbox.gz")
	raws, received := real.Messages(t, path, 600)
	more, when := real.Messages(t, real.Corpus(t, "archives", "linux-man-2000.mbox.gz"), 400)
	raws, received = append(raws, more...), append(received, when...)
	stores.Each(t, func(t *testing.T, s *store.Store) {
		f := &fixture{s: s, r: archive.NewReader(s), l: makeList(t, s, "talk")}
		f.fill(t, raws, received)
		r := rand.New(rand.NewPCG(3, 5))
		for range 120 {
			q, match, what := f.random(r, 3)
			f.check(t, what, q, match)
		}
	})
}

// random makes a query and the plain way to answer it.
func (f *fixture) random(r *rand.Rand, depth int) (archive.Query, func(*model.NewPost) bool, string) {
	some := f.posts[r.IntN(len(f.posts))]
	switch n := r.IntN(10); {
	case depth > 0 && n < 2:
		a, x, s := f.random(r, depth-1)
		b, y, u := f.random(r, depth-1)
		return archive.And(a, b), func(p *model.NewPost) bool { return x(p) && y(p) }, "(" + s + " and " + u + ")"
	case depth > 0 && n < 4:
		a, x, s := f.random(r, depth-1)
		b, y, u := f.random(r, depth-1)
		return archive.Or(a, b), func(p *model.NewPost) bool { return x(p) || y(p) }, "(" + s + " or " + u + ")"
	case depth > 0 && n < 5:
		a, x, s := f.random(r, depth-1)
		return archive.Not(a), func(p *model.NewPost) bool { return !x(p) }, "not " + s
	case n < 7:
		columns := []model.SearchColumns{model.InAll, model.InText, model.InSubject, model.InAuthor, model.InRecipients, model.InFiles}[r.IntN(6)]
		words := strings.Fields(some.Text.Body + " " + some.Text.Subject + " " + some.Text.Author + " " + some.Text.Quoted)
		at := r.IntN(len(words))
		phrase := words[at:min(len(words), at+1+r.IntN(3))]
		prefix := r.IntN(3) == 0
		if prefix {
			last := phrase[len(phrase)-1]
			phrase = append(slices.Clone(phrase[:len(phrase)-1]), last[:len(last)-len(last)/3])
		}
		text := strings.Join(phrase, " ")
		ask, more := archive.QueryWords(text)
		prefix = more || prefix && len(ask[len(ask)-1]) >= 2
		return archive.Phrase(columns, text, prefix), func(p *model.NewPost) bool { return phrased(p, columns, ask, prefix) },
			fmt.Sprintf("%v in %b, prefix %v", ask, columns, prefix)
	case n < 8:
		field := []string{"From", "Subject", "To", "Cc", "Message-ID", "Received", "X-Mailer"}[r.IntN(7)]
		v := message.DecodeWords(message.ParseHeader(some.Bytes).Get(field))
		if len(v) > 3 {
			at := r.IntN(len(v) - 3)
			v = strings.ToValidUTF8(v[at:min(len(v), at+3+r.IntN(6))], "")
		}
		return archive.HeaderHas(field, strings.ToUpper(v)), func(p *model.NewPost) bool { return headerHas(p, field, v) },
			fmt.Sprintf("%s has %q", field, v)
	case n < 9:
		day := some.Post.ReceivedAt.Time()
		limit := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
		if r.IntN(2) == 0 {
			return archive.ReceivedFrom(day), func(p *model.NewPost) bool { return !p.Post.ReceivedAt.Time().Before(limit) }, "received from"
		}
		if r.IntN(3) == 0 {
			return archive.ShownFrom(day), func(p *model.NewPost) bool {
				d, ok := message.ParseHeader(p.Bytes).Date()
				if !ok || model.At(d) != p.Post.SentAt {
					d = p.Post.SentAt.Time()
				}
				return d.Format("2006-01-02") >= limit.Format("2006-01-02")
			}, "shown from " + limit.String()
		}
		return archive.SentBefore(day), func(p *model.NewPost) bool {
			d, ok := message.ParseHeader(p.Bytes).Date()
			if !ok {
				d = p.Post.SentAt.Time()
			}
			return d.Format("2006-01-02") < limit.Format("2006-01-02")
		}, "sent before " + limit.String()
	}
	n := some.Post.Size
	return archive.Larger(n), func(p *model.NewPost) bool { return p.Post.Size > n }, fmt.Sprint("larger than ", n)
}

func headerHas(p *model.NewPost, field, v string) bool {
	for _, have := range message.ParseHeader(p.Bytes).All(field) {
		if v == "" || strings.Contains(archive.Fold(have), archive.Fold(v)) ||
			strings.Contains(archive.Fold(message.DecodeWords(have)), archive.Fold(v)) {
			return true
		}
	}
	return false
}

func TestSearchAcrossScripts(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		f := &fixture{s: s, r: archive.NewReader(s), l: makeList(t, s, "talk")}
		texts := []string{"Der Schlüssel liegt in Zürich.", "図書館の本棚を借りた。", "библиотека: ёлка", "한국어를 배우다",
			"ร้านหนังสือ", "Don't quote 'this' \\ \"that\" (or) NEAR AND OR NOT *", "हिन्दी पुस्तक", "a bc\n> quoted words", "𝓢cript ﬁle"}
		var raws [][]byte
		var when []time.Time
		for i, x := range texts {
			raws = append(raws, mail(fmt.Sprintf("%d@x", i), "Ann <ann@example.org>", "s", x, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"))
			when = append(when, march.Time())
		}
		f.fill(t, raws, when)
		for _, c := range []struct {
			text string
			want int
		}{
			{"schlussel", 1}, {"SCHLÜSSEL", 1}, {"zurich", 1}, {"図書", 2}, {"書館", 2}, {"図書館", 2}, {"館", 2}, {"棚を借りた", 2}, {"本", 2},
			{"елка", 3}, {"Ёлка", 3}, {"국어", 4}, {"한국어", 4}, {"หนังสือ", 5}, {"don't", 6}, {"\"that", 6}, {"near and or not", 6},
			{"'", 0}, {"\\", 0}, {"*", 0}, {"पुस्तक", 7}, {"quoted", 8}, {"script", 9}, {"file", 9}, {"図館", 0},
		} {
			got, err := f.r.Search(context.Background(), f.l.ID, archive.Phrase(model.InText, c.text, false))
			if err != nil || c.want == 0 && len(got) > 0 || c.want > 0 && !slices.Equal(got, []model.UID{model.UID(c.want)}) {
				t.Errorf("%q: %v, want %d (%v)", c.text, got, c.want, err)
			}
		}
		if got, err := f.r.Search(context.Background(), f.l.ID, archive.Phrase(model.InQuoted, "quoted words", false)); err != nil || len(got) != 1 {
			t.Error(got, err)
		}
	})
}

func TestSearchFlagsAndLimits(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	f := &fixture{s: s, r: archive.NewReader(s), l: makeList(t, s, "talk")}
	if got, err := f.r.Search(ctx, f.l.ID, archive.All()); err != nil || len(got) != 0 {
		t.Fatal("an empty list", got, err)
	}
	for i := range 10 {
		save(t, s, f.l, mail(fmt.Sprintf("%d@x", i), "Ann <ann@example.org>", "s", "same words"))
	}
	if err := f.r.SetFlag(ctx, model.Mark{Account: 5, List: f.l.ID, Flag: `\seen`}, []model.UID{2, 3, 99}, true); err != nil {
		t.Fatal(err)
	}
	set, err := f.r.Flags(ctx, 5, f.l.ID)
	if err != nil || set.Count(`\seen`) != 2 || !set.Has(`\seen`, 3) || set.Has(`\seen`, 99) || set.Has(`\flagged`, 2) || len(set.Names()) != 1 {
		t.Fatalf("%+v %v", set, err)
	}
	unseen := archive.Not(archive.Flagged(5, `\seen`))
	for what, c := range map[string]struct {
		q    archive.Query
		want int
	}{
		"unseen": {unseen, 8}, "seen by another": {archive.Flagged(6, `\seen`), 0}, "all": {archive.All(), 10}, "none": {archive.Not(archive.All()), 0},
		"empty or": {archive.Or(), 0}, "empty and": {archive.And(), 10}, "unseen words": {archive.And(unseen, archive.Phrase(model.InAll, "same", false)), 8},
		"where": {archive.Where(func(u model.UID) bool { return u%2 == 0 }), 5}, "no text": {archive.Phrase(model.InAll, "", false), 10},
		"field": {archive.HeaderHas("List-Id", ""), 10}, "no field": {archive.Not(archive.HeaderHas("X-Odd", "")), 10},
		"not not": {archive.Not(archive.Not(archive.Phrase(model.InAll, "words", false))), 10},
	} {
		if got, err := f.r.Search(ctx, f.l.ID, c.q); err != nil || len(got) != c.want {
			t.Errorf("%s: %v %v", what, got, err)
		}
	}
	q := archive.All()
	for range 2000 {
		q = archive.And(q, archive.Larger(1))
	}
	if _, err := f.r.Search(ctx, f.l.ID, q); !fault.Is(err, fault.TooMany) {
		t.Error(err)
	}
	deep := archive.Phrase(model.InAll, "same", false)
	for range 150 {
		deep = archive.Or(archive.And(deep, archive.Phrase(model.InSubject, "s", false)), archive.Phrase(model.InBody, "none", false))
	}
	if _, err := f.r.Search(ctx, f.l.ID, deep); err != nil && !fault.Is(err, fault.TooMany) {
		t.Error(err)
	}
}

func TestWhoMayRead(t *testing.T) {
	s := stores.SQLite(t)
	ctx := context.Background()
	r := archive.NewReader(s)
	closed := makeList(t, s, "closed")
	public := &model.List{Local: "public", Domain: "lists.example.org", ArchiveAccess: model.AccessPublic}
	if err := s.CreateList(ctx, public); err != nil {
		t.Fatal(err)
	}
	for key, role := range map[string]model.Role{"ann@example.org": model.RoleSubscriber, "own@example.org": model.RoleOwner, "left@example.org": model.RoleSubscriber} {
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: closed.ID, Email: key, EmailKey: key, Roles: role}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Unsubscribe(ctx, closed.ID, "left@example.org", "x"); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]struct {
		a    model.Actor
		want int
	}{
		"nobody": {model.Actor{}, 1}, "anonymous": {model.Actor{Anonymous: true, Keys: []string{"ann@example.org"}}, 1},
		"subscriber": {model.Actor{Keys: []string{"x@y", "ann@example.org"}}, 2}, "owner": {model.Actor{Keys: []string{"own@example.org"}}, 2},
		"left": {model.Actor{Keys: []string{"left@example.org"}}, 1}, "site": {model.Actor{Site: true}, 2},
	} {
		lists, err := r.Lists(ctx, c.a)
		if err != nil || len(lists) != c.want {
			t.Errorf("%s: %v %v", who, lists, err)
		}
		for id, may := range map[int64]bool{closed.ID: c.want == 2, public.ID: true, 99: false} {
			if got, err := r.MayRead(ctx, c.a, id); got != may || err != nil {
				t.Errorf("%s, list %d: %v %v", who, id, got, err)
			}
		}
	}
}
