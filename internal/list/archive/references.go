package archive

import (
	"cmp"
	"context"
	"slices"

	"plenary/internal/model"
)

// ThreadForest arranges posts of a list as THREAD=REFERENCES does, RFC 5256
// section 3 to the letter: by the order of UIDs, among these posts alone, and
// grouped by base subject in the end. That is what mail clients expect of IMAP;
// Threads draws what people are shown. Where a guess or a moderator says what a
// post answers, that counts instead of its own references, and a thread that a
// moderator parted from others is not grouped with them again. Lines come in reading order; Post 0 is a
// dummy, which only stands at depth 0 and holds two or more.
func (r *Reader) ThreadForest(ctx context.Context, listID int64, uids []model.UID) ([]Branch, error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return nil, err
	}
	rows := ix.Rows()
	t := &threading{list: listID, rows: rows}
	for _, u := range uids {
		if i, ok := find(rows, u); ok {
			t.places = append(t.places, uint32(i))
		}
	}
	slices.Sort(t.places)
	t.places = slices.Compact(t.places)
	if len(t.places) == 0 {
		return nil, nil
	}
	if t.cols, err = r.columns(ctx, ix, rows); err != nil {
		return nil, err
	}
	if t.links, err = r.links(ctx, ix, rows); err != nil {
		return nil, err
	}
	t.link()
	t.follow()
	t.prune()
	t.up, t.set, t.node = nil, nil, nil // they are large, and of no more use
	t.order()
	t.gather()
	return t.draw(), nil
}

// threading is one THREAD at work. Containers are Message-IDs by number, then
// the posts that have none of their own; nodes are the posts asked for, then
// dummies.
type threading struct {
	list   int64
	rows   []Row
	places []uint32
	cols   *columnSet
	links  *linkSet

	up   []int32 // of each container: the one above, -1 none
	set  []int32 // of each container: a set that reaches at least as far as its tree
	node []int32 // of each container: the post, -1 for what was not asked for or never came
	own  []int32 // of each post: its container

	apart map[int32]bool // containers that a moderator made the beginning of a thread

	parent []int32 // of each node: the node above, -1 none
	sorted []int32 // posts by sent date
}

// link is step 1: references in a row hang below each other unless they hang
// already; a post hangs below its last reference whatever others said. What follow
// will hang is left alone: its references would be in the way of others.
func (t *threading) link() {
	n := t.links.names + len(t.places)
	t.up, t.set, t.node, t.own = make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, len(t.places))
	for i := range n {
		t.up[i], t.set[i], t.node[i] = -1, int32(i), -1
	}
	told := make([]bool, n)
	for _, x := range t.links.told {
		told[x.self.name] = x.self.name != 0
	}
	for i, p := range t.places {
		self := int32(t.links.self[p])
		if self == 0 || t.node[self] >= 0 { // no id, or one that an earlier post has
			self = int32(t.links.names + i)
		}
		t.own[i], t.node[self] = self, int32(i)
		last := int32(-1)
		for _, ref := range t.links.of(p) {
			if c := int32(ref); c != last && c != self { // nobody is his own ancestor
				if last >= 0 && !told[c] && t.up[c] < 0 && !t.above(c, last) {
					t.hang(c, last)
				}
				last = c
			}
		}
		t.up[self] = -1
		if last >= 0 && !told[self] && !t.above(self, last) {
			t.hang(self, last)
		}
	}
}

func (t *threading) hang(c, below int32) {
	t.up[c] = below
	t.set[t.setOf(c)] = t.setOf(below)
}

func (t *threading) setOf(c int32) int32 {
	for t.set[c] != c {
		t.set[c] = t.set[t.set[c]]
		c = t.set[c]
	}
	return c
}

// above reports whether a stands above c, or is c: hanging a below c would make
// a loop. Only in one set it has to be looked up.
func (t *threading) above(a, c int32) bool {
	if t.setOf(a) != t.setOf(c) {
		return false
	}
	for ; c >= 0; c = t.up[c] {
		if c == a {
			return true
		}
	}
	return false
}

