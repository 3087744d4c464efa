package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"plenary/internal/store"
)

// TestDatabaseIsPrivate: whatever the umask, only its owner reads the database
// and what SQLite keeps beside it, also of a folder that an older version made.
func TestDatabaseIsPrivate(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "sub", "plenary.db")
	open := func() *store.Store {
		t.Helper()
		s, err := store.Open(ctx, "sqlite:"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		return s
	}
	modes := func(want os.FileMode) {
		t.Helper()
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has mode %o, not %o", filepath.Base(name), got, want)
			}
		}
	}
	s := open()
	modes(0o600)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o644); err != nil { // as it was
			t.Fatal(err)
		}
	}
	second := open()
	modes(0o640)
	_ = second.Close()
	_ = s.Close()
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the folder has mode %o, %v", info.Mode().Perm(), err)
	}
}
