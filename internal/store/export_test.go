package store

import "context"

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
		query = "SELECT current_setting('synchronous_commit') || ' ' || current_setting('fsync')"
	}
	err = s.w.WithContext(ctx).Raw(query).Row().Scan(&how)
	return how, err
}
