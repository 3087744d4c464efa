package store

import (
	"slices"

	"plenary/internal/model"
)

func sortedKeys(set map[int64]bool) []int64 {
	keys := make([]int64, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// climb walks from each key to where its claims end, or to a loop; keys of one
// part give one top. Each node is walked once.
func climb(up map[int64]int64, keys []int64) []int64 {
	top := map[int64]int64{}
	var tops []int64
	for _, k := range keys {
		if _, known := up[k]; !known {
			continue
		}
		var path []int64
		on := map[int64]bool{}
		at, found := k, int64(0)
		for {
			if t, ok := top[at]; ok {
				found = t
				break
			}
			if on[at] { // a loop nobody walked before
				found = at
				tops = append(tops, at)
				break
			}
			on[at] = true
			path = append(path, at)
			parent, ok := up[at]
			if _, known := up[parent]; !ok || parent == 0 || !known {
				found = at
				tops = append(tops, at)
				break
			}
			at = parent
		}
		for _, p := range path {
			top[p] = found
		}
	}
	return tops
}

// part is a connected part of the graph with the labels its nodes have now.
type part struct {
	nodes []labelled
}

type labelled struct {
	key            int64
	post, threadID model.PostID
}

// parts reads everything below each of tops. CROSS JOIN tells SQLite to look up
// what is below each: its planner would go through all nodes of the list.
func (g *graph) parts(tops []int64) (map[int64]*part, error) {
	parts := map[int64]*part{}
	for len(tops) > 0 {
		n := min(len(tops), maxInList)
		rows, err := g.t.Raw(`WITH RECURSIVE down (top, k) AS (
			SELECT key, key FROM thread_nodes WHERE list_id = ? AND key IN ?
			UNION SELECT down.top, n.key FROM down CROSS JOIN thread_nodes n WHERE n.list_id = ? AND n.parent_key = down.k)
			SELECT down.top, n.key, n.post_id, n.thread_id FROM down CROSS JOIN thread_nodes n WHERE n.list_id = ? AND n.key = down.k`,
			g.list, tops[:n], g.list, g.list).Rows()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var top int64
			var l labelled
			if err := rows.Scan(&top, &l.key, &l.post, &l.threadID); err != nil {
				_ = rows.Close()
				return nil, err
			}
			if parts[top] == nil {
				parts[top] = &part{}
			}
			parts[top].nodes = append(parts[top].nodes, l)
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
		tops = tops[n:]
	}
	return parts, nil
}

// relabel gives all nodes and posts of a part the least post id in it; a part
// of ghosts alone has none.
func (g *graph) relabel(p *part) error {
	var id model.PostID
	for _, n := range p.nodes {
		if n.post != 0 && (id == 0 || n.post < id) {
			id = n.post
		}
	}
	var keys []int64
	var posts []model.PostID
	for _, n := range p.nodes {
		if n.threadID == id {
			continue
		}
		keys = append(keys, n.key)
		if n.post != 0 {
			posts = append(posts, n.post)
		}
		if own := g.nodes[n.key]; own != nil && own.post != nil {
			own.post.Post.ThreadID = id
		}
	}
	for c := range slices.Chunk(keys, maxInList) {
		if err := g.t.Exec("UPDATE thread_nodes SET thread_id = ? WHERE list_id = ? AND key IN ?", id, g.list, padded(c)).Error; err != nil {
			return err
		}
	}
	for c := range slices.Chunk(posts, maxInList) {
		if err := g.t.Exec("UPDATE posts SET thread_id = ? WHERE id IN ?", id, padded(c)).Error; err != nil {
			return err
		}
	}
	return nil
}

// padded repeats the last of some values up to a power of two: lists of all
// lengths then make few texts, which are kept prepared.
func padded[T any](some []T) []T {
	n := 1
	for n < len(some) {
		n *= 2
	}
	out := append(make([]T, 0, n), some...)
	for len(out) < n {
		out = append(out, some[len(some)-1])
	}
	return out
}
