package archive

import (
	"cmp"
	"slices"

	"plenary/internal/model"
)

// Threadable is what threading needs of a post.
type Threadable struct {
	Post       model.PostID
	Self       model.Reference
	References []model.Reference // oldest first
	Quotes     bool
	Hint       model.ThreadHint
}

// ThreadableOf is what Make found.
func ThreadableOf(p *model.NewPost) Threadable {
	return Threadable{Post: p.Post.ID, Self: p.Self, References: p.References, Quotes: p.Quotes, Hint: p.Hint}
}

// Thread builds the reference graph of a list from nothing: the same nodes, with
// the same parents and threads, that the store has after the posts arrived in
// whatever order. Of posts with one Message-ID the one with the least id takes
// its place. Rulings are what moderators decided. Nodes come by key.
func Thread(posts []Threadable, rulings ...model.ThreadRuling) []model.ThreadNode {
	nodes, _, _ := thread(posts, rulings)
	return nodes
}

// thread gives the hints as well, in the order of the store, and the posts whose
// hints seek a parent though they have their place.
func thread(posts []Threadable, rulings []model.ThreadRuling) ([]model.ThreadNode, []model.ThreadHint, map[int64]bool) {
	posts = slices.SortedFunc(slices.Values(posts), func(a, b Threadable) int { return cmp.Compare(a.Post, b.Post) })
	nodes := map[int64]*model.ThreadNode{}
	at := func(r model.Reference) *model.ThreadNode {
		n := nodes[r.Key]
		if n == nil {
			n = &model.ThreadNode{Key: r.Key, MessageID: r.MessageID}
			nodes[r.Key] = n
		}
		return n
	}
	for _, p := range posts {
		self := p.Self
		if n := nodes[self.Key]; n != nil && n.PostID != 0 {
			self.Key = model.TwinKey(self.Key, p.Post)
		}
		at(self).PostID, at(self).ListID = p.Post, p.Post.List()
	}
	offers := map[int64]int64{} // to ghosts
	var hints []model.ThreadHint
	for _, p := range posts {
		self := nodes[p.Self.Key]
		if self.PostID != p.Post {
			self = nodes[model.TwinKey(p.Self.Key, p.Post)]
		}
		var before int64
		seen := map[int64]bool{p.Self.Key: true}
		for _, r := range p.References {
			if r.Key == 0 || seen[r.Key] {
				continue
			}
			seen[r.Key] = true
			n := at(r)
			n.ListID = p.Post.List()
			if before != 0 {
				offers[r.Key] = model.GhostParent(offers[r.Key], before)
			}
			before = r.Key
		}
		if self.Claim = before; before != 0 && p.Quotes {
			self.Link = model.LinkQuoted
		}
		if h := p.Hint; h.Useful() {
			h.ListID, h.Key = self.ListID, self.Key
			hints = append(hints, h)
		}
	}
	for k, n := range nodes {
		if n.PostID == 0 {
			n.Claim = offers[k]
		}
		n.ParentKey = n.Claim
	}
	placed := guess(nodes, hints)
	for _, r := range rulings {
		if n := nodes[r.Key]; n != nil {
			n.ParentKey, n.Link = r.ParentKey, model.LinkModerator
		}
	}
	out := make([]model.ThreadNode, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b model.ThreadNode) int { return cmp.Compare(a.Key, b.Key) })
	label(out)
	return out, hints, placed
}

// seeker gives the node that is hung where the words of n belong: n, when it
// claims nobody, or the missing message it answers, when that claims nobody and n
// alone answers it. nil: n has its place. answers counts the posts that claim each.
func seeker(nodes map[int64]*model.ThreadNode, answers map[int64]int, n *model.ThreadNode) *model.ThreadNode {
	if n.Claim == 0 {
		return n
	}
	if up := nodes[n.Claim]; up != nil && up.PostID == 0 && up.Claim == 0 && answers[n.Claim] == 1 {
		return up
	}
	return nil
}

