package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArchiveCheckAndReindex(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", "talk@lists.example.org")
	path := filepath.Join(r.dir, "a.mbox")
	box := "From a Mon Mar  2 10:00:00 2026\nFrom: Ann <ann@example.org>\nSubject: Shelves\nMessage-ID: <1@x>\n\nOak.\n"
	if err := os.WriteFile(path, []byte(box), 0o600); err != nil {
		t.Fatal(err)
	}
	r.ok("import", "mbox", "talk@lists.example.org", path)
	if got := r.ok("archive", "check", "talk@lists.example.org"); !strings.HasPrefix(got, "1 post read") || !strings.Contains(got, " 0 findings") {
		t.Error(got)
	}
	if got := r.ok("archive", "reindex", "talk@lists.example.org", "--json"); !strings.HasPrefix(got, `{"posts":1,"damaged":0,`) {
		t.Error(got)
	}
	if got := r.ok("archive", "reindex", "talk@lists.example.org"); !strings.HasPrefix(got, "1 post made anew") {
		t.Error(got)
	}
}
