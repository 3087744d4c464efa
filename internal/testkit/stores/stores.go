// Package stores opens migrated stores for tests, on each dialect.
package stores

import (
	"context"
	"path/filepath"
	"testing"

	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
)

// Each runs the test once on SQLite and once on PostgreSQL.
func Each(t *testing.T, run func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { run(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, Postgres(t)) })
}

// SQLite opens a fresh file.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "plenary.db"))
}

// Postgres opens a fresh database of a real server.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return open(t, postgres.DSN(t))
}

func open(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}