// guess hangs the nodes that seek a parent where they seem to belong, sorts hints,
// and gives those that do not seek any more.
func guess(nodes map[int64]*model.ThreadNode, hints []model.ThreadHint) map[int64]bool {
	answers := map[int64]int{}
	for _, n := range nodes {
		if n.PostID != 0 {
			answers[n.Claim]++
		}
	}
	placed := map[int64]bool{}
	topics := map[int64][]model.ThreadHint{}
	for _, h := range hints {
		topics[h.Topic] = append(topics[h.Topic], h)
	}
	for _, some := range topics {
		slices.SortFunc(some, func(a, b model.ThreadHint) int {
			return cmp.Or(cmp.Compare(b.SentAt, a.SentAt), cmp.Compare(b.Key, a.Key))
		})
		for i := range some {
			if !some[i].Seeks() {
				continue
			}
			n := seeker(nodes, answers, nodes[some[i].Key])
			if n == nil {
				placed[some[i].Key] = true
				continue
			}
			if parent := some[i].Guess(some[i+1:]); parent != 0 {
				n.ParentKey, n.Link = parent, model.LinkGuessed
			}
		}
	}
	slices.SortFunc(hints, compareHints)
	return placed
}

func compareHints(a, b model.ThreadHint) int {
	return cmp.Or(cmp.Compare(a.Era, b.Era), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.SentAt, b.SentAt), cmp.Compare(a.Key, b.Key))
}

// label sets ThreadID: the least post id of each connected part.
func label(nodes []model.ThreadNode) {
	up := parents(nodes)
	root := make([]int, len(nodes)) // of a growing forest of sets
	for i := range root {
		root[i] = i
	}
	top := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for i, p := range up {
		if p >= 0 {
			root[top(i)] = top(p)
		}
	}
	least := make([]model.PostID, len(nodes))
	for i, n := range nodes {
		if t := top(i); n.PostID != 0 && (least[t] == 0 || n.PostID < least[t]) {
			least[t] = n.PostID
		}
	}
	for i := range nodes {
		nodes[i].ThreadID = least[top(i)]
	}
}

// parents gives the place of each node's parent in nodes, -1 for none.
func parents(nodes []model.ThreadNode) []int {
	at := make(map[int64]int, len(nodes))
	for i, n := range nodes {
		at[n.Key] = i
	}
	up := make([]int, len(nodes))
	for i, n := range nodes {
		up[i] = -1
		if p, ok := at[n.ParentKey]; ok && n.ParentKey != 0 {
			up[i] = p
		}
	}
	return up
}

// Branch is one line of a drawn forest. Lines come in reading order: a thread's
// root at depth 0, below each line its answers, one deeper.
type Branch struct {
	Post  model.PostID // 0: a ghost, only as the root of two or more
	Key   int64
	Depth int
	Link  model.Link // why it stands where it does
}

// Arrange draws the forest of a graph as RFC 5256 REFERENCES does, but for the
// grouping by subject: ghosts without posts below are left out, other ghosts
// give their place to what is below them, but a root ghost stays to hold two or
// more together. Siblings are in the order of sent, then of arrival; a ghost
// counts as its first, and what stands in the place of a guess is one. A loop is
// opened at a guess, where there is one, else at what no moderator decided; there at a
// ghost, else at the post sent last: nothing was sent before what it answers.
func Arrange(nodes []model.ThreadNode, sent func(model.PostID) model.Instant) []Branch {
	up := parents(nodes)
	openLoops(nodes, up, sent)
	f := &forest{nodes: nodes, sent: sent, kids: make([][]int, len(nodes)), link: make([]model.Link, len(nodes))}
	var roots []int
	for i, p := range up {
		if f.link[i] = nodes[i].Link; p < 0 {
			roots = append(roots, i)
		} else {
			f.kids[p] = append(f.kids[p], i)
		}
	}
	return f.draw(f.tidy(roots))
}

