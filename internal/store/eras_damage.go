package store

import (
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"
	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"plenary/internal/model"
)

// An era of SQLite may be damaged, by a disk that fails. It holds nothing that the
// messages do not, so that nothing else may fail for it: who cannot write to it
// sets it aside and goes on. Nothing is written to an era that is set aside;
// ReindexPosts moves the words of its posts to the newest, as it does with those of
// an era that is far too large, without reading it, and in the end it is dropped.

// setAsidePosts is how many posts an era that is set aside is said to have.
const setAsidePosts = 1 << 40

// indexError is an error of a statement, or of a commit, that is the full-text
// index's whatever SQLite calls it: a write that was lost can make FTS5 break
// uniqueness in its own tables.
type indexError struct{ error }

func (e indexError) Unwrap() error { return e.error }

// ofIndex marks an error of a statement that writes to an era of SQLite.
func (t *tx) ofIndex(err error) error {
	if err != nil && t.s.dialect == SQLite && breaksUniqueness(err) {
		return indexError{err}
	}
	return err
}

func breaksUniqueness(err error) bool {
	var e *sqlite3.Error
	return errors.Is(err, gorm.ErrDuplicatedKey) || errors.As(err, &e) && e.Code()&0xff == sqlitelib.SQLITE_CONSTRAINT
}

// damagedIndex tells whether an error is, or may be, of the full-text index.
func damagedIndex(err error) (is, maybe bool) {
	var own indexError
	if errors.As(err, &own) {
		return true, true
	}
	var e *sqlite3.Error
	if !errors.As(err, &e) {
		return false, false
	}
	is = e.Code() == sqlitelib.SQLITE_CORRUPT_VTAB
	switch e.Code() & 0xff { // FTS5 calls it an error, or wants all memory, when what it reads first makes no sense
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_ERROR, sqlitelib.SQLITE_NOMEM:
		return is, true
	}
	return is, is
}

// setAside sets those eras aside that are damaged, of some that a transaction
// wanted to write to when it failed with cause. done is false where that helps
// nothing.
func (s *Store) setAside(ctx context.Context, eras []int64, cause error) (done bool, err error) {
	is, maybe := damagedIndex(cause)
	if s.dialect != SQLite || !maybe || len(eras) == 0 {
		return false, nil
	}
	var bad []int64
	for _, era := range eras {
		good, err := s.checkEra(ctx, era)
		if err != nil {
			return false, err
		}
		if !good {
			bad = append(bad, era)
		}
	}
	if len(bad) == 0 && is && len(eras) == 1 { // there is damage that the check does not know
		bad = eras
	}
	err = s.transact(ctx, func(db *gorm.DB, _ *behind) error {
		t := &tx{DB: db, s: s}
		done = false
		for _, era := range bad {
			newly, err := t.setEraAside(era)
			if err != nil {
				return err
			}
			done = done || newly
		}
		return nil
	})
	return done && err == nil, err
}

func (t *tx) setEraAside(era int64) (newly bool, err error) {
	var newest int64
	if err := t.row("SELECT max(era) FROM fts_eras").Scan(&newest); err != nil {
		return false, err
	}
	r := t.Exec("UPDATE fts_eras SET posts = ? WHERE era = ? AND posts < ?", int64(setAsidePosts), era, int64(setAsidePosts))
	if r.Error != nil {
		return false, r.Error
	}
	if era == newest {
		if err := t.makeEra(era + 1); err != nil {
			return false, err
		}
	}
	if r.RowsAffected > 0 && t.s.log != nil {
		t.s.log.Error("a part of the full-text index is damaged and is not used any more; what it holds is made anew by: plenary archive reindex", "era", era)
	}
	return r.RowsAffected > 0, nil
}

// errChecked ends the transaction of a check: after a page that cannot be read
// SQLite would not commit even what was only read.
var errChecked = errors.New("the era was checked")

