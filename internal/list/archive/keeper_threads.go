package archive

import (
	"bytes"
	"context"
	"slices"

	"plenary/internal/model"
)

// difference is how the threads of a list differ from a rebuild.
type difference struct {
	nodes          int                // there are
	old, fresh     []model.ThreadNode // side by side, key 0 where one has no such node
	wrong, missing []model.ThreadHint
}

func (d *difference) none() bool { return len(d.fresh)+len(d.wrong)+len(d.missing) == 0 }

// threads compares the graph with a rebuild. With a message that cannot be read
// there is no rebuild, and no difference. Posts that arrive meanwhile are read
// and it is compared again; where they keep arriving, in the end what they may
// have changed is left out.
func (k *Keeper) threads(ctx context.Context, l *model.List) (d difference, err error) {
	for round := range threadRounds {
		var n newer
		if d, n, err = k.compareThreads(ctx, l.ID); err != nil || len(n.keys) == 0 {
			break
		}
		if round == threadRounds-1 {
			d = n.without(d)
			break
		}
		if err = k.each(ctx, l, func(*kept) error { return nil }); err != nil {
			break
		}
	}
	if len(k.damaged) > 0 {
		d = difference{nodes: d.nodes}
	}
	return d, err
}

// newer is what came since the posts were gone through.
type newer struct {
	keys    map[int64]bool        // nodes of posts
	threads map[model.PostID]bool // that they are in
}

// without leaves out what newer posts may have changed: their threads, and guesses.
func (n *newer) without(d difference) difference {
	out := difference{nodes: d.nodes, missing: d.missing}
	for i, was := range d.old {
		is := d.fresh[i]
		if n.keys[was.Key] || n.threads[was.ThreadID] || was.Link == model.LinkGuessed || is.Link == model.LinkGuessed {
			continue
		}
		out.old, out.fresh = append(out.old, was), append(out.fresh, is)
	}
	for _, h := range d.wrong {
		if !n.keys[h.Key] {
			out.wrong = append(out.wrong, h)
		}
	}
	return out
}

func (k *Keeper) compareThreads(ctx context.Context, listID int64) (d difference, n newer, err error) {
	n = newer{map[int64]bool{}, map[model.PostID]bool{}}
	rulings, err := k.Repairs.ThreadRulings(ctx, listID)
	if err != nil {
		return d, n, err
	}
	right, hints, placed := thread(k.posts, rulings)
	k.right = right
	threads := make(map[model.PostID]model.PostID, len(k.posts)) // as the posts' rows have them
	if err := k.Reader.store.PostPlaces(ctx, listID, 1, k.last, func(p *model.Post) error {
		threads[p.ID] = p.ThreadID
		return nil
	}); err != nil {
		return d, n, err
	}
	// Before the nodes: of a post that arrives in between the node tells.
	if err := k.compareHints(ctx, listID, hints, placed, &d); err != nil {
		return d, n, err
	}
	at := 0
	differ := func(was, is model.ThreadNode) { d.old, d.fresh = append(d.old, was), append(d.fresh, is) }
	err = k.Reader.store.ThreadNodes(ctx, listID, func(node *model.ThreadNode) error {
		d.nodes++
		if node.PostID.UID() > k.last {
			n.keys[node.Key], n.threads[node.ThreadID] = true, true
		}
		for at < len(right) && right[at].Key < node.Key {
			differ(model.ThreadNode{}, right[at])
			at++
		}
		if at == len(right) || right[at].Key != node.Key {
			differ(*node, model.ThreadNode{})
			return nil
		}
		if is := right[at]; is != *node || is.PostID != 0 && threads[is.PostID] != is.ThreadID {
			differ(*node, is)
		}
		at++
		return nil
	})
	for ; at < len(right); at++ {
		differ(model.ThreadNode{}, right[at])
	}
	return d, n, err
}

// compareHints compares what guessing goes by. What a post quotes that has its place
// is kept only where that came after the post, and matters to nothing.
func (k *Keeper) compareHints(ctx context.Context, listID int64, right []model.ThreadHint, placed map[int64]bool, d *difference) error {
	lacks := func(is model.ThreadHint) {
		if placed[is.Key] {
			is.Answered = nil
		}
		if is.Useful() {
			d.missing = append(d.missing, is)
		}
	}
	at := 0
	err := k.Repairs.ThreadHints(ctx, listID, func(h *model.ThreadHint) error {
		for at < len(right) && compareHints(right[at], *h) < 0 {
			lacks(right[at])
			at++
		}
		if at == len(right) || compareHints(right[at], *h) != 0 {
			d.wrong = append(d.wrong, *h)
			return nil
		}
		is := right[at]
		if same := bytes.Equal(is.Answered, h.Answered) || placed[is.Key] && len(h.Answered) == 0; !same || !bytes.Equal(is.Own, h.Own) {
			lacks(is) // takes the place of the other
		}
		at++
		return nil
	})
	for _, is := range right[at:] {
		lacks(is)
	}
	return err
}

// mend makes the threads what they should be, hints first: posts that arrive
// meanwhile are placed by them. It gives the number of nodes changed.
func (k *Keeper) mend(ctx context.Context, listID int64, d difference) (changed int, err error) {
	for some := range slices.Chunk(d.wrong, threadBatch) {
		if err := k.Repairs.SaveThreadHints(ctx, listID, some, nil); err != nil {
			return 0, err
		}
	}
	for some := range slices.Chunk(d.missing, threadBatch) {
		if err := k.Repairs.SaveThreadHints(ctx, listID, nil, some); err != nil {
			return 0, err
		}
	}
	for at := 0; at < len(d.fresh); at += threadBatch {
		end := min(at+threadBatch, len(d.fresh))
		n, err := k.Repairs.SaveThreadNodes(ctx, listID, d.old[at:end], d.fresh[at:end])
		if changed += n; err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// uidOf gives the post of a node, 0 when there is none.
func (k *Keeper) uidOf(key int64) model.UID {
	for i := range k.right {
		if k.right[i].Key == key {
			return k.right[i].PostID.UID()
		}
	}
	return 0
}
