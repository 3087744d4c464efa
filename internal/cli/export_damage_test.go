package cli

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spoil changes the rig's database behind the program's back.
func spoil(r *rig, do string) {
	r.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "plenary.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if res, err := db.Exec(do); err != nil {
		r.t.Fatal(do, err)
	} else if n, _ := res.RowsAffected(); n == 0 {
		r.t.Fatal(do, "touched nothing")
	}
}

// fourPosts makes a list of four posts whose bytes lie apart.
func fourPosts(r *rig, list string) {
	r.t.Helper()
	r.ok("list", "create", list)
	for i := 1; i <= 4; i++ {
		path := filepath.Join(r.dir, fmt.Sprint(i, ".mbox"))
		box := fmt.Sprintf("From a Mon Mar  2 10:00:00 2026\nFrom: Ann <ann@example.org>\nSubject: Shelf %d\nMessage-ID: <%d@x>\n\nOak %d.\n", i, i, i)
		if err := os.WriteFile(path, []byte(box), 0o600); err != nil {
			r.t.Fatal(err)
		}
		r.ok("import", "mbox", list, path)
	}
}

// Messages that cannot be read are named, and all others are written.
func TestExportGoesOnAfterDamage(t *testing.T) {
	r := newRig(t)
	fourPosts(r, "talk@lists.example.org")
	spoil(r, "UPDATE message_bytes SET data = zeroblob(length(data)) WHERE id = (SELECT bytes_id FROM posts WHERE id = 4294967296 + 1)")
	spoil(r, "DELETE FROM message_bytes WHERE id = (SELECT bytes_id FROM posts WHERE id = 4294967296 + 3)")
	out, errs, code := r.run("", "export", "mbox", "talk@lists.example.org")
	if code != exitFailure || !strings.Contains(errs, "2 messages cannot be read") || !strings.HasSuffix(strings.TrimSpace(errs), "UID 1, 3") {
		t.Error(code, errs)
	}
	if !strings.Contains(out, "Oak 2.") || !strings.Contains(out, "Oak 4.") || strings.Count(out, "\nFrom ") != 1 {
		t.Error(out)
	}
}

// Of messages that cannot be read a check does not say that a reindex helps, and a
// reindex that leaves some is a failure.
func TestDamagedMessagesAreRestored(t *testing.T) {
	r := newRig(t)
	fourPosts(r, "talk@lists.example.org")
	spoil(r, "UPDATE message_bytes SET data = zeroblob(length(data)) WHERE id = (SELECT bytes_id FROM posts WHERE id = 4294967296 + 1)")
	out, errs, code := r.run("", "archive", "check", "talk@lists.example.org")
	if code != exitFailure || !strings.Contains(errs, "restore them from a backup") || strings.Contains(errs, "plenary archive reindex") || !strings.Contains(out, "1    the message cannot be read") {
		t.Error(code, out, errs)
	}
	out, errs, code = r.run("", "archive", "reindex", "talk@lists.example.org")
	if code != exitFailure || !strings.Contains(errs, "1 message cannot be read") || !strings.HasPrefix(out, "3 posts made anew") {
		t.Error(code, out, errs)
	}
	spoil(r, "UPDATE posts SET subject = 'x' WHERE id = 4294967296 + 2")
	_, errs, code = r.run("", "archive", "check", "talk@lists.example.org")
	if code != exitFailure || !strings.Contains(errs, "the rest is mended by plenary archive reindex talk@lists.example.org") {
		t.Error(code, errs)
	}
}
