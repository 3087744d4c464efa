package archive_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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

func ref(id string) model.Reference {
	return model.Reference{Key: archive.ThreadKey(id), MessageID: id}
}

// arrange threads messages from nothing; post n is message n-1.
func arrange(raws [][]byte, received []time.Time) []archive.Branch {
	l := &model.List{ID: 1}
	var posts []archive.Threadable
	sent := map[model.PostID]model.Instant{}
	for i, raw := range raws {
		p := archive.Make(l, raw, nil, model.At(received[i]), true)
		id := model.MakePostID(1, model.UID(i+1))
		if p.Self.MessageID == "" {
			p.Self.Key += int64(i) // equal bytes, but two messages
		}
		p.Post.ID, p.Hint = id, model.ThreadHint{} // by references alone, as who wrote these boxes down did
		posts = append(posts, archive.ThreadableOf(p))
		sent[id] = p.Post.SentAt
	}
	return archive.Arrange(archive.Thread(posts), func(id model.PostID) model.Instant { return sent[id] })
}

// imapForm writes a forest as THREAD does (RFC 5256 section 4).
func imapForm(bs []archive.Branch) string {
	var write func(bs []archive.Branch) string
	write = func(bs []archive.Branch) string { // siblings and what is below them; a test may recurse
		var parts []string
		for len(bs) > 0 {
			n := 1
			for n < len(bs) && bs[n].Depth > bs[0].Depth {
				n++
			}
			self, below := "", write(bs[1:n])
			if bs[0].Post != 0 {
				self = strconv.Itoa(int(bs[0].Post.UID()))
			}
			kids := 0
			for _, b := range bs[1:n] {
				if b.Depth == bs[0].Depth+1 {
					kids++
				}
			}
			if kids == 1 {
				below = below[1 : len(below)-1]
			}
			parts = append(parts, "("+strings.TrimSpace(self+" "+below)+")")
			bs = bs[n:]
		}
		return strings.Join(parts, "")
	}
	return write(bs)
}

// The scripts of imaptest, as far as they are about threads by references.
func TestImaptestThreads(t *testing.T) {
	for _, name := range []string{"thread", "thread2", "thread5", "thread6", "thread7", "thread8"} {
		t.Run(name, func(t *testing.T) {
			script, err := os.ReadFile(real.Corpus(t, "threading", "imaptest", name))
			if err != nil {
				t.Fatal(err)
			}
			raws, received := real.Messages(t, real.Corpus(t, "threading", "imaptest", name+".mbox"), 0)
			var have []int
			next, doomed, asked := 0, []int{}, 0
			for line := range strings.Lines(string(script)) {
				f := strings.Fields(strings.ToLower(line))
				switch {
				case len(f) == 0:
				case f[0] == "messages:":
					for ; next < len(raws); next++ {
						have = append(have, next)
					}
				case f[0] == "ok" && f[1] == "append":
					have = append(have, next)
					next++
				case f[0] == "ok" && f[1] == "store":
					for n := range strings.SplitSeq(f[2], ",") {
						i, _ := strconv.Atoi(n)
						doomed = append(doomed, have[i-1])
					}
				case f[0] == "ok" && f[1] == "expunge":
					have = slices.DeleteFunc(have, func(i int) bool { return slices.Contains(doomed, i) })
				case f[0] == "*" && f[1] == "thread":
					asked++
					var r [][]byte
					var d []time.Time
					for _, i := range have {
						r, d = append(r, raws[i]), append(d, received[i])
					}
					if got, want := imapForm(arrange(r, d)), strings.Join(f[2:], " "); got != want {
						t.Errorf("%v: %s, want %s", have, got, want)
					}
				}
			}
			if asked == 0 {
				t.Error("nothing was asked")
			}
		})
	}
	t.Log("not run: thread3, thread4 and thread-orderedsubject, which group by bare subject")
}

// The boxes of Mail::Thread with their trees.
func TestMailThreadBoxes(t *testing.T) {
	for _, name := range []string{"testbox", "testbox-2", "testbox-3", "testbox-4", "testbox-5", "testbox-6", "testbox-7", "testbox-8", "testbox-9"} {
		t.Run(name, func(t *testing.T) {
			raws, received := real.Messages(t, real.Corpus(t, "threading", "mail-thread", name), 0)
			got := drawn(raws, arrange(raws, received))
			want, err := os.ReadFile(real.Corpus(t, "threading", "mail-thread", name+".expected.tsv"))
			if err != nil {
				t.Fatal(err)
			}
			tree := prune(expected(want)) // one box shows all ghosts
			switch d := gocmp.Diff(tree, got); {
			case len(tree) == 0: // must only end
			case name == "testbox-9":
				t.Skip("not compared: it groups by bare subject")
			case d != "":
				t.Error(d)
			}
		})
	}
}

