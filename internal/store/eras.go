package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"plenary/internal/model"
)

// The full-text index is a row of tables, eras. Each holds the words of so many
// posts of all lists, in the order they came. Small ones are what makes it quick:
// SQLite joins the posts of all words with a beginning before it gives the first
// of them, PostgreSQL finds all hits before it gives the newest, and both merge
// new words into old ones; so each does it for one era.
//
// fts_ranges says where the posts of a list are: from a first UID to the next
// row of the list they are in one era, and a question about them asks only that.
// What an era holds outside of the ranges that name it is never seen. An era is
// made by the transaction that finds the newest full; nobody looks closely, one
// may hold a few more. An era that no range names is dropped.
//
// Before step 14 there was one table for all: it is era 0, however large, until
// its posts are indexed anew (posts_reindex.go).

const eraPosts = 16384 // of an era, unless Store.EraPosts says otherwise

// dropStep is how many rows of an era's data one transaction removes.
const dropStep = 2000

// eraRange is a range of a list's posts.
type eraRange struct {
	first model.UID
	era   int64
}

// eraCount remembers how many posts the newest era has, and which of the others
// were made one piece (eras_merge.go).
type eraCount struct {
	mu     sync.Mutex
	merged map[int64]bool

	known bool
	era   int64
	posts int
	since int // posts written since they were counted: other processes write as well
}

func (s *Store) eraPosts() int {
	if s.EraPosts > 0 {
		return s.EraPosts
	}
	return eraPosts
}

// eraTables is how the names of the tables begin.
const eraTables = "post_fts_"

// How a statement begins that writes to an era, and the columns of one that adds
// posts (pool.go).
const (
	eraInsert  = "INSERT INTO " + eraTables
	eraColumns = " (rowid, subject, author, recipients, body, quoted, files) VALUES "
)

func eraTable(era int64) string { return fmt.Sprintf("%s%d", eraTables, era) }

// newestEra gives the era that takes posts, and how many it has room for. A full
// one is closed, and the next made.
func (t *tx) newestEra() (era int64, room int, err error) {
	if err := t.row("SELECT max(era) FROM fts_eras").Scan(&era); err != nil {
		return 0, 0, err
	}
	t.writesTo(era)
	size := t.s.eraPosts()
	posts, err := t.postsOf(era, size)
	if err != nil || posts < size {
		return era, size - posts, err
	}
	return era + 1, size, t.makeEra(era + 1)
}

// postsOf counts an era's posts, up to size; now and then, and for itself in
// between.
func (t *tx) postsOf(era int64, size int) (int, error) {
	c := &t.s.eras
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known && c.era == era && c.posts < size && c.since < size/8 {
		return c.posts, nil
	}
	table := eraTable(era)
	if t.s.dialect == SQLite {
		table += "_docsize"
	}
	var n int
	err := t.row("SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT ?) AS counted", size).Scan(&n)
	c.known, c.era, c.posts, c.since = err == nil, era, n, 0
	return n, err
}

// wrote counts posts added to an era.
func (c *eraCount) wrote(era int64, posts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.era == era {
		c.posts, c.since = c.posts+posts, c.since+posts
	}
}

// makeEra makes an era's table, unless another node just did.
func (t *tx) makeEra(era int64) error {
	r, err := t.exec("INSERT INTO fts_eras (era, posts) VALUES (?, 0) ON CONFLICT DO NOTHING", era)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	before := eraTable(era - 1)
	steps := postgresEra(eraTable(era), before)
	if t.s.dialect == SQLite {
		steps = sqliteEra(eraTable(era))
		before += "_docsize"
	}
	for _, step := range append(steps, fmt.Sprintf("UPDATE fts_eras SET posts = (SELECT count(*) FROM %s) WHERE era = %d AND posts < %d", before, era-1, int64(setAsidePosts))) {
		if _, err := t.exec(step); err != nil {
			return err
		}
	}
	return nil
}

