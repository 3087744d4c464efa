// Package stores opens migrated stores for tests, on each dialect. The steps of the
// schema are taken once a process, every store is a copy of their result.
package stores

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
)

// eraPosts makes a full-text index of many eras of few posts; benchmarks have what
// everybody has.
const eraPosts = 60

// Each runs the test once on SQLite and once on PostgreSQL.
func Each(t *testing.T, run func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { run(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, Postgres(t)) })
}

// SQLite opens a fresh file.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, SQLiteDSN(t))
}

// Postgres opens a fresh database of a real server.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return open(t, PostgresDSN(t))
}

// template is a migrated SQLite file.
var template struct { //nolint:gochecknoglobals // migrated once a process
	once sync.Once
	file []byte
	err  error
}

// SQLiteDSN names a fresh file with the newest schema.
func SQLiteDSN(t testing.TB) string {
	t.Helper()
	template.once.Do(func() {
		path := filepath.Join(t.TempDir(), "template.db")
		if template.err = migrate("sqlite:" + path); template.err == nil {
			template.file, template.err = os.ReadFile(path)
		}
	})
	if template.err != nil {
		t.Fatal(template.err)
	}
	path := filepath.Join(t.TempDir(), "plenary.db")
	if err := os.WriteFile(path, template.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// PostgresDSN names a fresh database of a real server with the newest schema.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	return postgres.Copy(t, migrate)
}

func migrate(dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, nil)
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(ctx), s.Close())
}

func open(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, ok := t.(*testing.T); ok {
		s.EraPosts = eraPosts
	}
	return s
}
