package archive_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

func keeper(s *store.Store) *archive.Keeper {
	return &archive.Keeper{Reader: archive.NewReader(s), Repairs: s}
}

func check(t *testing.T, s *store.Store, l *model.List) (texts []string) {
	t.Helper()
	c, err := keeper(s).Check(context.Background(), l, func(f archive.Finding) { texts = append(texts, fmt.Sprintf("%d: %s", f.UID, f.Text)) })
	if err != nil || c.Findings != len(texts) {
		t.Fatal(c, err)
	}
	return texts
}

// fillBoth stores real posts by import and others one by one, sealed in part.
func fillBoth(t *testing.T, s *store.Store) *model.List {
	t.Helper()
	raws, received := real.Messages(t, real.Corpus(t, "archives", "linux-man-2000.mbox.gz"), 300)
	f := &fixture{s: s, r: archive.NewReader(s), l: makeList(t, s, "talk")}
	f.fill(t, raws, received)
	for i := range 40 {
		save(t, s, f.l, mail(fmt.Sprintf("%d@x", i), "Zoë <zoe@example.org>", "Re: Bücher", strings.Repeat("Books. ", 900), fmt.Sprintf("References: <%d@x> <%d@x>", i/3, i/2)))
	}
	if _, err := s.SealPosts(context.Background(), f.l.ID); err != nil {
		t.Fatal(err)
	}
	save(t, s, f.l, mail("last@x", "Ann <ann@example.org>", "Last", "words"))
	return f.l
}

func TestCheckFindsNothingWhereNothingIs(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		l := fillBoth(t, s)
		if found := check(t, s, l); len(found) > 0 {
			t.Error(found)
		}
		done, err := keeper(s).Reindex(context.Background(), l)
		if err != nil || done.Posts != 341 || done.Damaged != 0 || done.Threads != 0 {
			t.Errorf("%+v %v", done, err)
		}
		if found := check(t, s, l); len(found) > 0 {
			t.Error(found)
		}
		r := archive.NewReader(s)
		if uids, err := r.Search(context.Background(), l.ID, archive.Phrase(model.InBody, "words", false)); err != nil || len(uids) == 0 || uids[len(uids)-1] != 341 {
			t.Error(uids, err)
		}
	})
}

func TestReindexMendsWhatIsDerived(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := store.Open(ctx, "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	l := fillBoth(t, s)
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	spoil := func(statements ...string) {
		t.Helper()
		for _, q := range statements {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(q, err)
			}
		}
	}
	const base = "(1 << 32)"
	spoil("UPDATE posts SET subject = 'x', header_len = 1 WHERE id = "+base+" + 7",
		"DELETE FROM post_fts_0 WHERE rowid = "+base+" + 20",
		"DELETE FROM post_columns WHERE id > "+base+" + 100",
		"UPDATE post_envelopes SET env = x'01020304' WHERE id = "+base+" + 1",
		"UPDATE thread_nodes SET thread_id = 5 WHERE post_id = "+base+" + 330",
		"DELETE FROM thread_nodes WHERE post_id = "+base+" + 335",
		"INSERT INTO thread_nodes (list_id, key, post_id, parent_key, thread_id, message_id) VALUES (1, 12345, 0, 0, 0, 'nobody')")
	found := strings.Join(check(t, s, l), "\n")
	for _, want := range []string{"7: its row is not what the message gives: header length, subject", "20: the full-text index", "341: its columns are missing",
		"1: its envelope", "330: its place in the threads is not what", "335: its place in the threads is missing", "0: the threads hold a place"} {
		if !strings.Contains(found, want) {
			t.Errorf("not found: %s", want)
		}
	}
	if _, err := keeper(s).Reindex(ctx, l); err != nil {
		t.Fatal(err)
	}
	if found := check(t, s, l); len(found) > 0 {
		t.Error(found)
	}
	spoil("UPDATE message_bytes SET data = substr(data, 1, length(data) - 40) WHERE id = (SELECT bytes_id FROM posts WHERE id = "+base+" + 9)",
		"UPDATE posts SET author = 'x' WHERE id = "+base+" + 339")
	s2, err := store.Open(ctx, "sqlite:"+path, nil) // with nothing in memory
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if found := strings.Join(check(t, s2, l), "\n"); !strings.Contains(found, "9: the message cannot be read") || !strings.Contains(found, "339: its row") {
		t.Error(found)
	}
	done, err := keeper(s2).Reindex(ctx, l)
	if err != nil || done.Damaged == 0 || done.Posts+done.Damaged != 341 {
		t.Errorf("%+v %v", done, err)
	}
	if found := strings.Join(check(t, s2, l), "\n"); strings.Contains(found, "its row") || !strings.Contains(found, "threads were not compared") {
		t.Error(found)
	}
}
