package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// What is read at once, so that no slow client holds a connection: the page is
// read whole, the connection given back, and then handed out.
const (
	pageRows   = 512
	pageOctets = 1 << 20
)

// Conditions on a range of UIDs of one list, inclusive.
func postRange(listID int64, from, to model.UID) (first, last model.PostID) {
	return model.MakePostID(listID, from), model.MakePostID(listID, to)
}

// GetPost gives a post's light row; NotFound when there is none.
func (s *Store) GetPost(ctx context.Context, id model.PostID) (*model.Post, error) {
	var p model.Post
	err := s.hot(ctx).row("SELECT id, size, header_len, own_len, received_at, sent_at, flags, thread_id, bytes_id, bytes_off, author, author_key, "+
		"subject, body_structure FROM posts WHERE id = ?", id).Scan(&p.ID, &p.Size, &p.HeaderLen, &p.OwnLen, &p.ReceivedAt, &p.SentAt, &p.Flags,
		&p.ThreadID, &p.BytesID, &p.BytesOff, &p.Author, &p.AuthorKey, &p.Subject, &p.BodyStructure)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "there is no such post")
	}
	if err != nil {
		return nil, s.fault(err)
	}
	return &p, nil
}

// FindPosts gives the light rows of those of ids that exist, in their order.
func (s *Store) FindPosts(ctx context.Context, ids []model.PostID) ([]model.Post, error) {
	out := make([]model.Post, 0, len(ids))
	for c := range slices.Chunk(ids, maxInList) {
		var some []model.Post
		if err := s.read(ctx).Where("id IN ?", c).Find(&some).Error; err != nil {
			return nil, s.fault(err)
		}
		out = append(out, some...)
	}
	at := make(map[model.PostID]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(out, func(a, b model.Post) int { return at[a.ID] - at[b.ID] })
	return out, nil
}

// PostsOfThread gives the ids of the posts of a thread, in order.
func (s *Store) PostsOfThread(ctx context.Context, thread model.PostID) (ids []model.PostID, err error) {
	first, last := postRange(thread.List(), 0, 1<<32-1)
	err = s.read(ctx).Raw("SELECT id FROM posts WHERE thread_id = ? AND id BETWEEN ? AND ? ORDER BY id", thread, first, last).Scan(&ids).Error
	return ids, s.fault(err)
}

// FindPostByKey gives the post with this identity (model.KeyMessageID ...) on
// the list, 0 when there is none.
func (s *Store) FindPostByKey(ctx context.Context, listID int64, kind int, key []byte) (model.PostID, error) {
	if len(key) == 0 {
		return 0, nil
	}
	var id model.PostID
	err := s.read(ctx).Raw("SELECT post_id FROM post_keys WHERE list_id = ? AND kind = ? AND key = ?", listID, kind, key).Row().Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, s.fault(err)
}

// CountPosts tells how many posts the list's archive has.
func (s *Store) CountPosts(ctx context.Context, listID int64) (n int64, err error) {
	a, b := postRange(listID, 0, 1<<32-1)
	err = s.read(ctx).Raw("SELECT count(*) FROM posts WHERE id BETWEEN ? AND ?", a, b).Row().Scan(&n)
	return n, s.fault(err)
}

// NextUID is the UID the list's next post will get.
func (s *Store) NextUID(ctx context.Context, listID int64) (model.UID, error) {
	var n int64
	err := s.read(ctx).Raw("SELECT uid_next FROM list_counters WHERE list_id = ?", listID).Row().Scan(&n)
	return model.UID(n), s.fault(err)
}

// PostBytes gives the archived form of a post. p may have been read a while
// ago: when its bytes were moved into a frame since, they are looked up again.
func (s *Store) PostBytes(ctx context.Context, p *model.Post) ([]byte, error) {
	at := *p
	for range 3 {
		data, err := s.Bytes(ctx, at.BytesID)
		switch {
		case err == nil:
			if at.BytesOff < 0 || at.BytesOff+at.Size > int64(len(data)) {
				return nil, fault.New(fault.Internal, "a stored message is damaged")
			}
			return data[at.BytesOff : at.BytesOff+at.Size : at.BytesOff+at.Size], nil
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
		fresh, err := s.GetPost(ctx, at.ID)
		if err != nil {
			return nil, err
		}
		at = *fresh
	}
	return nil, fault.New(fault.Temporary, "the message is being moved, please try again")
}

// PostEnvelopes gives the ENVELOPE wire forms of a range of posts in the order
// of UIDs. The bytes are good until yield returns.
func (s *Store) PostEnvelopes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return s.wires(ctx, envelopeTable, span{listID, from, to}, yield)
}

// PostStructures gives the BODYSTRUCTURE wire forms, as PostEnvelopes does.
func (s *Store) PostStructures(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return s.blobs(ctx, "SELECT id, body_structure FROM posts", span{listID, from, to}, yield)
}

// PostHeaders gives the usual header fields verbatim, as PostEnvelopes does.
func (s *Store) PostHeaders(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return s.wires(ctx, headerTable, span{listID, from, to}, yield)
}

// PostColumns gives what searching, sorting and threading keep of each header,
// as PostEnvelopes does. A post may lack it.
func (s *Store) PostColumns(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return s.wires(ctx, columnTable, span{listID, from, to}, yield)
}

// span is a range of UIDs of a list, inclusive.
type span struct {
	list     int64
	from, to model.UID
}

// blobs pages through one column of a range of posts.
func (s *Store) blobs(ctx context.Context, query string, r span, yield func(model.UID, []byte) error) error {
	at, last := postRange(r.list, r.from, r.to)
	var ids []model.PostID
	var ends []int
	var data []byte
	for at <= last {
		ids, ends, data = ids[:0], ends[:0], data[:0]
		rows, err := s.read(ctx).Raw(query+" WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", at, last, pageRows).Rows()
		if err != nil {
			return s.fault(err)
		}
		full := false
		for !full && rows.Next() {
			var id model.PostID
			var b sql.RawBytes
			if err := rows.Scan(&id, &b); err != nil {
				_ = rows.Close()
				return s.fault(err)
			}
			data = append(data, b...)
			ids, ends = append(ids, id), append(ends, len(data))
			full = len(data) > pageOctets
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return s.fault(err)
		}
		start := 0
		for i, id := range ids {
			if err := yield(id.UID(), data[start:ends[i]:ends[i]]); err != nil {
				return err
			}
			start = ends[i]
		}
		if len(ids) < pageRows && !full {
			return nil
		}
		at = ids[len(ids)-1] + 1
	}
	return nil
}

// ThreadNodes gives the graph of a list's threads (posts and ghosts), by key.
// The node is good until yield returns.
func (s *Store) ThreadNodes(ctx context.Context, listID int64, yield func(*model.ThreadNode) error) error {
	page := make([]model.ThreadNode, 0, 4*pageRows)
	after := int64(-1) << 63
	for {
		page = page[:0]
		rows, err := s.read(ctx).Raw("SELECT "+nodeColumns+" FROM thread_nodes WHERE list_id = ? AND key > ? ORDER BY key LIMIT ?",
			listID, after, cap(page)).Rows()
		if err != nil {
			return s.fault(err)
		}
		for rows.Next() {
			page = append(page, model.ThreadNode{ListID: listID})
			n := &page[len(page)-1]
			if err := scanNode(rows, n); err != nil {
				_ = rows.Close()
				return s.fault(err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return s.fault(err)
		}
		for i := range page {
			if err := yield(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < cap(page) {
			return nil
		}
		after = page[len(page)-1].Key
	}
}
