package store

import (
	"context"
	"errors"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// applyRulings hangs nodes that are new where a moderator put them before: the
// ruling was there first, because nodes were made anew.
func (g *graph) applyRulings() error {
	var keys []int64
	for k, n := range g.nodes {
		if n.fresh {
			keys = append(keys, k)
		}
	}
	for len(keys) > 0 {
		n := min(len(keys), maxInList)
		these, args := in([]any{g.list}, keys[:n])
		some, err := g.t.rulings("list_id = ? AND key IN "+these, args...)
		if err != nil {
			return err
		}
		for _, r := range some {
			g.hang(g.nodes[r.Key], r.ParentKey, model.LinkModerator)
		}
		keys = keys[n:]
	}
	return nil
}

func (t *tx) rulings(where string, args ...any) (out []model.ThreadRuling, err error) {
	rows, err := t.query("SELECT list_id, key, parent_key, ruled_by, at FROM thread_rulings WHERE "+where+" ORDER BY key", args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var r model.ThreadRuling
		if err := rows.Scan(&r.ListID, &r.Key, &r.ParentKey, &r.RuledBy, &r.At); err != nil {
			_ = rows.Close()
			return nil, err
		}
		out = append(out, r)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// ThreadRulings gives what moderators decided about a list's threads, by key.
func (s *Store) ThreadRulings(ctx context.Context, listID int64) ([]model.ThreadRuling, error) {
	t := &tx{DB: s.read(ctx), s: s}
	out, err := t.rulings("list_id = ?", listID)
	return out, s.fault(err)
}

// NodesOfThread gives the nodes of a thread, ghosts included, by key.
func (s *Store) NodesOfThread(ctx context.Context, thread model.PostID) (out []model.ThreadNode, err error) {
	err = s.read(ctx).Where("list_id = ? AND thread_id = ?", thread.List(), thread).Order("key").Find(&out).Error
	return out, s.fault(err)
}

// RuleThreads keeps and follows a moderator's rulings, takes others back, and
// writes the event, in one transaction. What would hang a post below itself is
// a Conflict; nothing is changed then.
func (s *Store) RuleThreads(ctx context.Context, listID int64, set []model.ThreadRuling, lift []model.ThreadLift, event *model.Event) error {
	return s.write(ctx, func(t *tx) error {
		// First of all, for this holds back other writers of the list.
		r := t.Exec("UPDATE list_counters SET thread_seq = thread_seq + 1 WHERE list_id = ?", listID)
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such list")
		}
		g := &graph{t: t, list: listID, nodes: map[int64]*node{}, dirty: map[int64]bool{}}
		if err := g.loadKeys(ruledKeys(set, lift)); err != nil {
			return err
		}
		if r.Error != nil {
			return r.Error
		}
		for _, do := range []func() error{
			func() error { return g.rule(set) }, func() error { return g.lift(lift) }, g.write, func() error { return g.refuseLoops(set, lift) }, g.settle,
		} {
			if err := do(); err != nil {
				return err
			}
		}
		t.signal(TopicList(listID))
		return t.saveEvent(event)
	})
}

func ruledKeys(set []model.ThreadRuling, lift []model.ThreadLift) (keys []int64) {
	for _, r := range set {
		keys = append(keys, r.Key, r.ParentKey)
	}
	for _, l := range lift {
		keys = append(keys, l.Key)
	}
	return keys
}

func (g *graph) rule(set []model.ThreadRuling) error {
	for _, r := range set {
		n := g.nodes[r.Key]
		if n == nil || r.ParentKey != 0 && g.nodes[r.ParentKey] == nil {
			return fault.New(fault.NotFound, "there is no such post in the threads of the list")
		}
		if err := g.t.Exec(`INSERT INTO thread_rulings (list_id, key, parent_key, ruled_by, at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (list_id, key) DO UPDATE SET parent_key = excluded.parent_key, ruled_by = excluded.ruled_by, at = excluded.at`,
			g.list, r.Key, r.ParentKey, r.RuledBy, r.At).Error; err != nil {
			return err
		}
		g.touch(n.Key, n.ParentKey)
		n.ParentKey, n.Link, n.changed = r.ParentKey, model.LinkModerator, true
	}
	return nil
}

func (g *graph) lift(lift []model.ThreadLift) error {
	for _, l := range lift {
		if err := g.t.Exec("DELETE FROM thread_rulings WHERE list_id = ? AND key = ?", g.list, l.Key).Error; err != nil {
			return err
		}
		n := g.nodes[l.Key]
		if n == nil || n.Link != model.LinkModerator {
			continue
		}
		n.Link = model.LinkReferences
		g.touch(n.Key, n.ParentKey)
		n.ParentKey, n.changed = n.Claim, true
		if n.Claim != 0 {
			n.Link = l.Link
		}
		l.Hint.Key = l.Key
		if err := g.seek(&l.Hint); err != nil {
			return err
		}
	}
	return nil
}

// refuseLoops looks up from each node that was moved, or hangs where it says itself
// again: below what was put below it meanwhile, maybe. Loops that messages make among
// themselves stay what they were.
func (g *graph) refuseLoops(set []model.ThreadRuling, lift []model.ThreadLift) error {
	type moved struct {
		key, parent int64
		why         string
	}
	var all []moved
	for _, r := range set {
		all = append(all, moved{r.Key, r.ParentKey, "a post cannot stand below itself, or below an answer to it"})
	}
	for _, l := range lift {
		if n := g.nodes[l.Key]; n != nil {
			all = append(all, moved{l.Key, n.ParentKey, "it would stand below an answer to it, for what was decided about another post of the thread; take that back first"})
		}
	}
	for _, m := range all {
		if m.parent == 0 {
			continue
		}
		var found int
		if err := g.t.Raw(`WITH RECURSIVE up (k, parent, link) AS (
			SELECT key, parent_key, link FROM thread_nodes WHERE list_id = ? AND key = ?
			UNION SELECT n.key, n.parent_key, n.link FROM up CROSS JOIN thread_nodes n WHERE n.list_id = ? AND n.key = up.parent)
			SELECT count(*) FROM up WHERE k = ? AND EXISTS (SELECT 1 FROM up WHERE link = ?)`,
			g.list, m.parent, g.list, m.key, model.LinkModerator).Row().Scan(&found); err != nil {
			return err
		}
		if found > 0 {
			return fault.New(fault.Conflict, "%s", m.why)
		}
	}
	return nil
}
