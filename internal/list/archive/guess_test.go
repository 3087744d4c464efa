package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

var realArchives = []string{"linux-man-2000", "usrp-users-1500", "pipermail-twisted-web-4758"}

// withoutReferences takes the fields out that name the parent.
func withoutReferences(raw []byte) []byte {
	h := message.ParseHeader(raw)
	var out []byte
	at := 0
	for _, f := range h.Fields() {
		if strings.EqualFold(f.Name, "References") || strings.EqualFold(f.Name, "In-Reply-To") {
			out = append(out, raw[at:f.Start]...)
			at = f.End
		}
	}
	return append(out, raw[at:]...)
}

// one in n messages, by its bytes.
func chosen(raw []byte, n, fold uint32) bool {
	h := fnv.New32a()
	_, _ = h.Write(raw)
	return h.Sum32()%n == fold
}

// distinct leaves out messages with a Message-ID that an earlier one has: who
// comes first with it is a matter of order.
func distinct(raws [][]byte, received []time.Time) (r [][]byte, d []time.Time) {
	seen := map[string]bool{}
	for i, raw := range raws {
		id := message.ParseHeader(raw).MessageID()
		if id == "" {
			id = string(archive.RawKey(raw))
		}
		if !seen[id] {
			seen[id] = true
			r, d = append(r, raw), append(d, received[i])
		}
	}
	return r, d
}

// full asks for the long form of a test.
func full() bool { return os.Getenv("PLENARY_TEST_FULL") != "" }

// Hidden references are guessed: of a tenth of the messages whose parent is
// known the references are taken away. What is guessed must be right. The long
// form does so with each tenth.
func TestGuessesAreRight(t *testing.T) {
	for _, name := range realArchives {
		t.Run(name, func(t *testing.T) {
			most, folds := 1<<30, uint32(1)
			if testing.Short() {
				most = 600
			} else if full() {
				folds = 10
			}
			raws, received := distinct(real.Messages(t, real.Corpus(t, "archives", name+".mbox.gz"), most))
			l := &model.List{ID: 1}
			whole, hidden := make([]archive.Threadable, len(raws)), make([]archive.Threadable, len(raws))
			there := map[int64]bool{}
			for i, raw := range raws {
				p := archive.Make(l, raw, nil, model.At(received[i]), true)
				p.Post.ID = model.MakePostID(1, model.UID(i+1))
				whole[i] = archive.ThreadableOf(p)
				there[p.Self.Key] = true
				if !full() && !chosen(raw, 10, 0) {
					continue
				}
				q := archive.Make(l, withoutReferences(raw), nil, model.At(received[i]), true)
				q.Post.ID, q.Self = p.Post.ID, p.Self
				hidden[i] = archive.ThreadableOf(q)
			}
			known, guessed, right := 0, 0, 0
			for fold := range folds {
				msgs := slices.Clone(whole)
				truth := map[int64]int64{}
				for i, m := range whole {
					if n := len(m.References); n > 0 && there[m.References[n-1].Key] && m.References[n-1].Key != m.Self.Key && chosen(raws[i], 10, fold) {
						msgs[i], truth[m.Self.Key] = hidden[i], m.References[n-1].Key
					}
				}
				for _, n := range archive.Thread(msgs) {
					parent := truth[n.Key]
					if parent == 0 {
						continue
					}
					known++
					if n.ParentKey != 0 {
						guessed++
					}
					if n.ParentKey == parent {
						right++
					}
					if n.Link == model.LinkQuoted {
						t.Logf("%s quotes an article of a digest", n.MessageID)
					} else if (n.ParentKey != 0) != (n.Link == model.LinkGuessed) {
						t.Errorf("%+v", n)
					}
				}
			}
			precision, recall := float64(right)/float64(guessed), float64(right)/float64(known)
			t.Logf("%d of %d parents found, %d guesses: precision %.1f %%, recall %.1f %%", right, known, guessed, 100*precision, 100*recall)
			if precision < 0.98 && guessed-right > 1 || recall < 0.5 {
				t.Error("worse than it was")
			}
		})
	}
}

// contentShape is shape with the links.
func contentShape(nodes []model.ThreadNode) []string { return append(shape(nodes), links(nodes)...) }

func links(nodes []model.ThreadNode) (out []string) {
	for _, n := range nodes {
		if n.Link != model.LinkReferences {
			out = append(out, n.MessageID+" "+n.Link.String())
		}
	}
	slices.Sort(out)
	return out
}

