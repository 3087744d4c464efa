package imapd

import (
	"cmp"
	"slices"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// forest is the trees of some of a list's posts as THREAD=REFERENCES draws
// them (RFC 5256). Nodes are numbers; -1 is none. Nothing here recurses: how
// deep a thread is, is up to those who write.
type forest struct {
	uid   []model.UID // 0: a dummy that holds its children together
	row   []int32     // of the order's rows; -1: none
	when  []model.Instant
	child []int32 // the first
	next  []int32 // sibling
	roots []int32

	scratch []int32
}

func (f *forest) add(row int32, rows []archive.Row) int32 {
	uid, when := model.UID(0), model.Instant(0)
	if row >= 0 {
		uid, when = rows[row].UID, rows[row].SentAt
	}
	f.uid, f.row, f.when = append(f.uid, uid), append(f.row, row), append(f.when, when)
	f.child, f.next = append(f.child, -1), append(f.next, -1)
	return int32(len(f.uid) - 1)
}

// plant makes the forest of the branches that have a row. Others give their
// place to what is below them; at the root they stay, as dummies, where they
// hold two or more together (RFC 5256, REFERENCES, step 3).
func plant(branches []archive.Branch, at []int32, rows []archive.Row) *forest {
	f := &forest{}
	var path, last []int32 // per depth: the node, and its last child
	var roots []int32
	for i, b := range branches {
		n := f.add(at[i], rows)
		path, last = append(path[:b.Depth], n), append(last[:b.Depth], -1)
		switch d := b.Depth - 1; {
		case d < 0:
			roots = append(roots, n)
		case last[d] < 0:
			f.child[path[d]], last[d] = n, n
		default:
			f.next[last[d]], last[d] = n, n
		}
	}
	f.prune()
	for _, r := range roots {
		switch {
		case f.row[r] >= 0:
			f.roots = append(f.roots, r)
		case f.child[r] < 0:
		case f.next[f.child[r]] < 0:
			f.roots = append(f.roots, f.child[r])
		default:
			f.order(r)
			f.roots = append(f.roots, r)
		}
	}
	f.sortRoots()
	return f
}

// prune puts the children of nodes without a row in their parent's place, from
// the leaves up. The lists of such nodes are joined as they are and sorted only
// where they end.
func (f *forest) prune() {
	tail := make([]int32, len(f.uid))             // of the list of children, when it is joined
	for n := int32(len(f.uid) - 1); n >= 0; n-- { // children come after their parents
		head, end, lifted := int32(-1), int32(-1), false
		for k := f.child[n]; k >= 0; {
			after := f.next[k]
			from, to := k, k
			if f.row[k] < 0 {
				from, to, lifted = f.child[k], tail[k], true
			}
			if from >= 0 {
				if end < 0 {
					head = from
				} else {
					f.next[end] = from
				}
				end = to
				f.next[end] = -1
			}
			k = after
		}
		f.child[n], tail[n] = head, end
		if lifted && f.row[n] >= 0 {
			f.order(n)
		}
	}
}

// order sorts the children of a node by when they were sent; a dummy counts as
// its first.
func (f *forest) order(n int32) {
	f.scratch = f.kids(f.scratch[:0], n)
	slices.SortFunc(f.scratch, f.earlier)
	f.adopt(n, f.scratch)
	if f.row[n] < 0 && len(f.scratch) > 0 {
		f.when[n] = f.when[f.scratch[0]]
	}
}

func (f *forest) earlier(a, b int32) int {
	return cmp.Or(cmp.Compare(f.when[a], f.when[b]), cmp.Compare(f.first(a), f.first(b)))
}

// first is the UID a node counts as. The children of a dummy are no dummies
// (RFC 5256, REFERENCES, steps 3 and 5).
func (f *forest) first(n int32) model.UID {
	if f.row[n] < 0 && f.child[n] >= 0 {
		n = f.child[n]
	}
	return f.uid[n]
}

func (f *forest) kids(b []int32, n int32) []int32 {
	for k := f.child[n]; k >= 0; k = f.next[k] {
		b = append(b, k)
	}
	return b
}

// adopt makes these the children of n.
func (f *forest) adopt(n int32, kids []int32) {
	f.child[n] = -1
	for _, k := range slices.Backward(kids) {
		f.next[k], f.child[n] = f.child[n], k
	}
}

func (f *forest) sortRoots() { slices.SortFunc(f.roots, f.earlier) }

// subject is what threads are grouped by.
type subject struct {
	rank  int64
	reply bool
	empty bool
}

// group joins threads whose roots have one base subject (RFC 5256, REFERENCES,
// steps 5 and 6).
func (f *forest) group(of func(row int32) subject) {
	subjectOf := func(n int32) subject { // of a dummy: its first child's
		if f.row[n] < 0 {
			n = f.child[n]
		}
		return of(f.row[n])
	}
	table := map[int64]int32{}
	for _, r := range f.roots {
		s := subjectOf(r)
		if s.empty {
			continue
		}
		have, ok := table[s.rank]
		if !ok || f.row[r] < 0 && f.row[have] >= 0 || f.row[have] >= 0 && subjectOf(have).reply && !s.reply {
			table[s.rank] = r
		}
	}
	made := int32(len(f.uid))
	gained := map[int32][]int32{} // children, not yet in place
	gone := map[int32]bool{}
	for _, r := range f.roots {
		s := subjectOf(r)
		have, ok := table[s.rank]
		if s.empty || !ok || have == r {
			continue
		}
		switch gone[r] = true; {
		case f.row[have] < 0 && f.row[r] < 0:
			gained[have] = f.kids(gained[have], r)
		case f.row[have] < 0 || s.reply && !subjectOf(have).reply:
			gained[have] = append(gained[have], r)
		default:
			dummy := f.add(-1, nil)
			f.child[dummy] = have // so that the dummy has the subject
			gone[have] = true
			gained[dummy] = []int32{have, r}
			table[s.rank] = dummy
		}
	}
	f.settle(gained, gone, made)
}

// settle gives each its new children and takes those from among the roots; nodes
// from made on are new.
func (f *forest) settle(gained map[int32][]int32, gone map[int32]bool, made int32) {
	f.roots = slices.DeleteFunc(f.roots, func(r int32) bool { return gone[r] })
	for n, kids := range gained {
		if n >= made {
			f.roots = append(f.roots, n)
		} else {
			kids = f.kids(kids, n)
		}
		f.adopt(n, kids)
		f.order(n)
	}
	f.sortRoots()
}

// write appends the thread list (RFC 5256 5).
func (f *forest) write(b []byte, number func(model.UID) int64) []byte {
	const closing = -1
	stack := slices.Clone(f.roots)
	slices.Reverse(stack)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n == closing {
			b = append(b, ')')
			continue
		}
		b, stack = append(b, '('), append(stack, closing)
		for start := len(b); n >= 0; {
			if f.uid[n] != 0 {
				if len(b) > start {
					b = append(b, ' ')
				}
				b = appendInt(b, number(f.uid[n]))
			}
			kid := f.child[n]
			if kid >= 0 && f.next[kid] >= 0 {
				if len(b) > start {
					b = append(b, ' ')
				}
				from := len(stack)
				stack = f.kids(stack, n)
				slices.Reverse(stack[from:])
				break
			}
			n = kid
		}
	}
	return b
}