func drawn(raws [][]byte, bs []archive.Branch) []string {
	var out []string
	for _, b := range bs {
		id := "-"
		if b.Post != 0 {
			id = message.ParseHeader(raws[b.Post.UID()-1]).MessageID()
		}
		out = append(out, strconv.Itoa(b.Depth)+" "+id)
	}
	return out
}

// prune takes out ghosts as RFC 5256 does.
func prune(lines []string) []string {
	depth := func(i int) int { n, _ := strconv.Atoi(strings.Fields(lines[i])[0]); return n }
	for i := 0; i < len(lines); {
		end, kids := i+1, 0
		for end < len(lines) && depth(end) > depth(i) {
			if depth(end) == depth(i)+1 {
				kids++
			}
			end++
		}
		if !strings.HasSuffix(lines[i], " -") || depth(i) == 0 && kids > 1 {
			i++
			continue
		}
		for k := i + 1; k < end; k++ {
			lines[k] = strconv.Itoa(depth(k)-1) + " " + strings.Fields(lines[k])[1]
		}
		lines = slices.Delete(lines, i, i+1)
		i = 0
	}
	return lines
}

func expected(tsv []byte) []string {
	var out []string
	sc := bufio.NewScanner(bytes.NewReader(tsv))
	for sc.Scan() {
		f := strings.Split(sc.Text(), "\t")
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if strings.HasPrefix(f[2], "[ Message not") {
			f[1] = "-"
		}
		out = append(out, f[0]+" "+f[1])
	}
	return out
}

// randomMessages makes a set with ghosts, loops, disagreeing references and
// messages that answer themselves.
func randomMessages(r *rand.Rand, n int) []archive.Threadable {
	id := func() string { return fmt.Sprintf("m%d@x", r.IntN(n+n/3+1)) }
	var all []archive.Threadable
	for i := range n {
		m := archive.Threadable{Self: ref(fmt.Sprintf("m%d@x", i))}
		if r.IntN(5) > 0 {
			for range 1 + r.IntN(4) {
				m.References = append(m.References, ref(id()))
			}
		}
		all = append(all, m)
	}
	return all
}

// shape is the graph without post ids: per Message-ID the parent, and the
// thread named by the least Message-ID in it.
func shape(nodes []model.ThreadNode) []string {
	name := map[int64]string{0: "-"}
	least := map[model.PostID]string{}
	for _, n := range nodes {
		name[n.Key] = n.MessageID
		if n.PostID != 0 && (least[n.ThreadID] == "" || n.MessageID < least[n.ThreadID]) {
			least[n.ThreadID] = n.MessageID
		}
	}
	var out []string
	for _, n := range nodes {
		out = append(out, fmt.Sprintf("%s below %s in %s, ghost %v", n.MessageID, name[n.ParentKey], least[n.ThreadID], n.PostID == 0))
	}
	slices.Sort(out)
	return out
}

