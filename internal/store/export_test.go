package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"plenary/internal/model"
)

// CountRows counts the rows of a table, for tests.
func (s *Store) CountRows(ctx context.Context, table string) (n int64, err error) {
	err = s.read(ctx).Raw("SELECT count(*) FROM " + table).Row().Scan(&n)
	return n, err
}

// Columns names a table's columns, for tests.
func (s *Store) Columns(ctx context.Context, table string) (names []string, err error) {
	query := "SELECT name FROM pragma_table_info(?) ORDER BY name"
	if s.dialect == Postgres {
		query = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY column_name"
	}
	err = s.read(ctx).Raw(query, table).Scan(&names).Error
	return names, err
}

// Tables names all tables of the schema, for tests.
func (s *Store) Tables(ctx context.Context) (names []string, err error) {
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'post_fts_%' ORDER BY name"
	if s.dialect == Postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
	}
	err = s.read(ctx).Raw(query).Scan(&names).Error
	return names, err
}

// PretendVersion writes down that a step was applied, for tests.
func (s *Store) PretendVersion(ctx context.Context, v int64) error {
	return s.write(ctx, func(t *tx) error {
		return t.Exec("INSERT INTO schema_migrations (version_id, is_applied) VALUES (?, ?)", v, true).Error
	})
}

// TableBytes is the room a table takes with its indexes, for tests.
func (s *Store) TableBytes(ctx context.Context, table string) (n int64, err error) {
	query := "SELECT COALESCE(sum(pgsize), 0) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)"
	if s.dialect == Postgres {
		query = "SELECT pg_total_relation_size(?::regclass)"
	}
	err = s.read(ctx).Raw(query, table).Row().Scan(&n)
	return n, err
}

// Synced tells how the connection that writes waits for the disk, for tests.
func (s *Store) Synced(ctx context.Context) (how string, err error) {
	query := "PRAGMA synchronous"
	if s.dialect == Postgres {
		query = "SELECT current_setting('synchronous_commit') || ' ' || current_setting('fsync') || ' jit ' || current_setting('jit')"
	}
	err = s.w.WithContext(ctx).Raw(query).Row().Scan(&how)
	return how, err
}

// HoldList keeps the list's next posts waiting until release is called, for
// tests: a writer that takes its time.
func (s *Store) HoldList(ctx context.Context, list int64) (release func()) {
	held, let, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_ = s.write(ctx, func(t *tx) error {
			err := t.Exec("UPDATE list_counters SET seq = seq WHERE list_id = ?", list).Error
			close(held)
			<-let
			return err
		})
	}()
	<-held
	return func() { close(let); <-over }
}

// Standing counts the posts of a list that stand in a line to be written, for
// tests: who leads it as well, until his transaction has begun.
func (s *Store) Standing(list int64) int {
	if s.dialect == SQLite {
		list = 0
	}
	s.gather.mu.Lock()
	defer s.gather.mu.Unlock()
	if l := s.gather.lines[list]; l != nil {
		return len(l.waiting)
	}
	return 0
}

// Path is the file of an SQLite database, for tests.
func (s *Store) Path() string { return strings.TrimPrefix(s.dsn, "sqlite:") }

// MigrateTo brings the schema to a version on the way, for tests.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	p, err := s.migrations()
	if err == nil {
		_, err = p.UpTo(ctx, version)
	}
	return err
}

// Do runs a statement, for tests.
func (s *Store) Do(ctx context.Context, query string, args ...any) error {
	return s.w.WithContext(ctx).Exec(query, args...).Error
}

// DSN names the database, for tests.
func (s *Store) DSN() string { return s.dsn }

// SealAtOnce has sealing look at n posts in one go, until undone, for tests.
func SealAtOnce(n int) (undo func()) {
	was := maxUnsealed
	maxUnsealed = n
	return func() { maxUnsealed = was }
}

// TestKnownRaw tells how many of posts the list has, and on PostgreSQL how many
// rows were read for it.
func (s *Store) TestKnownRaw(ctx context.Context, listID int64, posts []*model.NewPost) (found int, read int64, err error) {
	err = s.read(ctx).Transaction(func(db *gorm.DB) error {
		t := &tx{DB: db, s: s}
		known, err := knownRaw(t, listID, posts)
		if found = len(known); err != nil || s.dialect != Postgres {
			return err
		}
		return t.row("SELECT COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'post_keys'").Scan(&read)
	})
	return found, read, err
}

// Patience makes whoever writes wait so long for posts that are expected.
func (s *Store) Patience(d time.Duration) { s.gather.patience = d }