// arrive stores messages in this order, by import and one by one, and compares
// the graph with a rebuild.
func arrive(t *testing.T, s *store.Store, l *model.List, raws [][]byte, received []time.Time) []model.ThreadNode {
	t.Helper()
	ctx := context.Background()
	var msgs []archive.Threadable
	for from, round := 0, 0; from < len(raws); round++ {
		size := 240
		if round%3 == 1 {
			size = 5
		}
		var batch []*model.NewPost
		for i := from; i < min(from+size, len(raws)); i++ {
			batch = append(batch, archive.Make(l, raws[i], nil, model.At(received[i]), true))
		}
		from += len(batch)
		if size > 5 {
			if n, err := s.ImportPosts(ctx, l.ID, batch, "x", 1); n != len(batch) || err != nil {
				t.Fatal(n, err)
			}
		} else {
			for _, p := range batch {
				if _, dup, err := s.SavePost(ctx, p); dup || err != nil {
					t.Fatal(dup, err)
				}
			}
		}
		for _, p := range batch {
			msgs = append(msgs, archive.ThreadableOf(p))
		}
	}
	nodes := storedNodes(t, s, l.ID)
	if d := gocmp.Diff(archive.Thread(msgs), nodes); d != "" {
		t.Fatalf("rebuilt (-) and stored (+) differ:\n%.3000s", d)
	}
	return nodes
}

// answering says that a message answers another.
func answering(id string, raw []byte) []byte {
	return append([]byte("In-Reply-To: <"+id+">\r\n"), raw...)
}

// elsewhere gives what a message answers that is not here: mostly an id of its own,
// at times one that another answers too, or that comes in time.
func elsewhere(raws [][]byte, i int) string {
	switch id := message.ParseHeader(raws[(i+7)%len(raws)]).MessageID(); {
	case chosen(raws[i], 5, 0):
		return fmt.Sprint("shared", i/9, "@nowhere")
	case chosen(raws[i], 5, 1) && id != "":
		return id
	}
	return fmt.Sprint("gone", i, "@nowhere")
}

// A real archive that arrives in another order makes the same threads, guesses
// included. Of a third of it the references are taken away, another third answers
// what is not here, so that there are many.
func TestRealThreadsShuffled(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		for _, name := range realArchives {
			most, rounds := 700, 2
			switch {
			case full():
				most, rounds = 1<<30, 3
			case testing.Short() || s.Dialect() == store.Postgres:
				most = 250
			}
			raws, received := distinct(real.Messages(t, real.Corpus(t, "archives", name+".mbox.gz"), most))
			for i, raw := range raws {
				switch {
				case chosen(raw, 3, 0):
					raws[i] = withoutReferences(raw)
				case chosen(raw, 3, 1):
					raws[i] = answering(elsewhere(raws, i), withoutReferences(raw))
				}
			}
			raws, received = distinct(raws, received)
			r := rand.New(rand.NewPCG(9, 9))
			var first []string
			for round := range rounds {
				nodes := arrive(t, s, makeList(t, s, fmt.Sprint(name[:4], round)), raws, received)
				switch got := contentShape(nodes); {
				case round == 0:
					missing := 0
					for _, n := range nodes {
						if n.PostID == 0 && n.Link == model.LinkGuessed {
							missing++
						}
					}
					if first = got; len(links(nodes)) < 10 || missing < 3 {
						t.Errorf("%s: only %d guesses, %d of missing messages", name, len(links(nodes)), missing)
					}
				case !slices.Equal(first, got):
					t.Fatalf("%s: another order, other threads:\n%.2000s", name, gocmp.Diff(first, got))
				}
				r.Shuffle(len(raws), func(i, j int) {
					raws[i], raws[j] = raws[j], raws[i]
					received[i], received[j] = received[j], received[i]
				})
			}
		}
	})
}

// said makes a message: the words it quotes stand under an introduction.
func said(id, subject, date, own, quoted string, fields ...string) []byte {
	body := own + "\r\n"
	for line := range strings.SplitSeq(quoted, "\n") {
		if quoted != "" {
			body = "> " + line + "\r\n" + body
		}
	}
	return bytes.Join([][]byte{[]byte("Message-ID: <" + id + ">"), []byte("From: Ann <ann@example.org>"), []byte("Subject: " + subject), []byte("Date: " + date),
		[]byte(strings.Join(append(fields, "\r\n"), "\r\n")), []byte(body)}, []byte("\r\n"))
}

const (
	shelves = "The new shelves in the reading room are two metres high, which is more than the children of the first form can reach without a ladder or somebody tall"
	returns = "Books that come back late are put on the small trolley next to the door, and every Friday somebody from the second form sorts them by colour instead of by author"
	agreed  = "Quite so, and we should have thought of that before the carpenter came, who will not be back in this part of the county until the end of the summer holidays"
)

