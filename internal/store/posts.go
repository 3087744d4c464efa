package store

import (
	"database/sql"
	"errors"
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// How many rows one INSERT carries. More gains nothing on SQLite; PostgreSQL is asked
// over a wire, and a question of it may have 65,535 values.
const (
	rowsPerInsert         = 32
	rowsPerPostgresInsert = 256
)

// packOne compresses one message when that pays.
func (s *Store) packOne(data []byte) (codec int, stored []byte, err error) {
	c, err := s.coders.get()
	if err != nil {
		return 0, nil, err
	}
	if len(data) > 512 {
		if z := c.quick.EncodeAll(data, make([]byte, 0, len(data)/2)); len(z) < len(data)*9/10 {
			return codecZstd, z, nil
		}
	}
	return codecRaw, data, nil
}

// takeUIDs takes the next n UIDs of a list, giving the first, and the list's
// subscription sequence. It locks the list's counters until the commit: UIDs
// appear in the order of commits, also with several nodes.
func (t *tx) takeUIDs(listID int64, n int) (first model.UID, seq int64, err error) {
	var next int64
	err = t.row("UPDATE list_counters SET uid_next = uid_next + ? WHERE list_id = ? RETURNING uid_next, seq", n, listID).
		Scan(&next, &seq)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, 0, fault.New(fault.NotFound, "there is no such list")
	case err != nil:
		return 0, 0, err
	case next > 1<<32-1:
		return 0, 0, fault.New(fault.TooMany, "the list's archive is full")
	}
	return model.UID(next - int64(n)), seq, nil
}

// insertPosts writes what is alike for new and imported posts that have their
// ids and bytes: light rows, identities, threads. Words follow.
func (t *tx) insertPosts(listID int64, posts []*model.NewPost) error {
	g, err := t.placeInThreads(listID, posts)
	if err != nil {
		return err
	}
	for _, write := range []func([]*model.NewPost) error{t.insertLightRows, t.insertKeys} {
		if err := write(posts); err != nil {
			return err
		}
	}
	if err := g.settle(); err != nil {
		return err
	}
	t.signal(TopicList(listID))
	return nil
}

func (t *tx) insertLightRows(posts []*model.NewPost) error {
	args := make([]any, 0, 14*len(posts))
	for _, n := range posts {
		p := &n.Post
		args = append(args, p.ID, p.Size, p.HeaderLen, p.OwnLen, p.ReceivedAt, p.SentAt, p.Flags, p.ThreadID,
			p.BytesID, p.BytesOff, p.Author, p.AuthorKey, p.Subject, blob(p.BodyStructure))
	}
	return t.insertMany(`INSERT INTO posts (id, size, header_len, own_len, received_at, sent_at, flags, thread_id,
		bytes_id, bytes_off, author, author_key, subject, body_structure) VALUES `,
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "", args)
}

// insertKeys writes the identities. The first post with a Message-ID or with
// certain bytes stays the one that is meant; of a body the last one counts,
// because the duplicate rule looks back a while.
func (t *tx) insertKeys(posts []*model.NewPost) error {
	if err := t.insertFixedKeys(posts); err != nil {
		return err
	}
	var bodies []any
	last := map[string]bool{} // two of one statement would be one too many for PostgreSQL
	for _, n := range slices.Backward(posts) {
		if len(n.BodyKey) > 0 && n.Post.Flags&model.PostImported == 0 && !last[string(n.BodyKey)] {
			last[string(n.BodyKey)] = true
			bodies = append(bodies, n.ListID, model.KeyBody, n.BodyKey, n.Post.ID, n.Post.ReceivedAt)
		}
	}
	return t.insertMany(insertKey, keyRow,
		" ON CONFLICT (list_id, kind, key) DO UPDATE SET post_id = excluded.post_id, at = excluded.at", bodies)
}

const insertKey, keyRow = "INSERT INTO post_keys (list_id, kind, key, post_id, at) VALUES ", "(?, ?, ?, ?, ?)"

// insertFixedKeys writes the identities that the first post keeps.
func (t *tx) insertFixedKeys(posts []*model.NewPost) error {
	var fixed []any
	for _, n := range posts {
		if len(n.MessageKey) > 0 {
			fixed = append(fixed, n.ListID, model.KeyMessageID, n.MessageKey, n.Post.ID, n.Post.ReceivedAt)
		}
		if len(n.RawKey) > 0 {
			fixed = append(fixed, n.ListID, model.KeyRaw, n.RawKey, n.Post.ID, n.Post.ReceivedAt)
		}
	}
	return t.insertMany(insertKey, keyRow, " ON CONFLICT (list_id, kind, key) DO NOTHING", fixed)
}

// insertMany runs an INSERT for as many rows of args as one carries, and for what is
// left over some for less: few texts, which are kept prepared. On PostgreSQL it may fail
// later in the transaction (behind).
func (t *tx) insertMany(insert, row, tail string, args []any) error {
	width := strings.Count(row, "?")
	for len(args) > 0 {
		n := t.rowsOf(len(args) / width)
		if err := t.later(insert+strings.Repeat(row+", ", n-1)+row+tail, args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

// rowsOf is how many of so many rows the next INSERT carries: a power of two, or on
// PostgreSQL all of a few.
func (t *tx) rowsOf(rows int) int {
	n := rowsPerInsert
	if t.s.dialect == Postgres {
		if rows <= maxGathered {
			return rows
		}
		n = rowsPerPostgresInsert
	}
	for n > rows {
		n /= 2
	}
	return n
}

// blob makes an absent value an empty one: the columns are NOT NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