func storedNodes(t *testing.T, s *store.Store, list int64) []model.ThreadNode {
	t.Helper()
	var nodes []model.ThreadNode
	if err := s.ThreadNodes(context.Background(), list, func(n *model.ThreadNode) error {
		nodes = append(nodes, *n)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return nodes
}

// checkStored compares what the store made of messages that came in this order,
// in batches of random size, with a rebuild.
func checkStored(t *testing.T, s *store.Store, l *model.List, msgs []archive.Threadable, r *rand.Rand) []model.ThreadNode {
	t.Helper()
	ctx := context.Background()
	for left := msgs; len(left) > 0; {
		n := min(len(left), 1+r.IntN(6))
		var batch []*model.NewPost
		for i, m := range left[:n] {
			raw := []byte("Message-ID: <" + m.Self.MessageID + ">\r\n\r\n" + fmt.Sprint(len(left)-i))
			batch = append(batch, &model.NewPost{ListID: l.ID, Bytes: raw, Post: model.Post{Size: int64(len(raw))},
				Self: m.Self, References: m.References, RawKey: archive.RawKey(raw)})
		}
		if n == 1 {
			if _, _, err := s.SavePost(ctx, batch[0]); err != nil {
				t.Fatal(err)
			}
		} else if _, err := s.ImportPosts(ctx, l.ID, batch, "x", 1); err != nil {
			t.Fatal(err)
		}
		left = left[n:]
	}
	for i := range msgs {
		msgs[i].Post = model.MakePostID(l.ID, model.UID(i+1))
	}
	want, got := archive.Thread(msgs), storedNodes(t, s, l.ID)
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("rebuilt (-) and stored (+) differ:\n%s", d)
	}
	thread := map[model.PostID]model.PostID{}
	for _, n := range want {
		thread[n.PostID] = n.ThreadID
	}
	if err := s.PostPlaces(ctx, l.ID, 1, 1<<32-1, func(p *model.Post) error {
		if p.ThreadID != thread[p.ID] {
			t.Errorf("post %d is in thread %d, want %d", p.ID, p.ThreadID, thread[p.ID])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// In whatever order messages arrive, the forest is the same, and the same as
// rebuilt from nothing.
func TestThreadsDoNotDependOnOrder(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		rounds := 25
		if s.Dialect() == store.Postgres {
			rounds = 8
		}
		for seed := range uint64(rounds) {
			r := rand.New(rand.NewPCG(seed, 7))
			msgs := randomMessages(r, 4+r.IntN(20))
			sent := func(ids map[model.PostID]string) func(model.PostID) model.Instant {
				return func(id model.PostID) model.Instant {
					return model.Instant(len(ids[id]))*1000 + model.Instant(ids[id][1])
				}
			}
			var first, drawnFirst []string
			for order := range 4 {
				l := makeList(t, s, fmt.Sprintf("l%d-%d", seed, order))
				nodes := checkStored(t, s, l, slices.Clone(msgs), r)
				ids := map[model.PostID]string{}
				for _, n := range nodes {
					ids[n.PostID] = n.MessageID
				}
				var forest []string
				for _, b := range archive.Arrange(nodes, sent(ids)) {
					forest = append(forest, fmt.Sprint(b.Depth, " ", b.Key))
				}
				slices.Sort(forest)
				if order == 0 {
					first, drawnFirst = shape(nodes), forest
				} else if d := gocmp.Diff(first, shape(nodes)) + gocmp.Diff(drawnFirst, forest); d != "" {
					t.Fatalf("seed %d, order %d:\n%s", seed, order, d)
				}
				r.Shuffle(len(msgs), func(i, j int) { msgs[i], msgs[j] = msgs[j], msgs[i] })
			}
		}
	})
}

func TestTwinsAndLateParents(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		r := rand.New(rand.NewPCG(1, 1))
		a, b, c := ref("a@x"), ref("b@x"), ref("c@x")
		for i, msgs := range [][]archive.Threadable{
			{{Self: a}, {Self: a, References: []model.Reference{b}}, {Self: c, References: []model.Reference{a}}},                                   // an id used twice
			{{Self: c, References: []model.Reference{a, b}}, {Self: b, References: []model.Reference{a}}, {Self: a}},                                // parents come last
			{{Self: c, References: []model.Reference{a, b}}, {Self: b}, {Self: a}},                                                                  // b says it answers nobody
			{{Self: a, References: []model.Reference{a}}, {Self: b, References: []model.Reference{c}}, {Self: c, References: []model.Reference{b}}}, // loops
			{{Self: a}, {Self: b}, {Self: c, References: []model.Reference{ref("g@x")}}, {Self: ref("g@x"), References: []model.Reference{b}}},
		} {
			checkStored(t, s, makeList(t, s, fmt.Sprint("l", i)), msgs, r)
		}
	})
}

// A reference loop and a very deep thread end.
func TestArrangeEnds(t *testing.T) {
	var msgs []archive.Threadable
	for i := range 50_000 {
		m := archive.Threadable{Post: model.MakePostID(1, model.UID(i+1)), Self: ref(fmt.Sprint(i))}
		m.References = []model.Reference{ref(fmt.Sprint((i + 49_999) % 50_000))}
		msgs = append(msgs, m)
	}
	bs := archive.Arrange(archive.Thread(msgs), func(id model.PostID) model.Instant { return model.Instant(id) })
	deepest := slices.MaxFunc(bs, func(a, b archive.Branch) int { return cmp.Compare(a.Depth, b.Depth) })
	if len(bs) != 50_000 || deepest.Depth != 49_999 || bs[0].Post.UID() != 50_000 {
		t.Error(len(bs), deepest, bs[0])
	}
}