func TestGuessedParents(t *testing.T) {
	const may1, may2, may3, june, october = "Fri, 1 May 2026 10:00:00 +0000", "Sat, 2 May 2026 10:00:00 +0000", "Sun, 3 May 2026 10:00:00 +0000", "Mon, 1 Jun 2026 10:00:00 +0000", "Thu, 1 Oct 2026 10:00:00 +0000"
	stores.Each(t, func(t *testing.T, s *store.Store) {
		for i, c := range []struct {
			name   string
			msgs   [][]byte
			parent string // of r@x
		}{
			{"subject and words", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Shelves", may1, returns, ""), said("r@x", "Re: Shelves", may2, agreed, shelves)}, "a@x"},
			{"without Re", [][]byte{said("a@x", "[talk] Shelves", may1, shelves, ""), said("r@x", "[talk] Shelves", may2, agreed, shelves)}, "a@x"},
			{"other line breaks", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "AW: Shelves", may2, agreed, shelves[:60]+"\n"+shelves[60:])}, "a@x"},
			{"subject alone", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Shelves", may2, agreed, "")}, ""},
			{"words alone", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Ladders", may2, agreed, shelves)}, ""},
			{"two that may be meant", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Shelves", may2, shelves, ""), said("r@x", "Re: Shelves", may3, agreed, shelves)}, ""},
			{"quoted by another, too", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Re: Shelves", may2, returns, shelves), said("r@x", "Re: Shelves", may3, agreed, shelves)}, "a@x"},
			{"too long ago", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Shelves", october, agreed, shelves)}, ""},
			{"a month ago", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Shelves", june, agreed, shelves)}, "a@x"},
			{"sent later", [][]byte{said("a@x", "Shelves", may3, shelves, ""), said("r@x", "Re: Shelves", may2, agreed, shelves)}, ""},
			{"answers what is not here", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <private@z>")}, "a@x"},
			{"what is not here comes", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("private@z", "Shelves", may1, returns, ""), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <private@z>")}, "private@z"},
			{"another answers it, too", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Re: Shelves", may3, returns, "", "References: <private@z>"), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <private@z>")}, ""},
			{"it answers another", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Re: Ladders", may3, returns, "", "References: <c@x> <private@z> <d@x>"), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <private@z>")}, "c@x"},
			{"an answer names both", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Re: Shelves", may3, returns, "", "References: <private@z> <r@x>"), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <private@z>")}, "a@x"},
			{"not its words", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("r@x", "Re: Shelves", may2, agreed, returns, "In-Reply-To: <private@z>")}, ""},
			{"references count more", [][]byte{said("a@x", "Shelves", may1, shelves, ""), said("b@x", "Shelves", may1, returns, ""), said("r@x", "Re: Shelves", may2, agreed, shelves, "In-Reply-To: <b@x>")}, "b@x"},
		} {
			for order := range 2 {
				msgs := slices.Clone(c.msgs)
				if order == 1 {
					slices.Reverse(msgs)
				}
				l := makeList(t, s, fmt.Sprintf("l%d-%d", i, order))
				when := make([]time.Time, len(msgs))
				for i := range when {
					when[i] = time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC)
				}
				nodes := arrive(t, s, l, msgs, when)
				got := map[int64]model.ThreadNode{}
				for _, n := range nodes {
					got[n.Key] = n
				}
				for _, n := range nodes {
					up := got[n.ParentKey]
					if up.MessageID == "private@z" && up.PostID == 0 {
						up = got[up.ParentKey]
					}
					if n.MessageID == "r@x" && up.MessageID != c.parent {
						t.Errorf("%s, order %d: below %q, want %q", c.name, order, up.MessageID, c.parent)
					}
				}
				if found := check(t, s, l); len(found) > 0 {
					t.Errorf("%s, order %d: %v", c.name, order, found)
				}
			}
		}
	})
}

