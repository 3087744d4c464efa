package store

import "context"

// CountRows counts the rows of a table, for tests.
func (s *Store) CountRows(ctx context.Context, table string) (n int64, err error) {
	err = s.read(ctx).Raw("SELECT count(*) FROM " + table).Row().Scan(&n)
	return n, err
}
