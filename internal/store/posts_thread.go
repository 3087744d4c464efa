package store

import (
	"database/sql"

	"plenary/internal/model"
)

// Threads. thread_nodes holds, for each Message-ID a list has seen, whom it
// claims as its parent:
//
//   - a post claims the last of its references, or nobody; an answer to a digest
//     the article whose Message-ID it quotes;
//   - a ghost (an id that others refer to and that never arrived) claims the
//     reference that stood before it; where messages disagree, the smallest key.
//
// Where a post claims nobody, one may be guessed (model.ThreadHint); where it alone
// claims a ghost that claims nobody, the ghost hangs where the post would be guessed
// to, until it arrives, claims somebody, or another post claims it. A moderator's
// ruling counts more than both: parent_key is what counts, link why.
//
// All are facts of the set of messages, not of the order they came in, so that
// the graph is the same in whatever order they arrive, and the same as rebuilt
// from nothing (archive.Thread). A thread is a connected part of that graph, its
// id the least post id in it. Claims may form a loop; loops are not removed here
// but cut where the tree is drawn (archive.Arrange), again without regard to order.
//
// Usually a post hangs itself below a node whose thread is known and nothing
// else changes. Where a claim of an older node changed, settle walks the parts
// concerned in the database and labels them again.
type graph struct {
	t     *tx
	list  int64
	nodes map[int64]*node
	dirty map[int64]bool // keys whose part of the graph must be labelled again
	links bool           // a link other than references came or went
}

type node struct {
	model.ThreadNode
	post    *model.NewPost // set when this transaction stores the post
	fresh   bool           // made by this transaction
	changed bool
	by      *model.NewPost // the post that made this ghost, in this transaction
}

// nodeColumns are the columns of thread_nodes, as scanNode reads them.
const nodeColumns = "key, post_id, parent_key, claim, link, thread_id, message_id"

func scanNode(rows *sql.Rows, n *model.ThreadNode) error {
	return rows.Scan(&n.Key, &n.PostID, &n.ParentKey, &n.Claim, &n.Link, &n.ThreadID, &n.MessageID)
}

// placeInThreads finds the place of each new post, sets Post.ThreadID and writes
// the nodes. settle must follow when the posts' rows are written.
func (t *tx) placeInThreads(listID int64, posts []*model.NewPost) (*graph, error) {
	g := &graph{t: t, list: listID, nodes: map[int64]*node{}, dirty: map[int64]bool{}}
	if err := g.load(posts); err != nil {
		return nil, err
	}
	for _, p := range posts {
		g.add(p)
	}
	if err := g.applyRulings(); err != nil {
		return nil, err
	}
	if err := g.guess(posts); err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		if n.post != nil {
			n.post.Post.ThreadID = n.ThreadID
		}
	}
	return g, g.write()
}

// write stores the nodes that changed.
func (g *graph) write() error {
	var rows []any
	for _, n := range g.nodes {
		if n.changed {
			rows = append(rows, n.ListID, n.Key, n.PostID, n.ParentKey, n.Claim, n.Link, n.ThreadID, n.MessageID)
		}
	}
	if g.links {
		if _, err := g.t.exec("UPDATE list_counters SET thread_seq = thread_seq + 1 WHERE list_id = ?", g.list); err != nil {
			return err
		}
	}
	return g.t.insertMany("INSERT INTO thread_nodes (list_id, key, post_id, parent_key, claim, link, thread_id, message_id) VALUES ",
		"(?, ?, ?, ?, ?, ?, ?, ?)", ` ON CONFLICT (list_id, key) DO UPDATE SET post_id = excluded.post_id, parent_key = excluded.parent_key,
		claim = excluded.claim, link = excluded.link, thread_id = excluded.thread_id`, rows)
}