// No more than a number of posts are looked back at, in whatever order they came.
func TestGuessLooksNoFurther(t *testing.T) {
	s := stores.SQLite(t)
	for _, between := range []int{model.GuessNumber - 1, model.GuessNumber} {
		for _, reverse := range []bool{false, true} {
			at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
			date := func() string { at = at.Add(time.Minute); return at.Format(time.RFC1123Z) }
			msgs := [][]byte{said("a@x", "Shelves", date(), shelves, "")}
			for i := range between {
				msgs = append(msgs, said(fmt.Sprint(i, "@x"), "Shelves", date(), fmt.Sprint(returns, agreed, i), ""))
			}
			msgs = append(msgs, said("r@x", "Re: Shelves", date(), agreed, shelves))
			if reverse {
				slices.Reverse(msgs)
			}
			nodes := arrive(t, s, makeList(t, s, fmt.Sprint("l", between, reverse)), msgs, slices.Repeat([]time.Time{at}, len(msgs)))
			for _, n := range nodes {
				if n.MessageID == "r@x" && (n.Link == model.LinkGuessed) != (between < model.GuessNumber) {
					t.Errorf("%d between, reverse %v: %+v", between, reverse, n)
				}
			}
		}
	}
}

const digestText = `Send Talk mailing list submissions to
	talk@lists.example.org

Today's Topics:

   1. Shelves (Ann)
   2. Re: Late books (Bob)

----------------------------------------------------------------------

Message: 1
Date: Fri, 1 May 2026 10:00:00 +0000
From: Ann <ann@example.org>
Subject: [Talk] Shelves
To: talk@lists.example.org
Message-ID:
	<a@x>
Content-Type: text/plain; charset="us-ascii"

` + shelves

// Answers to a digest go below the article they quote.
func TestAnswersToDigests(t *testing.T) {
	withoutID := strings.Replace(digestText, "Message-ID:\n\t<a@x>\n", "", 1)
	listserv := "Date:    Fri, 1 May 2026 10:00:00 +0000\nFrom:    Ann <ann@EXAMPLE.ORG>\nSubject: Shelves\n\n" + shelves
	both := digestText + "\n\nMessage: 2\nFrom: Bob\nSubject: Late books\nMessage-ID: <b@x>\n\n" + returns
	const digestID = "In-Reply-To: <mailman.7.1241280002.7196.talk@lists.example.org>"
	for name, c := range map[string]struct {
		subject, field, quoted, parent string
		link                           model.Link
	}{
		"by its id":          {"Re: Talk Digest, Vol 12, Issue 3", "In-Reply-To: <d@x>", digestText, "a@x", model.LinkQuoted},
		"no field at all":    {"Re: [Talk] Talk Digest, Vol 12, Issue 3", "X-A: b", digestText, "a@x", model.LinkQuoted},
		"a better subject":   {"Re: Shelves, was Talk Digest", digestID, digestText, "a@x", model.LinkQuoted},
		"mangled id":         {"Re: Talk Digest, Vol 12, Issue 3", digestID, strings.Replace(digestText, "<a@x>", "<a at x>", 1), "a@x", model.LinkQuoted},
		"by its words":       {"Re: Talk Digest, Vol 12, Issue 3", "In-Reply-To: <d@x>", withoutID, "a@x", model.LinkGuessed},
		"LISTSERV":           {"Re: TALK Digest - 30 Apr 2026 to 1 May 2026 (#2026-61)", "In-Reply-To: <d@x>", listserv, "a@x", model.LinkGuessed},
		"two articles":       {"Re: Talk Digest, Vol 12, Issue 3", "In-Reply-To: <d@x>", both, "", 0},
		"nothing quoted":     {"Re: Talk Digest, Vol 12, Issue 3", "In-Reply-To: <d@x>", "", "", 0},
		"an answer to one":   {"Re: Talk Digest, Vol 12, Issue 3", "References: <d@x> <b@x>", digestText, "b@x", 0},
		"not about a digest": {"Re: Shelves", "In-Reply-To: <b@x>", digestText, "b@x", 0},
	} {
		s := stores.SQLite(t)
		msgs := [][]byte{said("a@x", "[Talk] Shelves", "Fri, 1 May 2026 10:00:00 +0000", shelves, ""), said("b@x", "Re: Late books", "Fri, 1 May 2026 11:00:00 +0000", returns, ""),
			said("r@x", c.subject, "Sat, 2 May 2026 10:00:00 +0000", agreed, "", c.field)}
		if c.quoted != "" {
			msgs[2] = append(msgs[2], "\r\n> "+strings.ReplaceAll(c.quoted, "\n", "\r\n> ")+"\r\n"...)
		}
		nodes := arrive(t, s, makeList(t, s, "talk"), msgs, slices.Repeat([]time.Time{time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)}, 3))
		for _, n := range nodes {
			if n.MessageID != "r@x" {
				continue
			}
			want := archive.ThreadKey(c.parent)
			if c.parent == "" {
				want = 0
			}
			if n.ParentKey != want || n.Link != c.link {
				t.Errorf("%s: %+v", name, n)
			}
		}
	}
}
