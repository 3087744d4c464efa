package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatementsAreKept: texts that come again are prepared once, also those of
// transactions; a table that changes, and a failure, do no harm.
func TestStatementsAreKept(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "x.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec := func(text string, args ...any) error {
		return s.write(ctx, func(tx *tx) error { return tx.Exec(text, args...).Error })
	}
	if err := exec("CREATE TABLE x (a INTEGER PRIMARY KEY, b TEXT)"); err != nil {
		t.Fatal(err)
	}
	count := func() (n int64) {
		if err := s.read(ctx).Raw("SELECT count(*) FROM x WHERE a >= ?", 0).Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 5 {
		if err := exec("INSERT INTO x (a, b) VALUES (?, ?)", i, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != int64(i+1) {
			t.Fatalf("%d rows after %d", n, i+1)
		}
		if err := exec("INSERT INTO x (a, b) VALUES (?, ?)", i, ""); err == nil {
			t.Fatal("a key stood twice")
		}
	}
	if err := exec("ALTER TABLE x ADD COLUMN c INTEGER NOT NULL DEFAULT 7"); err != nil {
		t.Fatal(err)
	}
	var c int64
	for range 3 {
		if err := exec("INSERT INTO x (a, b) VALUES (?, ?)", 90+count(), "later"); err != nil {
			t.Fatal(err)
		}
		if err := s.read(ctx).Raw("SELECT sum(c) FROM x").Scan(&c).Error; err != nil || c != 7*count() {
			t.Fatalf("%d, %v", c, err)
		}
	}
	kept := s.w.ConnPool.(*keeping)
	if len(kept.kept) != 1 || len(s.r.ConnPool.(*keeping).kept) != 2 {
		t.Errorf("kept: %d to write and %d to read", len(kept.kept), len(s.r.ConnPool.(*keeping).kept))
	}
	for i := range 3 * maxSeen {
		kept.known(fmt.Sprint("SELECT ", i))
	}
	if len(kept.seen) > maxSeen {
		t.Errorf("%d texts are remembered", len(kept.seen))
	}
}

// TestOnlyTheNewestEraIsFedByKeptStatements: what fed a full one is let go, and
// what merges eras is not kept.
func TestOnlyTheNewestEraIsFedByKeptStatements(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "x.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for era := int64(7); era < 9; era++ {
		if err := s.write(ctx, func(t *tx) error {
			for _, step := range sqliteEra(eraTable(era)) {
				if _, err := t.exec(step); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := s.write(ctx, func(t *tx) error {
				if _, err := t.exec("INSERT INTO " + eraTable(7) + " (" + eraTable(7) + ", rank) VALUES ('merge', 1)"); err != nil {
					return err
				}
				_, err := t.exec("INSERT INTO "+eraTable(era)+eraColumns+"(?, ?, ?, ?, ?, ?, ?)", i, "a", "b", "c", "d", "e", "f")
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		var fed []string
		for text := range s.w.ConnPool.(*keeping).kept {
			if strings.Contains(text, eraTables) {
				fed = append(fed, text)
			}
		}
		if len(fed) != 1 || !strings.HasPrefix(fed[0], "INSERT INTO "+eraTable(era)+eraColumns) {
			t.Errorf("with era %d as the newest, kept: %q", era, fed)
		}
	}
}
