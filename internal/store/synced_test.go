package store_test

import (
	"context"
	"strings"
	"testing"

	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
)

// TestCommitsWaitForTheDisk: a 250 rests on it, so a PostgreSQL that is set not to
// wait is told to, and one that waits for more goes on doing so.
func TestCommitsWaitForTheDisk(t *testing.T) {
	with := func(dsn, setting string) string {
		if strings.Contains(dsn, "?") {
			return dsn + "&" + setting
		}
		return dsn + "?" + setting
	}
	for _, c := range []struct{ name, want, set string }{
		{"sqlite", "2", ""}, // FULL
		{"postgres", "on ", ""},
		{"postgres that does not wait", "on ", "synchronous_commit=off"},
		{"postgres that waits for its standbys", "remote_apply ", "synchronous_commit=remote_apply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn := "sqlite:" + t.TempDir() + "/plenary.db"
			if c.name != "sqlite" {
				if dsn = postgres.DSN(t); c.set != "" {
					dsn = with(dsn, c.set)
				}
			}
			s, err := store.Open(context.Background(), dsn, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if how, err := s.Synced(context.Background()); err != nil || !strings.HasPrefix(how, c.want) || c.name != "sqlite" && !strings.HasSuffix(how, "jit off") {
				t.Errorf("%q, %v", how, err)
			}
		})
	}
}
