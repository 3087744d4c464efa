package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"plenary/internal/model"
)

// ReindexPosts writes everything derived from posts of one list anew, in one
// transaction: light rows but for the thread and the place of the bytes, wire
// forms, missing identities, and the words of the full-text index. posts come in
// the order of UIDs, have their ids, and exist.
func (s *Store) ReindexPosts(ctx context.Context, posts []*model.NewPost) error {
	if len(posts) == 0 {
		return nil
	}
	list := posts[0].Post.ID.List()
	err := s.write(ctx, func(t *tx) error {
		if _, _, err := t.takeUIDs(list, 0); err != nil { // no post comes meanwhile
			return err
		}
		for _, n := range posts {
			p := &n.Post
			if err := t.Exec(`UPDATE posts SET size = ?, header_len = ?, sent_at = ?, flags = ?, author = ?, author_key = ?,
				subject = ?, body_structure = ? WHERE id = ?`, p.Size, p.HeaderLen, p.SentAt, p.Flags, p.Author, p.AuthorKey,
				p.Subject, blob(p.BodyStructure), p.ID).Error; err != nil {
				return err
			}
		}
		for _, table := range wireTables {
			some := make([]wire, len(posts))
			for i, n := range posts {
				some[i] = wire{n.Post.ID, table.of(n)}
			}
			if err := t.replaceWires(table.wireTable, some); err != nil {
				return err
			}
		}
		if err := t.insertFixedKeys(posts); err != nil {
			return err
		}
		if err := t.reindexWords(posts); err != nil {
			return err
		}
		t.signal(TopicList(list))
		return nil
	})
	if err != nil {
		return err
	}
	return s.dropEras(ctx)
}

// reindexWords writes the words of posts of one list in the place of what there
// is. Those of an era that is far too large, or set aside, go to the newest, as if
// they had come now; that it still holds the old ones does not matter.
func (t *tx) reindexWords(posts []*model.NewPost) error {
	ranges, err := t.ranges(posts[0].Post.ID.List())
	if err != nil {
		return err
	}
	var large []int64
	if err := t.Raw("SELECT era FROM fts_eras WHERE posts >= ?", 2*t.s.eraPosts()).Scan(&large).Error; err != nil {
		return err
	}
	for len(posts) > 0 {
		era, known := eraOf(ranges, posts[0])
		n := 1
		for n < len(posts) {
			if other, _ := eraOf(ranges, posts[n]); other != era {
				break
			}
			n++
		}
		write := func() error { return t.replaceWords(era, posts[:n]) }
		if !known || slices.Contains(large, era) {
			write = func() error { return t.moveWords(posts[:n]) }
		}
		if err := write(); err != nil {
			return err
		}
		posts = posts[n:]
	}
	return nil
}

// eraOf tells which era a post is in.
func eraOf(ranges []eraRange, p *model.NewPost) (era int64, known bool) {
	for _, r := range ranges {
		if r.first > p.Post.ID.UID() {
			break
		}
		era, known = r.era, true
	}
	return era, known
}

// replaceWords writes words of an era anew.
func (t *tx) replaceWords(era int64, posts []*model.NewPost) error {
	t.writesTo(era)
	for some := range slices.Chunk(posts, maxInList) {
		ids := make([]model.PostID, len(some))
		for i, p := range some {
			ids[i] = p.Post.ID
		}
		if err := t.ofIndex(t.Exec("DELETE FROM "+eraTable(era)+" WHERE "+t.s.wordsID()+" IN ?", ids).Error); err != nil {
			return err
		}
	}
	return t.fillEra(era, posts)
}

// moveWords writes words to the newest era. A post between them that is not among
// them, because it cannot be read any more, is found where it was.
func (t *tx) moveWords(posts []*model.NewPost) error {
	var there []model.PostID
	if err := t.Raw("SELECT id FROM posts WHERE id BETWEEN ? AND ? ORDER BY id", posts[0].Post.ID, posts[len(posts)-1].Post.ID).
		Scan(&there).Error; err != nil {
		return err
	}
	for len(posts) > 0 {
		at := slices.Index(there, posts[0].Post.ID)
		n := 1
		for n < len(posts) && at+n < len(there) && posts[n].Post.ID == there[at+n] {
			n++
		}
		era, room, err := t.newestEra()
		if err != nil {
			return err
		}
		n = min(n, room)
		if err := t.fillEra(era, posts[:n]); err != nil {
			return err
		}
		if err := t.move(posts[0].Post.ID, posts[n-1].Post.ID, era); err != nil {
			return err
		}
		posts = posts[n:]
	}
	return nil
}

