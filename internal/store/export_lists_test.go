package store

import "context"

// TestExec runs SQL for tests that need rows no service makes yet.
func (s *Store) TestExec(ctx context.Context, sql string, args ...any) error {
	return s.write(ctx, func(t *tx) error { return t.Exec(sql, args...).Error })
}

// TestCount counts rows for tests.
func (s *Store) TestCount(ctx context.Context, sql string, args ...any) (n int64, err error) {
	return n, s.r.WithContext(ctx).Raw(sql, args...).Row().Scan(&n)
}

// TestBytes stores a message for tests.
func (s *Store) TestBytes(ctx context.Context, data []byte) (id int64, err error) {
	return id, s.write(ctx, func(t *tx) error {
		id, err = t.putBytes(data)
		return err
	})
}
