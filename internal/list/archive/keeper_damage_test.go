package archive_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
)

// damages are what may be wrong of each kind of derived row: what is done to it,
// and what a check says. BASE is the id of UID 0, ROWID the key of post_fts_0, BIN
// begins a binary literal.
var damages = []struct{ do, found string }{
	{"UPDATE posts SET subject = 'x' WHERE id = BASE + 3", "3: its row is not what the message gives: subject"},
	{"UPDATE posts SET author = 'x', author_key = 'x' WHERE id = BASE + 4", "4: its row is not what the message gives: author"},
	{"UPDATE posts SET sent_at = 5, flags = 15 WHERE id = BASE + 5", "5: its row is not what the message gives: date, facts"},
	{"UPDATE posts SET header_len = 1 WHERE id = BASE + 6", "6: its row is not what the message gives: header length"},
	{"UPDATE posts SET body_structure = BIN0102' WHERE id = BASE + 7", "7: its row is not what the message gives: structure"},
	{"UPDATE posts SET thread_id = BASE + 1 WHERE id = BASE + 320", "320: its place in the threads is not what a rebuild gives: the row of the post"},
	{"DELETE FROM post_envelopes WHERE id = BASE + 331", "331: its envelope is missing"},
	{"UPDATE post_headers SET hdr = BIN00' WHERE id = BASE + 1", "1: its header fields"},
	{"DELETE FROM post_columns WHERE id > BASE + 330 AND id < BASE + 342", "335: its columns are missing"},
	{"DELETE FROM post_fts_0 WHERE ROWID = BASE + 20", "20: the full-text index"},
	{"DELETE FROM post_keys WHERE kind = 1 AND post_id = BASE + 21", "21: it is not found by its Message-ID"},
	{"DELETE FROM post_keys WHERE kind = 3 AND post_id = BASE + 22", "22: it is not found by its Message-ID or its bytes"},
	{"UPDATE thread_nodes SET parent_key = 0, claim = 0 WHERE post_id = BASE + 312", "312: its place in the threads is not what a rebuild gives: the parent differs"},
	{"UPDATE thread_nodes SET link = 1 WHERE post_id = BASE + 23", "23: its place in the threads is not what a rebuild gives: its parent is known by"},
	{"UPDATE thread_nodes SET thread_id = 5 WHERE post_id = BASE + 330", "330: its place in the threads is not what a rebuild gives: it is in thread 5, not"},
	{"DELETE FROM thread_nodes WHERE post_id = BASE + 335", "335: its place in the threads is missing"},
	{"INSERT INTO thread_nodes (list_id, key, post_id, parent_key, thread_id, message_id) VALUES (1, 12345, 0, 0, 0, 'nobody')", "0: the threads hold a place nothing refers to: of a message that never came, nobody"},
	{"UPDATE thread_hints SET own = BIN000100020003' WHERE key = (SELECT key FROM thread_nodes WHERE post_id = BASE + 24)", "24: what its parent is guessed by"},
	{"DELETE FROM thread_hints WHERE key = (SELECT min(h.key) FROM thread_hints h JOIN thread_nodes n ON n.key = h.key WHERE n.post_id > BASE + 24)", ""},
	{"INSERT INTO thread_hints (list_id, era, topic, sent_at, key, own, answered) VALUES (1, 7, 7, 7, 7, BIN00', BIN00')", "0: what its parent is guessed by"},
}