// openLoops takes away one claim of each loop.
func openLoops(nodes []model.ThreadNode, up []int, sent func(model.PostID) model.Instant) {
	// later reports whether the claim of a is weaker than that of b.
	later := func(a, b int) bool {
		x, y := nodes[a], nodes[b]
		if (x.Link == model.LinkGuessed) != (y.Link == model.LinkGuessed) {
			return x.Link == model.LinkGuessed
		}
		if (x.Link == model.LinkModerator) != (y.Link == model.LinkModerator) {
			return y.Link == model.LinkModerator // a ruling outlasts what comes after it
		}
		if (x.PostID == 0) != (y.PostID == 0) {
			return x.PostID == 0
		}
		var s, t model.Instant
		if x.PostID != 0 {
			s, t = sent(x.PostID), sent(y.PostID)
		}
		return s > t || s == t && x.Key > y.Key
	}
	walk := make([]int, len(nodes)) // 0: not seen; n: seen in walk n
	for i := range nodes {
		at := i
		for at >= 0 && walk[at] == 0 {
			walk[at] = i + 1
			at = up[at]
		}
		if at < 0 || walk[at] != i+1 {
			continue
		}
		weakest := at
		for n := up[at]; n != at; n = up[n] {
			if later(n, weakest) {
				weakest = n
			}
		}
		up[weakest] = -1
	}
}

// forest is a graph without loops in work.
type forest struct {
	nodes []model.ThreadNode
	sent  func(model.PostID) model.Instant
	kids  [][]int
	link  []model.Link
}

// tidy prunes ghosts and sorts siblings, from the leaves up.
func (f *forest) tidy(roots []int) []int {
	order := slices.Clone(roots) // parents before children
	for i := 0; i < len(order); i++ {
		order = append(order, f.kids[order[i]]...)
	}
	when := make([]model.Instant, len(f.nodes))
	first := make([]model.PostID, len(f.nodes))
	earlier := func(a, b int) int {
		return cmp.Or(cmp.Compare(when[a], when[b]), cmp.Compare(first[a], first[b]))
	}
	gather := func(ids []int) []int { // what stands in the place of ids
		var out []int
		for _, k := range ids {
			switch {
			case f.nodes[k].PostID != 0:
				out = append(out, k)
			default:
				for _, kid := range f.kids[k] {
					if f.link[k] == model.LinkGuessed && f.link[kid] == model.LinkReferences {
						f.link[kid] = model.LinkGuessed
					}
				}
				out = append(out, f.kids[k]...)
			}
		}
		slices.SortFunc(out, earlier)
		return out
	}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		f.kids[n] = gather(f.kids[n])
		switch {
		case f.nodes[n].PostID != 0:
			when[n], first[n] = f.sent(f.nodes[n].PostID), f.nodes[n].PostID
		case len(f.kids[n]) > 0:
			when[n], first[n] = when[f.kids[n][0]], first[f.kids[n][0]]
		}
	}
	var out []int
	for _, r := range roots {
		if f.nodes[r].PostID != 0 || len(f.kids[r]) > 1 {
			out = append(out, r)
		} else {
			out = append(out, f.kids[r]...)
		}
	}
	slices.SortFunc(out, earlier)
	return out
}

// draw writes the lines, with a stack of its own.
func (f *forest) draw(roots []int) []Branch {
	type place struct{ node, depth int }
	var stack []place
	push := func(ids []int, depth int) {
		for _, k := range slices.Backward(ids) {
			stack = append(stack, place{k, depth})
		}
	}
	push(roots, 0)
	var out []Branch
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		out = append(out, Branch{f.nodes[p.node].PostID, f.nodes[p.node].Key, p.depth, f.link[p.node]})
		push(f.kids[p.node], p.depth+1)
	}
	return out
}
