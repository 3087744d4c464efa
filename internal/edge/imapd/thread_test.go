package imapd

import (
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

// TestForestIsWritten draws random forests and reads them back.
func TestForestIsWritten(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var forest []archive.Branch
		var want []string
		depth := -1
		for uid := 1; uid <= 1+r.IntN(30); uid++ {
			if depth = r.IntN(depth + 2); depth == 0 && r.IntN(4) == 0 { // a dummy with two below it
				forest = append(forest, archive.Branch{}, archive.Branch{Post: model.MakePostID(1, 1000+model.UID(uid)), Depth: 1})
				want = append(want, fmt.Sprint("0 ", 1000+uid))
				depth = 1
			}
			forest = append(forest, archive.Branch{Post: model.MakePostID(1, model.UID(uid)), Depth: depth})
			line := fmt.Sprint(depth, " ", uid)
			want = append(want, line)
		}
		got := string(appendForest(nil, forest, func(u model.UID) int64 { return int64(u) }))
		if strings.Contains(got, "  ") || strings.Contains(got, "( ") || strings.Contains(got, ") ") {
			t.Fatalf("seed %d: %s", seed, got)
		}
		if have := outline(got); !slices.Equal(numbers(have), numbers(want)) || strings.Count(got, "(") != strings.Count(got, ")") {
			t.Fatalf("seed %d: %s\n got %v\nwant %v", seed, got, have, want)
		}
	}
	for _, c := range []struct {
		want   string
		forest []archive.Branch
	}{
		{"(1)(2)", []archive.Branch{{Post: 1}, {Post: 2}}},
		{"(1 2 3)", []archive.Branch{{Post: 1}, {Post: 2, Depth: 1}, {Post: 3, Depth: 2}}},
		{"(3 6 (4 23)(44 7 96))", []archive.Branch{{Post: 3}, {Post: 6, Depth: 1}, {Post: 4, Depth: 2}, {Post: 23, Depth: 3}, {Post: 44, Depth: 2}, {Post: 7, Depth: 3}, {Post: 96, Depth: 4}}},
		{"((3)(5 (6)(7)))(1)", []archive.Branch{{}, {Post: 3, Depth: 1}, {Post: 5, Depth: 1}, {Post: 6, Depth: 2}, {Post: 7, Depth: 2}, {Post: 1}}},
	} {
		if got := string(appendForest(nil, c.forest, func(u model.UID) int64 { return int64(u) })); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func numbers(lines []string) (out []string) {
	for _, l := range lines {
		_, n, _ := strings.Cut(l, " ")
		out = append(out, n)
	}
	return out
}

// TestDeepForestIsWritten writes a thread as deep as a list is long.
func TestDeepForestIsWritten(t *testing.T) {
	forest := make([]archive.Branch, 300_000)
	for i := range forest {
		forest[i] = archive.Branch{Post: model.PostID(i + 1), Depth: min(i, 200_000)}
	}
	if out := appendForest(nil, forest, func(u model.UID) int64 { return int64(u) }); !strings.HasSuffix(string(out), "(299999)(300000))") {
		t.Error(string(out[len(out)-100:]))
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