// sqliteEra makes an era's table: what it holds and why is told in step 1, the
// settings in step 4.
func sqliteEra(table string) []string {
	return []string{
		"CREATE VIRTUAL TABLE " + table + " USING fts5 (" + strings.Join(searchColumns[:], ", ") +
			", content = '', contentless_delete = 1, detail = full, tokenize = \"ascii\")",
		"INSERT INTO " + table + " (" + table + ", rank) VALUES ('hashsize', 8388608)",
		"INSERT INTO " + table + " (" + table + ", rank) VALUES ('automerge', 8)",
	}
}

// ranges gives the ranges of a list in the order of UIDs.
func (t *tx) ranges(list int64) ([]eraRange, error) {
	rows, err := t.query("SELECT first_uid, era FROM fts_ranges WHERE list_id = ? ORDER BY first_uid", list)
	if err != nil {
		return nil, err
	}
	var out []eraRange
	for rows.Next() {
		var r eraRange
		if err := rows.Scan(&r.first, &r.era); err != nil {
			_ = rows.Close()
			return nil, err
		}
		out = append(out, r)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// extend says that the newest posts of a list, from one on, are in an era.
func (t *tx) extend(first model.PostID, era int64) error {
	var last int64
	err := t.row("SELECT era FROM fts_ranges WHERE list_id = ? ORDER BY first_uid DESC LIMIT 1", first.List()).Scan(&last)
	if err == nil && last == era || err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = t.exec("INSERT INTO fts_ranges (list_id, first_uid, era) VALUES (?, ?, ?)", first.List(), first.UID(), era)
	return err
}

// eraPart is what one era knows of the posts from one to another.
type eraPart struct {
	era      int64
	from, to model.PostID
}

// parts cuts the posts of a list between two into what each era has of them.
func parts(ranges []eraRange, from, to model.PostID) (out []eraPart) {
	end := model.UID(math.MaxUint32)
	for i := len(ranges) - 1; i >= 0; i-- {
		r := ranges[i]
		first, last := max(r.first, from.UID()), min(end, to.UID())
		if first <= last {
			out = append(out, eraPart{r.era, model.MakePostID(from.List(), first), model.MakePostID(from.List(), last)})
		}
		if r.first == 0 {
			break
		}
		end = r.first - 1
	}
	return out
}

// move says that the posts of a list from one to another are in an era now. Ranges
// reach over UIDs that no post has, so that none is left without posts.
func (t *tx) move(first, last model.PostID, era int64) error {
	list := first.List()
	bottom, top := model.MakePostID(list, 0), model.MakePostID(list, math.MaxUint32)
	var before, after sql.NullInt64
	if err := t.row("SELECT (SELECT max(id) FROM posts WHERE id >= ? AND id < ?), (SELECT min(id) FROM posts WHERE id > ? AND id <= ?)",
		bottom, first, last, top).Scan(&before, &after); err != nil {
		return err
	}
	from, next := model.UID(0), model.UID(0) // next 0: the range is the last
	if before.Valid {
		from = model.PostID(before.Int64).UID() + 1
	}
	if after.Valid {
		next = model.PostID(after.Int64).UID()
	}
	old, err := t.ranges(list)
	if err != nil {
		return err
	}
	fresh := moved(old, from, next, era)
	for _, r := range old {
		if slices.Contains(fresh, r) {
			continue
		}
		if _, err := t.exec("DELETE FROM fts_ranges WHERE list_id = ? AND first_uid = ?", list, r.first); err != nil {
			return err
		}
	}
	for _, r := range fresh {
		if slices.Contains(old, r) {
			continue
		}
		if _, err := t.exec("INSERT INTO fts_ranges (list_id, first_uid, era) VALUES (?, ?, ?)", list, r.first, r.era); err != nil {
			return err
		}
	}
	return nil
}

// moved gives the ranges of a list after the posts from one UID to the one before
// next went to an era. next 0: all that come after.
func moved(old []eraRange, from, next model.UID, era int64) (out []eraRange) {
	add := func(r eraRange) {
		if n := len(out); n == 0 || out[n-1].era != r.era {
			out = append(out, r)
		}
	}
	for _, r := range old {
		if r.first < from {
			add(r)
		}
	}
	add(eraRange{from, era})
	if next == 0 {
		return out
	}
	for i, r := range old {
		if i+1 < len(old) && old[i+1].first <= next {
			continue
		}
		add(eraRange{max(r.first, next), r.era})
	}
	return out
}

// removeWords takes the words of a list out of all eras. Those that no range names
// may be half gone (dropSome); those set aside are left alone.
func (t *tx) removeWords(list int64) error {
	var eras []int64
	if err := t.Raw("SELECT era FROM fts_eras WHERE posts < ? AND era IN (SELECT era FROM fts_ranges)", int64(setAsidePosts)).
		Scan(&eras).Error; err != nil {
		return err
	}
	for _, era := range eras {
		t.writesTo(era)
		if err := t.ofIndex(t.Exec("DELETE FROM "+eraTable(era)+" WHERE "+t.s.wordsID()+" >= ? AND "+t.s.wordsID()+" < ?",
			model.MakePostID(list, 0), model.MakePostID(list+1, 0)).Error); err != nil {
			return err
		}
	}
	return t.Exec("DELETE FROM fts_ranges WHERE list_id = ?", list).Error
}

// wordsID names the column of an era's table that has the post's id.
func (s *Store) wordsID() string {
	if s.dialect == SQLite {
		return "rowid"
	}
	return "id"
}

// dropEras drops the eras that no range names, but for the newest two: who is
// writing may not have seen yet that the last is there. One set aside nobody writes
// to; where it cannot even be dropped it stays, and nobody reads it.
func (s *Store) dropEras(ctx context.Context) error {
	const unnamed = `(era < (SELECT max(era) - 1 FROM fts_eras) OR posts >= ?)
		AND era NOT IN (SELECT era FROM fts_ranges)`
	var eras []struct{ Era, Posts int64 }
	if err := s.read(ctx).Raw("SELECT era, posts FROM fts_eras WHERE "+unnamed, int64(setAsidePosts)).Scan(&eras).Error; err != nil {
		return s.fault(err)
	}
	for _, e := range eras {
		for more := true; more; {
			err := s.write(ctx, func(t *tx) (err error) {
				more, err = t.dropSome(e.Era)
				return err
			})
			switch {
			case err != nil && e.Posts < setAsidePosts:
				return err
			case err != nil && ctx.Err() != nil:
				return s.fault(ctx.Err())
			case err != nil:
				s.log.Warn("a damaged part of the full-text index cannot be removed and stays in the file, unused", "era", e.Era, "err", err)
				more = false
			}
		}
	}
	return nil
}

// dropSome drops an era. On SQLite that touches each of its pages, so other
// writers get their turn in between.
func (t *tx) dropSome(era int64) (more bool, err error) {
	var there int64
	if err := t.Raw("SELECT count(*) FROM fts_eras WHERE era = ?", era).Row().Scan(&there); err != nil || there == 0 {
		return false, err // somebody else did
	}
	table := eraTable(era)
	if t.s.dialect == SQLite { // up to 10 is what FTS5 keeps to open it
		r := t.Exec(fmt.Sprintf("DELETE FROM %[1]s_data WHERE id IN (SELECT id FROM %[1]s_data WHERE id > 10 ORDER BY id LIMIT %[2]d)", table, dropStep))
		if r.Error != nil || r.RowsAffected > 0 {
			return true, r.Error
		}
	}
	if err := t.Exec("DROP TABLE " + table).Error; err != nil {
		return false, err
	}
	return false, t.Exec("DELETE FROM fts_eras WHERE era = ?", era).Error
}