// load reads the nodes the posts name.
func (g *graph) load(posts []*model.NewPost) error {
	seen := map[int64]bool{}
	var keys []int64
	want := func(k int64) {
		if !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	for _, p := range posts {
		want(p.Self.Key)
		for _, r := range p.References {
			want(r.Key)
		}
	}
	return g.loadKeys(keys)
}

// loadKeys reads the nodes of these keys that exist.
func (g *graph) loadKeys(keys []int64) error {
	return lookUp(g.t, rowsBy{nodeColumns, "thread_nodes", "list_id = ? AND key", []any{g.list}}, keys, func(rows *sql.Rows) error {
		nd := &node{ThreadNode: model.ThreadNode{ListID: g.list}}
		if err := scanNode(rows, &nd.ThreadNode); err != nil {
			return err
		}
		g.nodes[nd.Key] = nd
		return nil
	})
}

// add places one post.
func (g *graph) add(p *model.NewPost) {
	var parent *node
	seen := map[int64]bool{p.Self.Key: true} // a message is not its own ancestor
	for _, r := range p.References {
		if r.Key == 0 || seen[r.Key] {
			continue
		}
		seen[r.Key] = true
		parent = g.ghost(r, parent, p)
	}
	if parent != nil && parent.PostID == 0 && parent.Link == model.LinkGuessed { // another answers it, too
		g.hang(parent, parent.Claim, model.LinkReferences)
	}
	key, n := p.Self.Key, g.nodes[p.Self.Key]
	if n != nil && n.PostID != 0 { // an id used twice: a node of its own, which nobody refers to
		key, n = model.TwinKey(key, p.Post.ID), nil
	}
	var claim int64
	link := model.LinkReferences
	if parent != nil {
		if claim = parent.Key; p.Quotes {
			link = model.LinkQuoted
		}
	}
	p.Hint.Key = key
	if n != nil {
		n.PostID, n.Claim, n.changed, n.post, n.by = p.Post.ID, claim, true, p, nil
		g.hang(n, claim, link)
		if n.ThreadID == 0 {
			g.touch(n.Key)
		}
		if n.ThreadID == 0 {
			n.ThreadID = p.Post.ID
		}
		return
	}
	n = &node{ThreadNode: model.ThreadNode{ListID: g.list, Key: key, PostID: p.Post.ID, ParentKey: claim, Claim: claim, Link: link,
		MessageID: p.Self.MessageID}, changed: true, fresh: true, post: p}
	g.nodes[n.Key] = n
	g.links = g.links || link != model.LinkReferences
	if parent != nil && parent.ThreadID != 0 {
		n.ThreadID = parent.ThreadID
		return
	}
	n.ThreadID = p.Post.ID
	g.label(parent, n)
}

// ghost gives the node of a reference, made when nobody knew it; before is the
// reference in front of it.
func (g *graph) ghost(r model.Reference, before *node, by *model.NewPost) *node {
	n := g.nodes[r.Key]
	switch {
	case n == nil:
		n = &node{ThreadNode: model.ThreadNode{ListID: g.list, Key: r.Key, MessageID: r.MessageID}, changed: true, fresh: true, by: by}
		if before != nil {
			n.ParentKey, n.Claim, n.ThreadID = before.Key, before.Key, before.ThreadID
		}
		g.nodes[r.Key] = n
	case n.PostID == 0 && before != nil && model.GhostParent(n.Claim, before.Key) != n.Claim:
		n.Claim, n.changed = before.Key, true
		g.hang(n, before.Key, model.LinkReferences)
	}
	return n
}

// hang gives a node another parent; a ruling stands.
func (g *graph) hang(n *node, parent int64, link model.Link) {
	if n.Link == model.LinkModerator || n.ParentKey == parent && n.Link == link {
		return
	}
	if n.ParentKey != parent {
		g.touch(n.Key, n.ParentKey)
	}
	g.links = g.links || n.Link != link
	n.ParentKey, n.Link, n.changed = parent, link, true
}

// label gives the ghosts above a new post, made for it a moment ago, the post's
// thread. An older ghost among them has relations this transaction does not
// know: settle finds them.
func (g *graph) label(above, n *node) {
	for above != nil && above.ThreadID == 0 {
		if above.by != n.post {
			g.touch(n.Key, 0)
			return
		}
		above.ThreadID = n.ThreadID
		above = g.nodes[above.ParentKey]
	}
	if above != nil && above.ThreadID != n.ThreadID {
		g.touch(n.Key, 0)
	}
}

func (g *graph) touch(keys ...int64) {
	for _, k := range keys {
		if k != 0 {
			g.dirty[k] = true
		}
	}
}

// settle labels the parts of the graph around the dirty keys again.
func (g *graph) settle() error {
	if len(g.dirty) == 0 {
		return nil
	}
	tops, err := g.tops()
	if err != nil {
		return err
	}
	parts, err := g.parts(tops)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := g.relabel(part); err != nil {
			return err
		}
	}
	return nil
}

// tops gives, for each part of the graph with a dirty key, a key that all of
// the part hangs below: its root, or in a loop any one of the loop.
func (g *graph) tops() ([]int64, error) {
	up := map[int64]int64{}
	for keys := sortedKeys(g.dirty); len(keys) > 0; {
		n := min(len(keys), maxInList)
		rows, err := g.t.Raw(`WITH RECURSIVE up (k, parent) AS (
			SELECT key, parent_key FROM thread_nodes WHERE list_id = ? AND key IN ?
			UNION SELECT n.key, n.parent_key FROM up CROSS JOIN thread_nodes n WHERE n.list_id = ? AND n.key = up.parent)
			SELECT k, parent FROM up`, g.list, keys[:n], g.list).Rows()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var k, parent int64
			if err := rows.Scan(&k, &parent); err != nil {
				_ = rows.Close()
				return nil, err
			}
			up[k] = parent
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return climb(up, sortedKeys(g.dirty)), nil
}