// A check finds each kind of damage, and a reindex mends it, while posts arrive.
func TestDamagesAreMendedOnline(t *testing.T) {
	dbs := map[string]func(t *testing.T) (dsn, driver, source, rowid, bin string){
		"sqlite": func(t *testing.T) (string, string, string, string, string) {
			path := filepath.Join(t.TempDir(), "x.db")
			return "sqlite:" + path, "sqlite", path + "?_pragma=busy_timeout(5000)", "rowid", "x'"
		},
		"postgres": func(t *testing.T) (string, string, string, string, string) {
			dsn := postgres.DSN(t)
			return dsn, "pgx", dsn, "id", `'\x`
		},
	}
	for name, open := range dbs {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			dsn, driver, source, rowid, bin := open(t)
			s, err := store.Open(ctx, dsn, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			l := fillBoth(t, s)
			db, err := sql.Open(driver, source)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			words := strings.NewReplacer("BASE", "4294967296", "ROWID", rowid, "BIN", bin)
			for _, d := range damages {
				r, err := db.Exec(words.Replace(d.do))
				if err != nil {
					t.Fatal(d.do, err)
				}
				if n, _ := r.RowsAffected(); n == 0 {
					t.Errorf("%s touched nothing", d.do)
				}
			}
			stop, came := arriving(t, s, l)
			found := strings.Join(check(t, s, l), "\n")
			for _, d := range damages {
				if !strings.Contains("\n"+found, "\n"+d.found) {
					t.Errorf("not found after %s: %s", d.do, d.found)
				}
			}
			if n := strings.Count(found, "what its parent is guessed by"); n != 3 {
				t.Errorf("%d damaged hints found, want 3", n)
			}
			if done, err := keeper(s).Reindex(ctx, l); err != nil || done.Damaged != 0 {
				t.Error(done, err)
			}
			if found := check(t, s, l); len(found) > 0 { // posts still arrive
				t.Errorf("%.2000s", strings.Join(found, "\n"))
			}
			stop()
			if *came < 20 {
				t.Errorf("only %d posts came meanwhile", *came)
			}
			if found := check(t, s, l); len(found) > 0 {
				t.Errorf("%.2000s", strings.Join(found, "\n"))
			}
			r := archive.NewReader(s)
			if uids, err := r.Search(ctx, l.ID, archive.Phrase(model.InSubject, "live", false)); err != nil || len(uids) != *came {
				t.Error(len(uids), *came, err)
			}
		})
	}
}

// arriving lets posts come one by one, answers and guesses among them, until
// stop is called; came is good after that.
func arriving(t *testing.T, s *store.Store, l *model.List) (stop func(), came *int) {
	done, came := make(chan struct{}), new(int)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond): // else a check that is slower never catches up
			}
			i := *came
			text := fmt.Sprintf("Live words number %d, which somebody may quote in the next post as they stand here.", i)
			if i > 0 && i%3 == 0 {
				text = fmt.Sprintf("Yes.\n> Live words number %d, which somebody may quote in the next post as they stand here.", i-1)
			}
			field := "X-A: b"
			if i%3 == 1 {
				field = fmt.Sprintf("References: <gone@x> <live%d@x>", i/2)
			}
			p := archive.Make(l, mail(fmt.Sprintf("live%d@x", i), "Ann <ann@example.org>", "live", text, field), nil, march, false)
			if _, dup, err := s.SavePost(context.Background(), p); err != nil || dup {
				t.Error(dup, err)
				return
			}
			*came++
		}
	})
	return func() { close(done); wg.Wait() }, came
}

// An index that SQLite cannot read is told of by a check, and mended by a reindex.
func TestADamagedIndexIsMended(t *testing.T) {
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
	// A word's places alone: the first words of a post are found.
	if _, err := db.Exec("UPDATE post_fts_0_data SET block = zeroblob(length(block)) WHERE id = (SELECT max(id) FROM post_fts_0_data)"); err != nil {
		t.Fatal(err)
	}
	if found := check(t, s, l); !strings.HasPrefix(strings.Join(found, "\n"), "0: the full-text index is damaged") {
		t.Error(found)
	}
	if done, err := keeper(s).Reindex(ctx, l); err != nil || len(done.Others) > 0 {
		t.Error(done, err)
	}
	if found := check(t, s, l); len(found) > 0 {
		t.Error(found)
	}
}
