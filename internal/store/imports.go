package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"gorm.io/gorm"

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
		p, err := s.pack(fresh)
		if err != nil {
			return 0, s.fault(err)
		}
		err = s.write(ctx, func(t *tx) error { return t.importParcel(listID, p, importPlace{source, position}) })
		if err == nil {
			return len(fresh), nil
		}
		if !errors.Is(err, errDuplicate) {
			return 0, err
		}
	}
	return 0, fault.New(fault.Temporary, "this archive is being imported by someone else, please try again later")
}

// PackPosts compresses what ImportParcel will store, without the database, so
// that it can be done while another parcel is being written.
func (s *Store) PackPosts(listID int64, posts []*model.NewPost) (*model.Parcel, error) {
	p, err := s.pack(posts)
	return &model.Parcel{ListID: listID, Posts: posts, Packed: p}, s.fault(err)
}

// ImportParcel does what ImportPosts does with posts that are packed already.
// Where the list has some of them, the rest is packed again.
func (s *Store) ImportParcel(ctx context.Context, m *model.Parcel, source string, position int64) (added int, err error) {
	fresh, err := s.unknown(ctx, m.ListID, m.Posts)
	if err != nil {
		return 0, s.fault(err)
	}
	if p, ok := m.Packed.(*parcel); ok && len(fresh) == len(m.Posts) {
		err := s.write(ctx, func(t *tx) error { return t.importParcel(m.ListID, p, importPlace{source, position}) })
		if !errors.Is(err, errDuplicate) {
			return len(fresh), err
		}
	}
	return s.ImportPosts(ctx, m.ListID, fresh, source, position)
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
	var known map[string]bool
	err := s.read(ctx).Transaction(func(db *gorm.DB) (err error) {
		t := &tx{DB: db, s: s}
		if err = t.seek(); err == nil {
			known, err = knownRaw(t, listID, posts)
		}
		return err
	})
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

// seek has PostgreSQL look things up by their whole keys for the rest of the
// transaction. It keeps the plans it made when a table was small, and tables fill
// faster than it learns their size; and of a list that is newer than what it has
// counted it believes that it has no rows, so that the list alone would be key enough.
// That a plan serves all values spares it making one for each.
func (t *tx) seek() error {
	if t.s.dialect != Postgres {
		return nil
	}
	return t.later("SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)")
}

// knownRaw gives those raw keys of posts that the list has.
func knownRaw(t *tx, listID int64, posts []*model.NewPost) (map[string]bool, error) {
	known := map[string]bool{}
	var keys [][]byte
	for _, p := range posts {
		if len(p.RawKey) > 0 {
			keys = append(keys, p.RawKey)
		}
	}
	err := lookUp(t, rowsBy{"key", "post_keys", "list_id = ? AND kind = ? AND key", []any{listID, model.KeyRaw}}, keys, func(rows *sql.Rows) error {
		var k []byte
		if err := rows.Scan(&k); err != nil {
			return err
		}
		known[string(k)] = true
		return nil
	})
	return known, err
}

// parcel is posts made ready for the transaction.
type parcel struct {
	posts  []*model.NewPost
	frames []*frame
	groups []group
}

// group is a packed row of wire forms; from is the place of its first post.
type group struct {
	table wireTable
	from  int
	data  []byte
}

// pack joins and compresses what posts one after another share, on all
// processors.
func (s *Store) pack(posts []*model.NewPost) (*parcel, error) {
	c, err := s.coders.get()
	if err != nil {
		return nil, err
	}
	p := &parcel{posts: posts, frames: frames(posts)}
	work := s.makeVectors(posts)
	for _, f := range p.frames {
		work = append(work, func() error { f.compress(c.enc); return nil })
	}
	for _, t := range wireTables {
		all := make([]wire, len(posts))
		for i, n := range posts {
			all[i] = wire{model.PostID(i), t.of(n)} // only distances count
		}
		for _, some := range inGroups(all) {
			p.groups = append(p.groups, group{table: t.wireTable, from: int(some[0].id)})
			at := len(p.groups) - 1
			work = append(work, func() (err error) {
				p.groups[at].data, err = packGroup(some)
				return err
			})
		}
	}
	return p, inParallel(s.Workers(), work)
}

// Workers is how many may compute beside who writes: as many as Go has processors. For
// PostgreSQL Go gets one more: while all it has compute, it looks for answers of the
// database every 10 ms only, and who writes asks it many things one after another. Of
// SQLite, whose writer computes itself, that would only take time away. Who runs the
// program and sets GOMAXPROCS keeps that number.
func (s *Store) Workers() int {
	n := goProcessors()
	if s.dialect == Postgres {
		oneProcessorMore()
	}
	return n
}

var goProcessors = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

var oneProcessorMore = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
})

// inParallel does the work with so many workers.
func inParallel(workers int, work []func() error) error {
	errs := make([]error, len(work))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, len(work)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(work); i = next.Add(1) - 1 {
				errs[i] = work[i]()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// frames parts posts into frames.
func frames(posts []*model.NewPost) []*frame {
	var out []*frame
	var f *frame
	for _, p := range posts {
		if f == nil || len(f.posts) > 0 && f.size+len(p.Bytes) > frameMost {
			f = &frame{}
			out = append(out, f)
		}
		p.Post.BytesOff = int64(f.size)
		f.size += len(p.Bytes)
		f.posts = append(f.posts, p)
	}
	return out
}

func (f *frame) compress(enc *zstd.Encoder) {
	bytes, headers := make([][]byte, len(f.posts)), make([]int64, len(f.posts))
	for i, p := range f.posts {
		bytes[i], headers[i] = p.Bytes, p.Post.HeaderLen
	}
	f.codec = codecSplit
	_, f.stored = packFrame(enc, bytes, headers)
}

// importParcel writes everything. errDuplicate: somebody else stored one of the
// posts since they were looked up.
func (t *tx) importParcel(listID int64, p *parcel, at importPlace) error {
	if err := t.seek(); err != nil {
		return err
	}
	if len(p.posts) > 0 {
		if err := t.importPosts(listID, p); err != nil {
			return err
		}
	}
	return t.Exec(`INSERT INTO imports (list_id, source, position, added, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (list_id, source) DO UPDATE SET position = excluded.position,
		added = imports.added + excluded.added, at = excluded.at`,
		listID, at.source, at.position, len(p.posts), t.s.now()).Error
}

func (t *tx) importPosts(listID int64, p *parcel) error {
	uid, _, err := t.takeUIDs(listID, len(p.posts))
	if err != nil {
		return err
	}
	known, err := knownRaw(t, listID, p.posts)
	if err != nil {
		return err
	}
	if len(known) > 0 {
		return errDuplicate
	}
	first := model.MakePostID(listID, uid)
	for i, n := range p.posts {
		n.Post.ID = first + model.PostID(i)
	}
	for _, f := range p.frames {
		bytesID, err := t.insertBytes(f.codec, f.size, f.stored)
		if err != nil {
			return err
		}
		for _, n := range f.posts {
			n.Post.BytesID = bytesID
		}
	}
	for _, g := range p.groups {
		if err := t.insertMany(g.table.insert(), "(?, ?)", "", []any{first + model.PostID(g.from), g.data}); err != nil {
			return err
		}
	}
	if err := t.insertPosts(listID, p.posts); err != nil {
		return err
	}
	return t.insertWords(p.posts)
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
