package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Limits of merging: others write meanwhile.
const (
	mergePages = 64 // pages of 4 kB that one transaction writes
	mergeRest  = 3  // times as long as that took nobody merges
)

// MergeEras tidies the full-text index. On SQLite it makes one piece of each full
// era: what FTS5 writes lies in pieces, a dozen or two in the end, and a word is
// sought in each of all eras. PostgreSQL has no pieces, but a list of what is new
// that each search reads from end to end (moveNew).
func (s *Store) MergeEras(ctx context.Context) error {
	if s.dialect == Postgres {
		return s.moveNew(ctx)
	}
	var eras []int64
	if err := s.read(ctx).Raw("SELECT era FROM fts_eras WHERE era < (SELECT max(era) FROM fts_eras) AND posts < ? AND era IN (SELECT era FROM fts_ranges) ORDER BY era DESC",
		2*s.eraPosts()).Scan(&eras).Error; err != nil { // larger ones wait to be parted
		return s.fault(err)
	}
	for _, era := range eras {
		if s.eras.isMerged(era) {
			continue
		}
		for more := true; more; {
			began := time.Now()
			if err := s.write(ctx, func(t *tx) (err error) {
				more, err = t.mergeSome(era)
				return err
			}); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return s.fault(ctx.Err())
			case <-time.After(mergeRest * time.Since(began)):
			}
		}
		s.eras.setMerged(era)
	}
	return nil
}

// moveNew moves the new entries of each era to their places in its index. PostgreSQL
// does so by itself when there are 4 MB of them, or autovacuum, which comes to a
// table that changed much: until then a search for a rare word takes many times what
// it would. Other writers go on meanwhile.
func (s *Store) moveNew(ctx context.Context) error {
	var indexes []int64
	if err := s.read(ctx).Raw(`SELECT CAST(i.indexrelid AS BIGINT) FROM fts_eras AS e
		JOIN pg_index AS i ON i.indrelid = to_regclass(? || e.era) JOIN pg_class AS c ON c.oid = i.indexrelid
		JOIN pg_am AS a ON a.oid = c.relam WHERE a.amname = 'gin' ORDER BY e.era DESC`, eraTables).Scan(&indexes).Error; err != nil {
		return s.fault(err)
	}
	for _, index := range indexes {
		var gone *pgconn.PgError
		err := s.w.WithContext(ctx).Exec("SELECT gin_clean_pending_list(CAST(? AS oid)) WHERE EXISTS (SELECT 1 FROM pg_class WHERE oid = ?)", index, index).Error
		if err != nil && !(errors.As(err, &gone) && (gone.Code == "42P01" || gone.Code == "XX000")) { // its era was dropped
			return s.fault(err)
		}
	}
	return nil
}

// mergeSome merges a little of an era. Below zero, the number of pages means all
// pieces, and goes on where it was; nothing to do changes no more than one row.
func (t *tx) mergeSome(era int64) (more bool, err error) {
	var there, before, after int64
	if err := t.row("SELECT count(*), total_changes() FROM fts_ranges WHERE era = (SELECT era FROM fts_eras WHERE era = ? AND posts < ?)",
		era, int64(setAsidePosts)).Scan(&there, &before); err != nil || there == 0 {
		return false, err
	}
	t.writesTo(era)
	table := eraTable(era)
	if _, err := t.exec(fmt.Sprintf("INSERT INTO %[1]s (%[1]s, rank) VALUES ('merge', %[2]d)", table, -mergePages)); err != nil {
		return false, t.ofIndex(err)
	}
	err = t.row("SELECT total_changes()").Scan(&after)
	return after-before > 1, err
}

func (c *eraCount) isMerged(era int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.merged[era]
}

func (c *eraCount) setMerged(era int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.merged == nil {
		c.merged = map[int64]bool{}
	}
	c.merged[era] = true
}
