package archive_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
)

// TestAskBesideADamagedMessage: a message that cannot be read takes no other from
// who searches.
func TestAskBesideADamagedMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := store.Open(t.Context(), "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, talk, _ := askers(t, s)
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE message_bytes SET codec = 1, data = randomblob(40) WHERE id = (SELECT bytes_id FROM posts WHERE id = ?)",
		model.MakePostID(talk.ID, 2)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Ask(t.Context(), model.Actor{Site: true}, archive.Ask{Text: "oak", List: talk.ID, Limit: 10})
	if err != nil || len(got.Hits) != 4 {
		t.Fatal(got, err)
	}
	for _, h := range got.Hits {
		if damaged := strings.Contains(h.Snippet, "damaged"); damaged != (h.UID == 2) {
			t.Errorf("UID %d: %s", h.UID, h.Snippet)
		}
	}
}
