package store

import (
	"context"
	"database/sql"
	"errors"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Frames of consecutive posts, in decoded octets. A frame is closed when the
// next message would pass frameMost; one message may be larger.
const (
	frameLeast = 128 << 10
	frameMost  = 256 << 10
)

const importAttempts = 5 // when somebody else imports the same posts meanwhile

// ImportPosts stores posts of an old archive in one transaction, and how far
// in source the import came. Posts whose RawKey the list has already, or that
// came earlier in posts, are left out: added tells how many were not. A
// Message-ID may repeat. Bytes go in frames, compressed before the transaction.
// Nothing is sent to anybody.
func (s *Store) ImportPosts(ctx context.Context, listID int64, posts []*model.NewPost, source string, position int64) (added int, err error) {
	for range importAttempts {
		fresh, err := s.unknown(ctx, listID, posts)
		if err != nil {
			return 0, s.fault(err)
		}
		frames, err := s.frames(fresh)
		if err != nil {
			return 0, s.fault(err)
		}
		err = s.write(ctx, func(t *tx) error { return t.importFrames(listID, frames, importPlace{source, position}) })
		if err == nil {
			return len(fresh), nil
		}
		if !errors.Is(err, errDuplicate) {
			return 0, err
		}
	}
	return 0, fault.New(fault.Temporary, "this archive is being imported by someone else, please try again later")
}

type importPlace struct {
	source   string
	position int64
}

// frame is the bytes of consecutive posts, compressed.
type frame struct {
	posts  []*model.NewPost
	size   int
	codec  int
	stored []byte
}

// unknown leaves out the posts the list has, and repeats.
func (s *Store) unknown(ctx context.Context, listID int64, posts []*model.NewPost) ([]*model.NewPost, error) {
	known, err := knownRaw(&tx{DB: s.read(ctx), s: s}, listID, posts)
	if err != nil {
		return nil, err
	}
	fresh := make([]*model.NewPost, 0, len(posts))
	for _, p := range posts {
		if k := string(p.RawKey); k != "" {
			if known[k] {
				continue
			}
			known[k] = true
		}
		fresh = append(fresh, p)
	}
	return fresh, nil
}

// knownRaw gives those raw keys of posts that the list has.
func knownRaw(t *tx, listID int64, posts []*model.NewPost) (map[string]bool, error) {
	known := map[string]bool{}
	for len(posts) > 0 {
		n := min(len(posts), maxInList)
		keys := make([][]byte, 0, n)
		for _, p := range posts[:n] {
			if len(p.RawKey) > 0 {
				keys = append(keys, p.RawKey)
			}
		}
		posts = posts[n:]
		if len(keys) == 0 {
			continue
		}
		rows, err := t.Raw("SELECT key FROM post_keys WHERE list_id = ? AND kind = ? AND key IN ?",
			listID, model.KeyRaw, keys).Rows()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var k []byte
			if err := rows.Scan(&k); err != nil {
				_ = rows.Close()
				return nil, err
			}
			known[string(k)] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// frames joins the bytes of consecutive posts and compresses them.
func (s *Store) frames(posts []*model.NewPost) ([]*frame, error) {
	enc, _, err := s.cache.coder()
	if err != nil {
		return nil, err
	}
	var out []*frame
	var buf []byte
	var f *frame
	flush := func() {
		if f != nil {
			f.size, f.codec = len(buf), codecZstd
			f.stored = enc.EncodeAll(buf, make([]byte, 0, len(buf)/2))
			out = append(out, f)
		}
		f, buf = &frame{}, buf[:0]
	}
	for _, p := range posts {
		if f == nil || len(f.posts) > 0 && len(buf)+len(p.Bytes) > frameMost {
			flush()
		}
		p.Post.BytesOff = int64(len(buf))
		buf = append(buf, p.Bytes...)
		f.posts = append(f.posts, p)
	}
	if f != nil && len(f.posts) > 0 {
		flush()
	}
	return out, nil
}

// importFrames writes everything. errDuplicate: somebody else stored one of the
// posts since they were looked up.
func (t *tx) importFrames(listID int64, frames []*frame, at importPlace) error {
	var posts []*model.NewPost
	for _, f := range frames {
		posts = append(posts, f.posts...)
	}
	if len(posts) > 0 {
		uid, _, err := t.takeUIDs(listID, len(posts))
		if err != nil {
			return err
		}
		known, err := knownRaw(t, listID, posts)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			return errDuplicate
		}
		for _, f := range frames {
			bytesID, err := t.insertBytes(f.codec, f.size, f.stored)
			if err != nil {
				return err
			}
			for _, p := range f.posts {
				p.Post.ID, p.Post.BytesID = model.MakePostID(listID, uid), bytesID
				uid++
			}
		}
		if err := t.insertPosts(listID, posts); err != nil {
			return err
		}
	}
	return t.Exec(`INSERT INTO imports (list_id, source, position, added, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (list_id, source) DO UPDATE SET position = excluded.position,
		added = imports.added + excluded.added, at = excluded.at`,
		listID, at.source, at.position, len(posts), t.s.now()).Error
}

// ImportPosition is how far the import of source into the list came; 0 when it
// never began.
func (s *Store) ImportPosition(ctx context.Context, listID int64, source string) (position int64, err error) {
	err = s.read(ctx).Raw("SELECT position FROM imports WHERE list_id = ? AND source = ?", listID, source).Row().Scan(&position)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return position, s.fault(err)
}
