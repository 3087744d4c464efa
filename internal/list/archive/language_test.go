package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

// writer makes queries as people write them, of what stands in real posts.
type writer struct {
	r     *rand.Rand
	posts []*model.NewPost
}

func (w *writer) pick(from ...string) string { return from[w.r.IntN(len(from))] }

func (w *writer) post() *model.NewPost { return w.posts[w.r.IntN(len(w.posts))] }

// words takes n words one after another out of some post.
func (w *writer) words(n int) string {
	for range 50 {
		x := w.post().Text
		have := strings.Fields(w.pick(x.Subject, x.Author, x.Body, x.Body, x.Quoted, x.Recipients))
		if len(have) >= n {
			at := w.r.IntN(len(have) - n + 1)
			return strings.ReplaceAll(strings.Join(have[at:at+n], " "), archive.Filler, "x")
		}
	}
	return "the"
}

func (w *writer) term() string {
	not := w.pick("", "", "", "-", "NOT ")
	switch w.r.IntN(13) {
	case 0, 1, 2:
		return not + w.words(1)
	case 3:
		return not + `"` + w.words(2+w.r.IntN(2)) + `"` + w.pick("", "", "*")
	case 4:
		word := w.words(1)
		return not + string([]rune(word)[:max(2, len([]rune(word))*2/3)%(len([]rune(word))+1)]) + "*"
	case 5, 6:
		return not + w.pick("s:", "f:", "t:", "c:", "a:", "b:", "nq:", "q:", "n:", "tc:", "subject:", "from:") + w.words(1)
	case 7:
		return not + w.pick("s:", "b:", "q:", "nq:") + `"` + w.words(2) + `"`
	case 8:
		day := w.post().Post.SentAt.Time()
		return not + "d:" + w.pick(day.Format("20060102"), day.Format("2006-01-02")+"..", ".."+day.Format("2006-01"), day.Format("2006"),
			day.AddDate(0, -1, 0).Format("20060102")+".."+day.Format("20060102"), "2.weeks.ago..", "10.years.ago..yesterday")
	case 9:
		return not + "m:" + w.post().Self.MessageID
	case 10:
		return not + w.pick("has:attachment", "is:unread", "is:read", "is:flagged", "list:talk", "list:other", "l:talk@lists.example.org")
	case 11:
		return not + "thread:" + w.pick("<"+w.post().Self.MessageID+">", fmt.Sprint(w.post().Post.ID.UID()))
	}
	return w.pick(`"`, "(", ")", "OR", "a*", "has:x", "d:soon", "s:", "NOT", "日本*", "x:y", "''", "Zürich") // also what is wrong
}

func (w *writer) query(depth int) string {
	parts := []string{w.term()}
	for range w.r.IntN(3) {
		if depth > 0 && w.r.IntN(4) == 0 {
			parts = append(parts, w.pick("", "-")+"("+w.query(depth-1)+")")
			continue
		}
		if w.r.IntN(3) == 0 {
			parts = append(parts, "OR")
		}
		parts = append(parts, w.term())
	}
	return strings.Join(parts, " ")
}

