package store

import (
	"context"
	"errors"
	"slices"

	"plenary/internal/model"
)

// How many posts sealing looks at in one go.
var maxUnsealed = 20000 // tests make it small

// loose is a post whose bytes are a row of its own.
type loose struct {
	id      model.PostID
	size    int64
	header  int64
	bytesID int64
}

// SealPosts packs the bytes of consecutive posts of a list that have rows of
// their own into frames of 128 to 256 KB, and their wire forms into groups; it
// gives the number of frames made.
// What is too little for a frame waits for more. Whoever reads meanwhile and
// finds a row gone looks the post up again (PostBytes).
func (s *Store) SealPosts(ctx context.Context, listID int64) (frames int, err error) {
	for more := true; more; {
		var made int
		if made, more, err = s.sealSome(ctx, listID); err != nil {
			return frames, err
		}
		frames, more = frames+made, more && made > 0
	}
	for _, t := range wireTables {
		if err := s.regroup(ctx, t.wireTable, listID); err != nil {
			return frames, err
		}
	}
	return frames, nil
}

// sealSome seals the oldest loose posts; more says that there were others.
func (s *Store) sealSome(ctx context.Context, listID int64) (frames int, more bool, err error) {
	posts, more, err := s.loosePosts(ctx, listID)
	if err != nil {
		return 0, false, s.fault(err)
	}
	for len(posts) > 0 {
		n, total := 0, int64(0)
		for n < len(posts) && (n == 0 || total+posts[n].size <= frameMost) {
			total += posts[n].size
			n++
		}
		if total < frameLeast && n == len(posts) {
			break
		}
		if n > 1 { // a message that fills a frame stays as it is
			if err := s.sealFrame(ctx, posts[:n]); err != nil {
				return frames, false, err
			}
			frames++
		}
		posts = posts[n:]
	}
	return frames, more, nil
}

// loosePosts gives the oldest unsealed posts since the last frame, in their order;
// more says that there are others. Sealing goes from old to new, so nothing behind
// a frame is left to do.
func (s *Store) loosePosts(ctx context.Context, listID int64) (posts []loose, more bool, err error) {
	from, to := postRange(listID, 0, 1<<32-1)
	rows, err := s.read(ctx).Raw(`SELECT p.id, p.size, p.header_len, p.bytes_id, b.size FROM posts p
		JOIN message_bytes b ON b.id = p.bytes_id WHERE p.id BETWEEN ? AND ? ORDER BY p.id DESC`,
		from, to).Rows()
	if err != nil {
		return nil, false, err
	}
	for rows.Next() {
		var p loose
		var row int64
		if err := rows.Scan(&p.id, &p.size, &p.header, &p.bytesID, &row); err != nil {
			_ = rows.Close()
			return nil, false, err
		}
		if row > p.size { // shares its row with others: a frame
			break
		}
		if len(posts) == 2*maxUnsealed {
			posts, more = posts[:copy(posts, posts[maxUnsealed:])], true
		}
		posts = append(posts, p)
	}
	if n := len(posts) - maxUnsealed; n > 0 {
		posts, more = posts[n:], true
	}
	slices.Reverse(posts)
	return posts, more, errors.Join(rows.Err(), rows.Close())
}

// sealFrame puts the posts into one frame. A post that was moved or removed
// meanwhile ends it without a change.
func (s *Store) sealFrame(ctx context.Context, posts []loose) error {
	c, err := s.coders.get()
	if err != nil {
		return s.fault(err)
	}
	bytes, headers := make([][]byte, len(posts)), make([]int64, len(posts))
	offs, old, off := make([]int64, len(posts)), make([]int64, len(posts)), int64(0)
	for i, p := range posts {
		data, err := s.loadBytes(s.read(ctx), p.bytesID)
		if err != nil {
			return s.fault(err)
		}
		bytes[i], headers[i] = data, p.header
		offs[i], old[i] = off, p.bytesID
		off += int64(len(data))
	}
	size, stored := packFrame(c.enc, bytes, headers)
	err = s.write(ctx, func(t *tx) error {
		id, err := t.insertBytes(codecSplit, size, stored)
		if err != nil {
			return err
		}
		for i, p := range posts {
			r := t.Exec("UPDATE posts SET bytes_id = ?, bytes_off = ? WHERE id = ? AND bytes_id = ?", id, offs[i], p.id, p.bytesID)
			if r.Error != nil {
				return r.Error
			}
			if r.RowsAffected != 1 {
				return errDuplicate
			}
		}
		return t.Exec("DELETE FROM message_bytes WHERE id IN ?", old).Error
	})
	if errors.Is(err, errDuplicate) {
		return nil
	}
	return err
}