// replaceWires puts wire forms in the place of what there is. Groups that reach
// beyond them keep their other posts.
func (t *tx) replaceWires(table wireTable, fresh []wire) error {
	first, last := fresh[0].id, fresh[len(fresh)-1].id
	bottom, _ := postRange(first.List(), 0, 0)
	query := fmt.Sprintf(`SELECT id, %[1]s FROM %[2]s WHERE id BETWEEN
		COALESCE((SELECT max(id) FROM %[2]s WHERE id BETWEEN ? AND ?), ?) AND ? ORDER BY id`, table.column, table.name)
	rows, err := t.Raw(query, bottom, first, first, last).Rows()
	if err != nil {
		return err
	}
	var old []wire
	for rows.Next() {
		var w wire
		if err := rows.Scan(&w.id, &w.data); err != nil {
			_ = rows.Close()
			return err
		}
		old = append(old, w)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	all := slices.Clone(fresh)
	var ids []model.PostID
	for _, row := range old {
		var scratch []byte
		ids = append(ids, row.id)
		err := unpack(row, bottom, 1<<62, &scratch, func(u model.UID, b []byte) error {
			id := model.MakePostID(first.List(), u)
			if _, mine := slices.BinarySearchFunc(fresh, id, func(w wire, id model.PostID) int { return cmp.Compare(w.id, id) }); !mine {
				all = append(all, wire{id, slices.Clone(b)})
			}
			return nil
		})
		_ = err // a damaged group: what can be read of it is kept, the other posts are made anew in their turn
	}
	slices.SortFunc(all, func(a, b wire) int { return cmp.Compare(a.id, b.id) })
	for c := range slices.Chunk(ids, maxInList) {
		if err := t.Exec("DELETE FROM "+table.name+" WHERE id IN ?", c).Error; err != nil {
			return err
		}
	}
	for _, some := range inGroups(all) {
		packed, err := packGroup(some)
		if err != nil {
			return err
		}
		if err := t.Exec(table.insert()+"(?, ?)", some[0].id, packed).Error; err != nil {
			return err
		}
	}
	return nil
}

// SaveThreadNodes puts nodes of a list's threads right: each of fresh in the
// place of the one of old beside it. Key 0 is no node: added, or removed. A node
// that is not as old says any more is left alone: posts arrived meanwhile. It
// gives the number of nodes changed; posts get the thread of their node.
func (s *Store) SaveThreadNodes(ctx context.Context, listID int64, old, fresh []model.ThreadNode) (changed int, err error) {
	err = s.write(ctx, func(t *tx) error {
		changed = 0
		for i := range fresh {
			was, is := old[i], fresh[i]
			n, err := t.swapNode(listID, was, is)
			if err != nil {
				return err
			}
			changed += n
			if n == 0 || is.PostID == 0 {
				continue
			}
			if err := t.Exec("UPDATE posts SET thread_id = ? WHERE id = ?", is.ThreadID, is.PostID).Error; err != nil {
				return err
			}
		}
		t.signal(TopicList(listID))
		return t.Exec("UPDATE list_counters SET thread_seq = thread_seq + 1 WHERE list_id = ?", listID).Error
	})
	return changed, err
}

func (t *tx) swapNode(listID int64, was, is model.ThreadNode) (changed int, err error) {
	const same = "list_id = ? AND key = ? AND post_id = ? AND parent_key = ? AND claim = ? AND link = ? AND thread_id = ?"
	old := []any{listID, was.Key, was.PostID, was.ParentKey, was.Claim, was.Link, was.ThreadID}
	var r *gorm.DB
	switch {
	case was.Key == 0:
		r = t.Exec(`INSERT INTO thread_nodes (list_id, key, post_id, parent_key, claim, link, thread_id, message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (list_id, key) DO NOTHING`, listID, is.Key, is.PostID, is.ParentKey, is.Claim, is.Link, is.ThreadID, is.MessageID)
	case is.Key == 0:
		r = t.Exec("DELETE FROM thread_nodes WHERE "+same, old...)
	default:
		r = t.Exec("UPDATE thread_nodes SET post_id = ?, parent_key = ?, claim = ?, link = ?, thread_id = ?, message_id = ? WHERE "+same,
			append([]any{is.PostID, is.ParentKey, is.Claim, is.Link, is.ThreadID, is.MessageID}, old...)...)
	}
	return int(r.RowsAffected), r.Error
}