// prune is steps 2 and 3: who was not asked for gives his place to those below,
// but at the top he stays as a dummy to hold two or more.
func (t *threading) prune() {
	const unknown = -1 << 30
	real := make([]int32, len(t.up)) // of a container without post: the post above, else -2 - top
	for i := range real {
		real[i] = unknown
	}
	var path []int32
	under := func(c int32) int32 { // what a post below c hangs under
		path = path[:0]
		found := int32(0)
		for {
			if n := t.node[c]; n >= 0 {
				found = n
				break
			}
			if real[c] != unknown {
				found = real[c]
				break
			}
			path = append(path, c)
			if t.up[c] < 0 {
				found = -2 - c
				break
			}
			c = t.up[c]
		}
		for _, p := range path {
			real[p] = found
		}
		return found
	}
	t.parent = make([]int32, len(t.places), len(t.places)+len(t.places)/8+8)
	held := map[int32]int32{} // posts of each top that is no post: -1 - the only one, or the dummy
	for i, c := range t.own {
		t.parent[i] = -1
		if t.up[c] < 0 {
			continue
		}
		if t.parent[i] = under(t.up[c]); t.parent[i] >= 0 {
			continue
		}
		top := t.parent[i]
		t.parent[i] = -1
		switch have, ok := held[top]; {
		case !ok:
			held[top] = -1 - int32(i)
		case have < 0:
			d := t.dummy()
			held[top], t.parent[-1-have], t.parent[i] = d, d, d
		default:
			t.parent[i] = have
		}
	}
}

// dummy makes a node that is no post.
func (t *threading) dummy() int32 {
	t.parent = append(t.parent, -1)
	return int32(len(t.parent) - 1)
}

func (t *threading) isDummy(n int32) bool { return int(n) >= len(t.places) }

// order sorts the posts by sent date, then by UID: siblings taken in that order
// are sorted.
func (t *threading) order() {
	type item struct {
		date int64
		post int32
	}
	items := make([]item, len(t.places))
	for i, p := range t.places {
		items[i] = item{t.cols.dates[p], int32(i)}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.post, b.post)) })
	t.sorted = make([]int32, len(items))
	for i, it := range items {
		t.sorted[i] = it.post
	}
}

// tops are the nodes that hang below nothing, by sent date, a dummy at the place
// of its first post; first is the post that speaks for each.
func (t *threading) tops() (tops, first []int32) {
	seen := map[int32]bool{}
	for _, i := range t.sorted {
		switch p := t.parent[i]; {
		case p < 0:
			tops, first = append(tops, i), append(first, i)
		case t.isDummy(p) && !seen[p]:
			seen[p] = true
			tops, first = append(tops, p), append(first, i)
		}
	}
	return tops, first
}

// gather is step 5: threads of one base subject become one.
func (t *threading) gather() {
	tops, first := t.tops()
	subject := make([]uint32, len(tops))
	reply := make([]bool, len(tops))
	table := map[uint32]int32{} // subject: the place in tops that stands for it
	for at, n := range tops {
		if !t.isDummy(n) && t.apart[t.own[n]] {
			continue
		}
		value := t.cols.fields[inSubject][t.places[first[at]]]
		subject[at], reply[at] = t.cols.subjects.sorted.of[value], t.cols.subjects.reply[value]
		if subject[at] == 0 { // the empty one
			continue
		}
		have, ok := table[subject[at]]
		if !ok || !t.isDummy(tops[have]) && (t.isDummy(n) || reply[have] && !reply[at]) {
			table[subject[at]] = int32(at)
		}
	}
	moved := map[int32]int32{} // dummies that were joined to others
	holder := map[uint32]int32{}
	for at, n := range tops {
		if subject[at] == 0 || table[subject[at]] == int32(at) {
			continue
		}
		stands := table[subject[at]]
		into := tops[stands]
		if d, ok := holder[subject[at]]; ok {
			into = d
		}
		switch {
		case t.isDummy(into) && t.isDummy(n):
			moved[n] = into
		case t.isDummy(into), reply[at] && !reply[stands]:
			t.parent[n] = into
		default:
			d := t.dummy()
			holder[subject[at]], t.parent[n], t.parent[into] = d, d, d
		}
	}
	for i, p := range t.parent[:len(t.places)] {
		if into, ok := moved[p]; ok {
			t.parent[i] = into
		}
	}
}

// draw is step 6, and writes the lines with a stack of its own.
func (t *threading) draw() []Branch {
	start := make([]int32, len(t.parent)+1) // of each node's children
	for _, p := range t.parent {
		if p >= 0 {
			start[p+1]++
		}
	}
	for i := range t.parent {
		start[i+1] += start[i]
	}
	children, next := make([]int32, start[len(t.parent)]), slices.Clone(start)
	for _, i := range t.sorted {
		if p := t.parent[i]; p >= 0 {
			children[next[p]] = i
			next[p]++
		}
	}
	type line struct{ node, depth int32 }
	tops, _ := t.tops()
	out := make([]Branch, 0, len(t.parent))
	var stack []line
	for _, top := range tops {
		stack = append(stack, line{top, 0})
		for len(stack) > 0 {
			l := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			b := Branch{Depth: int(l.depth)}
			if !t.isDummy(l.node) {
				b.Post = model.MakePostID(t.list, t.rows[t.places[l.node]].UID)
			}
			out = append(out, b)
			for _, c := range slices.Backward(children[start[l.node]:start[l.node+1]]) {
				stack = append(stack, line{c, l.depth + 1})
			}
		}
	}
	return out
}
