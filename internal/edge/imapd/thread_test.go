package imapd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

// TestMailThreadBoxByIMAP is the box of the corpus whose tree needs grouping by
// subject.
func TestMailThreadBoxByIMAP(t *testing.T) {
	box, err := os.ReadFile(real.Corpus(t, "threading", "mail-thread", "testbox-9"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(real.Corpus(t, "threading", "mail-thread", "testbox-9.expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	l := m.add(model.List{Local: "talk", Domain: "example.org"}, "alice@example.org")
	ids := map[string]string{}
	for i, msg := range mboxMessages(box) {
		m.postAt(l.ID, msg.raw, noon)
		ids[strconv.Itoa(i+1)] = message.ParseHeader([]byte(msg.raw)).MessageID()
	}
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	got := c.want("THREAD REFERENCES UTF-8 ALL", "OK")[0]
	var tree []string
	for line := range strings.Lines(string(want)) {
		if f := strings.Split(line, "\t"); !strings.HasPrefix(line, "#") && len(f) > 1 {
			tree = append(tree, f[0]+" "+f[1])
		}
	}
	var have []string
	for _, n := range outline(strings.TrimPrefix(got, "* THREAD ")) {
		depth, number, _ := strings.Cut(n, " ")
		have = append(have, depth+" "+ids[number])
	}
	if !slices.Equal(have, tree) {
		t.Errorf("%s\n got %q\nwant %q", got, have, tree)
	}
}

// outline draws a thread list: depth and number of each message.
func outline(s string) (lines []string) {
	depth := 0
	var opened []int
	for s != "" {
		switch s[0] {
		case '(':
			opened = append(opened, depth)
			s = s[1:]
		case ')':
			depth = opened[len(opened)-1]
			opened = opened[:len(opened)-1]
			s = s[1:]
		case ' ':
			s = s[1:]
		default:
			n := strings.IndexAny(s, " ()")
			lines = append(lines, fmt.Sprintf("%d %s", depth, s[:n]))
			depth++
			s = s[n:]
		}
	}
	return lines
}

// randomBranches draws a forest of n posts; some roots are ghosts.
func randomBranches(r *rand.Rand, n int) (bs []archive.Branch, rows []archive.Row) {
	depth := -1
	for uid := 1; uid <= n; uid++ {
		depth = r.IntN(depth + 2)
		if depth == 0 && r.IntN(4) == 0 {
			bs = append(bs, archive.Branch{})
			depth++
		}
		bs = append(bs, archive.Branch{Post: model.MakePostID(1, model.UID(uid)), Depth: depth})
		rows = append(rows, archive.Row{UID: model.UID(uid), SentAt: model.Instant(r.IntN(n))})
	}
	return bs, rows
}

// TestForestOfSome checks what stays of the threads when only some posts are
// wanted: each is there once, below the next of its ancestors that is wanted,
// and siblings are in the order they were sent.
func TestForestOfSome(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		bs, rows := randomBranches(r, 1+r.IntN(30))
		at := make([]int32, len(bs))
		want := map[model.UID]model.UID{} // child -> wanted ancestor; 0: none
		var path []archive.Branch
		wanted := map[model.UID]bool{0: false}
		for i, b := range bs {
			at[i] = -1
			path = append(path[:b.Depth], b)
			if b.Post != 0 && r.IntN(3) > 0 {
				at[i] = int32(b.Post.UID() - 1)
				wanted[b.Post.UID()] = true
				parent := model.UID(0)
				for _, p := range path[:b.Depth] {
					if wanted[p.Post.UID()] {
						parent = p.Post.UID()
					}
				}
				want[b.Post.UID()] = parent
			}
		}
		f := plant(bs, at, rows)
		got := map[model.UID]model.UID{}
		stack := slices.Clone(f.roots)
		for _, n := range f.roots {
			if f.uid[n] != 0 {
				got[f.uid[n]] = 0
			}
		}
		if !slices.IsSortedFunc(f.roots, f.earlier) {
			t.Fatalf("seed %d: the roots are not in order", seed)
		}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			kids := f.kids(nil, n)
			if !slices.IsSortedFunc(kids, f.earlier) && f.row[n] >= 0 && !original(bs, at, n) {
				t.Fatalf("seed %d: siblings are not in order", seed)
			}
			if f.uid[n] == 0 && len(kids) < 2 {
				t.Fatalf("seed %d: a dummy holds %d", seed, len(kids))
			}
			for _, k := range kids {
				if _, twice := got[f.uid[k]]; twice {
					t.Fatalf("seed %d: %d twice", seed, f.uid[k])
				}
				got[f.uid[k]] = f.uid[n]
			}
			stack = append(stack[:len(stack)-1], kids...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d:\n got %v\nwant %v", seed, got, want)
		}
	}
}

// original reports whether a node's children are those the archive drew, whose
// order is not looked at again.
func original(bs []archive.Branch, at []int32, n int32) bool {
	for i := int(n) + 1; i < len(bs) && bs[i].Depth > bs[n].Depth; i++ {
		if bs[i].Depth == bs[n].Depth+1 && at[i] < 0 {
			return false
		}
	}
	return true
}

// TestForestOfTheDeepEnds threads a chain as deep as a list is long, every other
// post of which is not wanted, and a root with as many answers.
func TestForestOfTheDeepEnds(t *testing.T) {
	const n = 200_000
	bs, rows, at := make([]archive.Branch, 2*n), make([]archive.Row, 2*n), make([]int32, 2*n)
	for i := range bs {
		bs[i] = archive.Branch{Post: model.MakePostID(1, model.UID(i+1)), Depth: min(i, n)}
		rows[i] = archive.Row{UID: model.UID(i + 1), SentAt: model.Instant(i)}
		at[i] = int32(i)
		if i%2 == 0 && i < n {
			at[i] = -1
		}
	}
	f := plant(bs, at, rows)
	out := f.write(nil, func(u model.UID) int64 { return int64(u) })
	if len(f.roots) != 1 || len(out) < n {
		t.Error(len(f.roots), len(out))
	}
}

// TestGroupingSettles throws roots with few subjects together: nothing is lost,
// nothing comes twice, dummies hold two and more.
func TestGroupingSettles(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		bs, rows := randomBranches(r, 1+r.IntN(40))
		at := make([]int32, len(bs))
		for i, b := range bs {
			at[i] = int32(b.Post.UID()) - 1
		}
		subjects := make([]subject, len(rows))
		for i := range subjects {
			subjects[i] = subject{rank: int64(r.IntN(4)), reply: r.IntN(2) == 0}
			subjects[i].empty = subjects[i].rank == 0
		}
		f := plant(bs, at, rows)
		f.group(func(row int32) subject { return subjects[row] })
		seen := map[string]bool{}
		for _, l := range outline(string(f.write(nil, func(u model.UID) int64 { return int64(u) }))) {
			_, n, _ := strings.Cut(l, " ")
			if seen[n] {
				t.Fatalf("seed %d: %s twice", seed, n)
			}
			seen[n] = true
		}
		if len(seen) != len(rows) {
			t.Fatalf("seed %d: %d of %d", seed, len(seen), len(rows))
		}
		for _, n := range f.roots {
			if f.row[n] < 0 && len(f.kids(nil, n)) < 2 {
				t.Fatalf("seed %d: a small dummy", seed)
			}
		}
	}
}

// TestThreadsAfterARemoval asks again when rows were taken away.
func TestThreadsAfterARemoval(t *testing.T) {
	m := sample(t)
	_, addr := serve(t, m, func(o *Options, _ *times) { o.Archive = shrinks{o.Archive, m} })
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for _, step := range []struct{ threads, subjects string }{{"* THREAD (1 2)(3)", "* SORT 1 2 3"}, {"* THREAD (2)(3)", "* SORT 2 3"}} {
		if got := c.want("UID THREAD REFERENCES UTF-8 ALL", "OK"); got[len(got)-1] != step.threads {
			t.Errorf("got %q, want %s", got, step.threads)
		}
		if got := c.want("UID SORT (SUBJECT) UTF-8 ALL", "OK"); got[len(got)-1] != step.subjects {
			t.Errorf("got %q, want %s", got, step.subjects)
		}
		m.remove(1, 1)
		if got := c.want("NOOP", "OK"); len(step.threads) > 16 && !slices.Equal(got, []string{"* 1 EXPUNGE"}) {
			t.Errorf("got %q", got)
		}
	}
}

// TestOrdersAreForgotten holds the number of lists whose orders are kept.
func TestOrdersAreForgotten(t *testing.T) {
	m := newMemory()
	for i := range maxOrders + 5 {
		m.post(m.add(model.List{Local: fmt.Sprint("l", i)}).ID, plainPost)
	}
	var o orders
	a := Over(archive.NewReader(m))
	for list := range int64(maxOrders + 5) {
		ord, err := o.of(context.Background(), a, list+1)
		if err != nil || len(ord.rows) != 1 {
			t.Fatal(err)
		}
	}
	if len(o.last) != maxOrders {
		t.Error(len(o.last))
	}
	o.close()
	for topic, ch := range m.topics {
		if len(ch) > 0 {
			t.Error("still watched:", topic)
		}
	}
}

func TestCasemap(t *testing.T) {
	for _, c := range [][2]string{{"abc", "ABC"}, {"Straße", "STRAßE"}, {"é", "É"}, {"Ž", "ž"}, {"é", "é"}} {
		if a, b := casemap(c[0]), casemap(c[1]); a != b {
			t.Errorf("%q %q: %q %q", c[0], c[1], a, b)
		}
	}
}

func FuzzReadEnvelope(f *testing.F) {
	f.Add([]byte(`("Mon, 2 Mar 2026 10:00:00 +0100" "a \"b\"" (("A" NIL "a" "b.c")("D" NIL "d" "e")) NIL NIL {3}` + "\r\n(x) NIL NIL NIL)"))
	f.Add([]byte(`(NIL {99}` + "\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) { readEnvelope(b) })
}