// checkEra lets SQLite look through an era for what does not fit: the pages of its
// tables, then what FTS5 keeps in them. That reads, and holds up nobody. It wants a
// transaction: FTS5 sees what others wrote when it is asked for a post, but not when
// it is checked.
func (s *Store) checkEra(ctx context.Context, era int64) (good bool, err error) {
	err = s.read(ctx).Transaction(func(db *gorm.DB) error {
		t := &tx{DB: db, s: s}
		if good, err = t.soundEra(era); err != nil {
			return err
		}
		return errChecked
	})
	if _, damaged := damagedIndex(err); damaged {
		return false, nil
	}
	if errors.Is(err, errChecked) {
		err = nil
	}
	return good, err
}

func (t *tx) soundEra(era int64) (bool, error) {
	var n int64
	if err := t.row("SELECT count(*) FROM fts_eras WHERE era = ?", era).Scan(&n); err != nil || n == 0 {
		return true, err // it was dropped
	}
	if err := t.row("SELECT count(*) FROM " + eraTable(era) + " WHERE rowid = 0").Scan(&n); err != nil {
		return false, err
	}
	for _, of := range []string{"_data", "_idx", "_docsize", "_config", ""} {
		var says string
		if err := t.row("PRAGMA integrity_check(" + eraTable(era) + of + ")").Scan(&says); err != nil || says != "ok" {
			return false, err
		}
	}
	return true, nil
}

// DamagedEras gives the eras of a list's words that are damaged. Of PostgreSQL it
// gives none: what its own checks say is not ours to ask.
func (s *Store) DamagedEras(ctx context.Context, listID int64) (eras []int64, err error) {
	if s.dialect != SQLite {
		return nil, nil
	}
	var aside []int64
	t := &tx{DB: s.read(ctx), s: s}
	err = t.Raw("SELECT era FROM fts_eras WHERE posts >= ?", int64(setAsidePosts)).Scan(&aside).Error
	if err != nil {
		return nil, s.fault(err)
	}
	ranges, err := t.ranges(listID)
	if err != nil {
		return nil, s.fault(err)
	}
	asked := map[int64]bool{}
	for _, r := range ranges {
		if asked[r.era] {
			continue
		}
		asked[r.era] = true
		good, err := s.checkEra(ctx, r.era)
		if err != nil {
			return nil, s.fault(err)
		}
		if !good || slices.Contains(aside, r.era) {
			eras = append(eras, r.era)
		}
	}
	return eras, nil
}

// SetErasAside has the words of a list that are in damaged eras, which it gives,
// moved by ReindexPosts, and nothing written there any more.
func (s *Store) SetErasAside(ctx context.Context, listID int64) (eras []int64, err error) {
	eras, err = s.DamagedEras(ctx, listID)
	if err != nil || len(eras) == 0 {
		return nil, err
	}
	return eras, s.write(ctx, func(t *tx) error {
		for _, era := range eras {
			if _, err := t.setEraAside(era); err != nil {
				return err
			}
		}
		return nil
	})
}

// LeaveEras ends what SetErasAside began: posts of the list that are still in these
// eras cannot be read, and are found by no words any more. It gives the lists that
// have posts in an era that is set aside, and are to be indexed anew too.
func (s *Store) LeaveEras(ctx context.Context, listID int64, eras []int64) (others []model.List, err error) {
	if len(eras) > 0 {
		err = s.write(ctx, func(t *tx) error {
			return t.Exec("UPDATE fts_ranges SET era = (SELECT max(era) FROM fts_eras) WHERE list_id = ? AND era IN ?", listID, eras).Error
		})
		if err == nil {
			err = s.dropEras(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	err = s.read(ctx).Where("id IN (SELECT r.list_id FROM fts_ranges r JOIN fts_eras e ON e.era = r.era WHERE e.posts >= ?)", int64(setAsidePosts)).
		Order("id").Find(&others).Error
	return others, s.fault(err)
}
