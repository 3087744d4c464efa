package store

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// saving is a post on its way into the archive, and what became of it.
type saving struct {
	post   *model.NewPost
	codec  int
	stored []byte // its bytes as they are kept

	id  model.PostID
	dup bool
	err error

	turn chan turn // gather.go
}

// asTheyCame is how many octets of a new post are kept as they are until it is
// packed with others (SealPosts): compressing them costs several times what
// writing them does.
const asTheyCame = 32 << 10

// SavePost stores a new post of a list in one transaction: its UID, bytes,
// light rows, identities, place in its thread and words for search, and as far
// as p has them the distribution, the trace line and the end of the held post.
// Everything is durable when it returns. p.Post and p.Distribution get their
// ids. A post whose MessageKey the list has already is not stored again: dup is
// true and id names the first one; a held post it came from still ends. A held
// post that was decided meanwhile is a Conflict.
//
// Posts that come while another one is being written are written together
// (gather.go): what a commit costs is shared.
func (s *Store) SavePost(ctx context.Context, p *model.NewPost) (id model.PostID, dup bool, err error) {
	m := &saving{post: p, codec: codecRaw, stored: p.Bytes, turn: make(chan turn, 1)}
	if len(p.Bytes) > asTheyCame {
		if m.codec, m.stored, err = s.packOne(p.Bytes); err != nil {
			return 0, false, s.fault(err)
		}
	}
	if s.dialect == Postgres {
		fillVectors([]*model.NewPost{p})
	}
	if !s.saveTogether(ctx, m) {
		m.err = s.savePosts(ctx, func() []*saving { return []*saving{m} })
	}
	if m.err != nil {
		return 0, false, m.err
	}
	return m.id, m.dup, nil
}

// savePosts writes posts in one transaction; with an error it has written none.
// whom is asked once, when the transaction has begun.
func (s *Store) savePosts(ctx context.Context, whom func() []*saving) error {
	var group []*saving
	err := s.write(ctx, func(t *tx) error {
		if group == nil {
			group = whom()
		}
		if s.dialect == SQLite {
			// A statement with a context that can end has a goroutine to watch
			// it. These are quick, and the transaction has the context.
			t.DB = t.WithContext(context.WithoutCancel(ctx))
		}
		return t.savePosts(group)
	})
	if errors.Is(err, errDuplicate) { // there was nothing to write
		return nil
	}
	return err
}

func (t *tx) savePosts(group []*saving) error {
	// By list, because its counters are locked; the lists in one order, so that
	// no two transactions wait for each other.
	if err := t.seek(); err != nil {
		return err
	}
	group = slices.Clone(group)
	slices.SortStableFunc(group, func(a, b *saving) int { return cmp.Compare(a.post.ListID, b.post.ListID) })
	var fresh []*model.NewPost
	nothing := true
	for len(group) > 0 {
		list := group[0].post.ListID
		n := 1
		for n < len(group) && group[n].post.ListID == list {
			n++
		}
		some, released, err := t.saveOnList(list, group[:n])
		if err != nil {
			return err
		}
		fresh, nothing, group = append(fresh, some...), nothing && len(some) == 0 && !released, group[n:]
	}
	if nothing {
		return errDuplicate
	}
	if err := t.insertWires(fresh); err != nil {
		return err
	}
	events := make([]*model.Event, len(fresh))
	for i, p := range fresh {
		events[i] = p.Event
	}
	if err := t.saveEvent(events...); err != nil {
		return err
	}
	return t.insertWords(fresh) // the last, because FTS5 writes out what it has when another statement begins
}

