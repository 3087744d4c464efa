package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// damage spoils what an era of the full-text index holds, as a failing disk does.
func damage(t *testing.T, path, how string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table, whole := strings.CutPrefix(how, "whole ")
	if how == "pages" {
		table = "post_fts_0_data"
	} else if !whole {
		if _, err := db.Exec(how); err != nil {
			t.Fatal(how, err)
		}
		return
	}
	if _, err := db.Exec("PRAGMA wal_checkpoint(truncate)"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT pgoffset FROM dbstat WHERE name = ? AND pagetype = 'leaf'", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for rows.Next() {
		var at int64
		if err := rows.Scan(&at); err != nil {
			t.Fatal(err)
		}
		if !whole {
			at += 4000
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 3000), at); err != nil {
			t.Fatal(err)
		}
	}
}

func openFile(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A full-text index that is damaged is made anew list by list; until then, and
// after, posts come in, and lists go.
func TestADamagedIndexIsMadeAnew(t *testing.T) {
	for name, how := range map[string]string{
		"pages":     "pages",
		"leaves":    "UPDATE post_fts_0_data SET block = randomblob(length(block)) WHERE id > 10",
		"structure": "UPDATE post_fts_0_data SET block = randomblob(length(block)) WHERE id = 10",
		"gone":      "DELETE FROM post_fts_0_data WHERE id > 10",
		"all":       "UPDATE post_fts_0_data SET block = randomblob(length(block))",
		"data":      "whole post_fts_0_data",
		"docsize":   "whole post_fts_0_docsize",
		"lost":      "UPDATE post_fts_0_data SET block = (SELECT block FROM lost) WHERE id = 10", // a write
	} {
		for _, newest := range []bool{true, false} {
			t.Run(fmt.Sprint(name, newest), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "x.db")
				s := openFile(t, path)
				size := map[bool]int{true: 2000, false: 900}[newest]
				s.EraPosts = size
				a, b, gone := makeList(t, s, "a"), makeList(t, s, "b"), makeList(t, s, "gone")
				ofA, ofB := importWords(t, s, a.ID, 0, 300), importWords(t, s, b.ID, 0, 300)
				if name == "lost" {
					damage(t, path, "CREATE TABLE lost AS SELECT block FROM post_fts_0_data WHERE id = 10")
				}
				importWords(t, s, gone.ID, 0, 300)
				ofA = append(ofA, importWords(t, s, a.ID, 300, 20)...)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				damage(t, path, how)
				s = openFile(t, path)
				defer s.Close()
				s.EraPosts = size
				for range 40 { // FTS5 reads what it has when there are many pieces
					ofA = append(ofA, importWords(t, s, a.ID, len(ofA), 1)...)
				}
				if err := s.RemoveList(context.Background(), gone.ID); err != nil {
					t.Error(err)
				}
				if others := indexAnew(t, s, a, ofA); len(others) != 1 || others[0].ID != b.ID {
					t.Error(others)
				}
				finds(t, s, a.ID, len(ofA))
				if others := indexAnew(t, s, b, ofB); len(others) > 0 {
					t.Error(others)
				}
				finds(t, s, b.ID, len(ofB))
				if err := s.MergeEras(context.Background()); err != nil {
					t.Error(err)
				}
				if _, err := s.CountRows(context.Background(), "post_fts_0"); err == nil && how != "pages" && name != "lost" && !strings.HasPrefix(how, "whole") {
					t.Error("the damaged era is still there")
				}
			})
		}
	}
}

// indexAnew is what a reindex does with the words of a list.
func indexAnew(t *testing.T, s *store.Store, l *model.List, posts []*model.NewPost) (others []model.List) {
	t.Helper()
	ctx := context.Background()
	eras, err := s.SetErasAside(ctx, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	for some := range slices.Chunk(posts, 64) {
		if err := s.ReindexPosts(ctx, some); err != nil {
			t.Fatal(err)
		}
	}
	if others, err = s.LeaveEras(ctx, l.ID, eras); err != nil {
		t.Error(err)
	}
	if bad, err := s.DamagedEras(ctx, l.ID); err != nil || len(bad) > 0 {
		t.Error(bad, err)
	}
	return others
}

// What cannot be read any more does not keep a list in a damaged era.
func TestADamagedPostLeavesADamagedEra(t *testing.T) {
	s := stores.SQLite(t)
	s.EraPosts = 1000
	l := makeList(t, s, "talk")
	posts := importWords(t, s, l.ID, 0, 100)
	damage(t, strings.TrimPrefix(s.DSN(), "sqlite:"), "UPDATE post_fts_0_data SET block = randomblob(length(block)) WHERE id > 10")
	indexAnew(t, s, l, slices.Concat(posts[:64], posts[65:]))
	m := model.Match{Steps: phrase(model.InBody, "all")}
	if got := matching(t, s, l.ID, m); len(got) != 99 {
		t.Errorf("%d posts found", len(got))
	}
}

// What is damaged for good does not say that trying again helps.
func TestDamageIsNotTemporary(t *testing.T) {
	ctx := context.Background()
	s := stores.SQLite(t)
	l := makeList(t, s, "talk")
	importWords(t, s, l.ID, 0, 50)
	damage(t, strings.TrimPrefix(s.DSN(), "sqlite:"), "UPDATE post_fts_0_data SET block = randomblob(length(block)) WHERE id > 10")
	err := s.MatchPosts(ctx, l.ID, model.Match{Steps: phrase(model.InBody, "all")}, func(model.UID) bool { return true })
	if text := fault.Text(err); strings.Contains(text, "try again") || !strings.Contains(text, "plenary archive reindex") {
		t.Error(text, err)
	}
}