// TestBothDatabasesAnswerAlike asks SQLite and PostgreSQL the same of the same
// real posts, in several hundred queries of all kinds: hits, their order, their
// number, their snippets and what is said to a bad query.
func TestBothDatabasesAnswerAlike(t *testing.T) {
	most, random := 250, 300
	switch {
	case full():
		most, random = 1<<30, 3000
	case testing.Short():
		most, random = 120, 100
	}
	var raws [][]byte
	var received []time.Time
	for _, name := range realArchives {
		r, d := real.Messages(t, real.Corpus(t, "archives", name+".mbox.gz"), most)
		raws, received = append(raws, r...), append(received, d...)
	}
	var readers []*archive.Reader
	w := &writer{r: rand.New(rand.NewPCG(4, 2))}
	who := model.Actor{Site: true, AccountID: 5}
	for _, s := range []*store.Store{stores.SQLite(t), stores.Postgres(t)} {
		if full() {
			s.EraPosts = 1000 // PostgreSQL plans for each era it asks
		}
		f := &fixture{s: s, r: archive.NewReader(s), l: makeList(t, s, "talk")}
		f.r.Now = func() time.Time { return now }
		f.fill(t, raws, received)
		for flag, n := range map[string]model.UID{`\seen`: 2, `\flagged`: 7} {
			var uids []model.UID
			for u := n; int(u) <= len(raws); u += n {
				uids = append(uids, u)
			}
			if err := f.r.SetFlag(context.Background(), model.Mark{Account: 5, List: f.l.ID, Flag: flag}, uids, true); err != nil {
				t.Fatal(err)
			}
		}
		readers, w.posts = append(readers, f.r), f.posts
	}
	queries := []string{
		"patch", "usrp", "s:patch", "f:john", "\"the man page\"", "gnur*", "sample -rate", "error OR warning", "nq:thanks", "q:thanks",
		"b:clock", "t:usrp", "c:linux", "a:gmail", "n:png", "has:attachment", "d:2020..", "d:..2021-06 x310", "(b210 OR n310) clock*",
		"list:talk rate", "list:other rate", "s:re: x", "thread:17", "don't", "naïve", "日本", "x*  y", "\"clock source\" OR \"sample rate\"",
		"-(the OR a)", "uhd_find_devices", "error -error", "0x1f", "m:none@example.org", "(((usrp)))", "is:unread", "-is:read has:attachment",
	}
	for range random {
		queries = append(queries, w.query(2))
	}
	found, bad := 0, 0
	for i, text := range queries {
		ask := archive.Ask{Text: text, Limit: 200, Ranked: i%2 == 0}
		a, err := readers[0].Ask(context.Background(), who, ask)
		b, other := readers[1].Ask(context.Background(), who, ask)
		if fmt.Sprint(err) != fmt.Sprint(other) {
			t.Errorf("%s: %v and %v", text, err, other)
		}
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("%s: %.1000s", text, d)
		}
		if a.Total > 0 {
			found++
		}
		if err != nil {
			if bad++; !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	t.Logf("%d queries over %d posts, %d found something, %d were explained", len(queries), len(raws), found, bad)
	if found < len(queries)/3 || bad == 0 {
		t.Error("the queries say too little")
	}
}

// Each prefix finds what it names, and nothing else, on both.
func TestEachPrefix(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := makeList(t, s, "talk")
		html := "<p>Larch.</p><blockquote type=cite>Maple &amp; elm.</blockquote>"
		outlook := "Willow.\n\nFrom: Ann <ann@example.org>\nSent: Monday\nTo: talk\nSubject: Trees\n\nPoplar.\n"
		flowed := "A long line about syca \nmores, and \na second one.\n> quoted aspen \n> grove"
		const alternative = "--b\nContent-Type: text/plain\n\nhazel\n--b\nContent-Type: text/plain; name=notes.txt\nContent-Disposition: attachment; filename=notes.txt\n\n" +
			"juniper\n--b\nContent-Type: text/calendar; name=day.ics\nContent-Disposition: attachment\n\nSUMMARY:Spruce day\n--b\nContent-Type: application/pdf; name=\"Árbol plan.pdf\"\n" +
			"Content-Disposition: attachment\n\nalder\n--b--"
		for i, raw := range [][]byte{
			mail("1@x", "Ann Oak <ann@example.org>", "Beech", "Birch.\n> Cedar.", "To: Fir <fir@example.com>", "Cc: Yew <yew@example.com>"),
			mail("2@x", "Bo <bo@example.org>", "Trees", html, "Content-Type: text/html"),
			mail("3@x", "Bo <bo@example.org>", "Trees", outlook),
			mail("4@x", "Bo <bo@example.org>", "Trees", flowed, "Content-Type: text/plain; format=flowed; delsp=yes"),
			mail("5@x", "Bo <bo@example.org>", "Trees", alternative, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b"),
			mail("6@x", "Bo <bo@example.org>", "=?utf-8?q?B=C3=A4ume?=", "図書館の木。 Ёлка naïve", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"),
		} {
			if uid := save(t, s, l, raw); uid != model.UID(i+1) {
				t.Fatal(uid)
			}
		}
		r := archive.NewReader(s)
		r.Now = func() time.Time { return now }
		if err := r.SetFlag(context.Background(), model.Mark{Account: 5, List: l.ID, Flag: `\seen`}, []model.UID{1, 2, 3}, true); err != nil {
			t.Fatal(err)
		}
		for q, want := range map[string]string{
			"s:beech": "1", "s:birch": "", "f:oak": "1", "f:fir": "", "t:fir": "1", "t:yew": "", "c:yew": "1", "c:fir": "", "a:oak": "1", "a:fir": "1", "a:yew": "1", "a:birch": "",
			"tc:yew": "1", "b:birch": "1", "b:cedar": "1", "b:beech": "", "nq:birch": "1", "nq:cedar": "", "q:cedar": "1", "q:birch": "",
			"nq:larch": "2", "q:maple": "2", "nq:maple": "", `q:"maple elm"`: "2", "b:blockquote": "", // HTML as read
			"nq:willow": "3", "q:poplar": "3", "nq:poplar": "", // Outlook
			"nq:sycamores": "4", "syca": "", `"and a second"`: "", `"anda second"`: "4", "q:aspengrove": "4", // RFC 3676 with DelSp: the space goes
			"nq:hazel": "5", "b:juniper": "5", "b:spruce": "5", "alder": "", "n:notes": "5", "n:plan": "5", "n:arbol": "5", "n:hazel": "", "has:attachment": "5",
			"s:baume": "6", "s:Bäume": "6", "図書": "6", "書館": "6", "館": "6", "елка": "6", "naive": "6", "図館": "",
			"m:1@x": "1", "m:<1@X>": "", "mid:2@x": "2", "list:talk has:attachment": "5", "-l:talk": "", "is:unread": "6 5 4", "is:read": "3 2 1", "is:unread has:attachment": "5",
			"thread:1@x": "1", "thread:3": "3", "d:2026-03-02 s:beech": "1", "d:20260302..20260303 s:beech": "1", "d:20260303..": "", "d:..20260301": "", "d:march s:beech": "1", "d:3.weeks.ago.. s:beech": "1",
			"bir*": "1", `"birch"`: "1", "-is:read -has:attachment": "6 4", "birch OR larch": "2 1", "(birch OR larch) -q:maple": "1",
		} {
			got, err := r.Ask(context.Background(), model.Actor{Site: true, AccountID: 5}, archive.Ask{Text: q, List: l.ID, Limit: 10})
			var uids []string
			for _, h := range got.Hits {
				uids = append(uids, fmt.Sprint(h.UID))
			}
			if err != nil || strings.Join(uids, " ") != want || got.Total != len(uids) {
				t.Errorf("%s: %v, want %s (%v)", q, uids, want, err)
			}
		}
	})
}

// Whatever somebody sends as a query, it is answered soon or explained.
func TestMonstrousQueries(t *testing.T) {
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	var raws [][]byte
	for i := range 300 {
		raws = append(raws, mail(fmt.Sprint(i, "@x"), "Ann <ann@example.org>", "Aa ab ac", strings.Repeat(fmt.Sprintf("aa%d ab%d ", i, i%7), 200)))
	}
	f := &fixture{s: s, r: archive.NewReader(s), l: l}
	f.fill(t, raws, make([]time.Time, len(raws)))
	for what, text := range map[string]string{
		"terms": strings.Repeat("aa ", 10_000), "ors": strings.Repeat("aa OR ", 10_000) + "aa", "brackets": strings.Repeat("(", 10_000) + "aa" + strings.Repeat(")", 10_000),
		"nots": strings.Repeat("-(", 19) + "aa" + strings.Repeat(")", 19), "a megabyte": strings.Repeat("a", 1<<20), "a phrase": `"` + strings.Repeat("aa ", 600) + `"`, "a beginning": "a*",
		"two letters": "aa*", "many beginnings": strings.Repeat("aa* ", 45), "NUL": "a\x00b aa", "quotes": strings.Repeat(`"`, 1900), "minus": strings.Repeat("-", 1900), "colons": strings.Repeat("s:", 900),
		"CJK": strings.Repeat("図書", 300), "headers": strings.Repeat("t:a ", 45), "thread": strings.Repeat("thread:1 ", 45), "dates": strings.Repeat("d:2026.. ", 45),
		"megabyte of terms": strings.Repeat("aa OR (ab -s:ac) ", 1<<16), "megabyte not text": strings.Repeat("\xff ", 1<<19),
	} {
		allocs := testing.AllocsPerRun(1, func() {
			_, err := f.r.Ask(context.Background(), site, archive.Ask{Text: text, List: l.ID, Limit: 20, Ranked: true})
			if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooMany) {
				t.Errorf("%s: %v", what, err)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("%s: the explanation repeats it: %d octets", what, len(err.Error()))
			}
		})
		if allocs > 2_000_000 {
			t.Errorf("%s: %.0f allocations", what, allocs)
		}
	}
}