// saveOnList stores posts of one list, without their wire forms, events and
// words, and gives those that are new to it.
func (t *tx) saveOnList(list int64, group []*saving) (fresh []*model.NewPost, released bool, err error) {
	uid, seq, err := t.takeUIDs(list, len(group))
	if err != nil {
		return nil, false, err
	}
	known, err := t.knownMessages(list, group)
	if err != nil {
		return nil, false, err
	}
	var stored []any
	for _, m := range group {
		p := m.post
		if err := t.releaseHeld(p); err != nil {
			return nil, false, err
		}
		released = released || p.HeldID != 0
		if m.id, m.dup = known[string(p.MessageKey)]; m.dup {
			continue
		}
		m.id = model.MakePostID(list, uid)
		uid++
		if len(p.MessageKey) > 0 {
			known[string(p.MessageKey)] = m.id
		}
		p.Post.ID, p.Post.BytesOff = m.id, 0
		fresh, stored = append(fresh, p), append(stored, m.codec, len(p.Bytes), blob(m.stored))
	}
	if n := len(group) - len(fresh); n > 0 {
		if err := t.Exec("UPDATE list_counters SET uid_next = uid_next - ? WHERE list_id = ?", n, list).Error; err != nil {
			return nil, false, err
		}
	}
	if len(fresh) == 0 {
		return nil, released, nil
	}
	ids, err := t.insertIDs(insertBytes, bytesRow, stored)
	if err != nil {
		return nil, false, err
	}
	for i, p := range fresh {
		p.Post.BytesID = ids[i]
	}
	if err := t.distribute(fresh, seq); err != nil {
		return nil, false, err
	}
	return fresh, released, t.insertPosts(list, fresh)
}

// knownMessages gives the posts of the list that have the Message-ID of one of
// these.
func (t *tx) knownMessages(list int64, group []*saving) (map[string]model.PostID, error) {
	known := map[string]model.PostID{}
	var keys [][]byte
	for _, m := range group {
		if len(m.post.MessageKey) > 0 {
			keys = append(keys, m.post.MessageKey)
		}
	}
	if len(keys) == 0 {
		return known, nil
	}
	these, args := in([]any{list, model.KeyMessageID}, keys)
	rows, err := t.query("SELECT key, post_id FROM post_keys WHERE list_id = ? AND kind = ? AND key IN "+these, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var key []byte
		var id model.PostID
		if err := rows.Scan(&key, &id); err != nil {
			_ = rows.Close()
			return nil, err
		}
		known[string(key)] = id
	}
	return known, errors.Join(rows.Err(), rows.Close())
}

// releaseHeld ends the waiting of the held post p was.
func (t *tx) releaseHeld(p *model.NewPost) error {
	if p.HeldID == 0 {
		return nil
	}
	r := t.Exec("UPDATE helds SET state = ?, decided_at = ?, decided_by = ? WHERE id = ? AND state = ?",
		model.HeldReleased, t.s.now(), p.DecidedBy, p.HeldID, model.HeldPending)
	if r.Error == nil && r.RowsAffected == 0 {
		return fault.New(fault.Conflict, "this post was decided already")
	}
	t.signal(TopicList(p.ListID))
	return r.Error
}

// distribute makes the distribution rows of stored posts of one list. Those of a list
// that has nobody are done: its counters are locked, and who joins later comes after
// their place in the sequence.
func (t *tx) distribute(posts []*model.NewPost, seq int64) error {
	var rows []*model.Distribution
	for _, p := range posts {
		if p.Distribution != nil {
			p.Distribution.PostID = p.Post.ID
			rows = append(rows, p.Distribution)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	list := posts[0].ListID
	var anybody bool
	if err := t.row("SELECT EXISTS (SELECT 1 FROM subscribers WHERE list_id = ? AND ended_seq = 0 AND (roles & 1) <> 0)", list).Scan(&anybody); err != nil {
		return err
	}
	var args []any
	for _, d := range rows {
		d.ID, d.ListID, d.Seq, d.State, d.DoneAt = 0, list, seq, model.DistributionActive, 0 // also after a transaction that failed
		if d.CreatedAt.IsZero() {
			d.CreatedAt = t.s.queueNow()
		}
		if !anybody {
			d.State, d.DoneAt = model.DistributionDone, t.s.queueNow()
		}
		args = append(args, d.ListID, d.Kind, d.Lane, d.State, d.PostID, d.BytesID,
			d.ReversePath, d.Recipient, d.Options, d.Seq, d.Cursor, d.CreatedAt, d.DoneAt)
	}
	if anybody {
		t.signal(TopicQueue)
	}
	ids, err := t.insertIDs("INSERT INTO distributions (list_id, kind, lane, state, post_id, bytes_id, reverse_path, recipient, options, seq, cursor, "+
		"created_at, done_at) VALUES ", "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", args)
	for i, id := range ids {
		rows[i].ID = id
	}
	return err
}
