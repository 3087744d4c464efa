package store

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnswersAreFoundByAnIndex: not by reading a list of a million posts, which nothing
// but time would show.
func TestAnswersAreFoundByAnIndex(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "plenary.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	rows, err := s.read(ctx).Raw("EXPLAIN QUERY PLAN "+answersText, 1, 5, 1, 5, 1, 1, 5).Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	steps := 0
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(step, "SEARCH") {
			steps++
		}
		if strings.HasSuffix(step, "(list_id=?)") && !strings.Contains(step, "SEARCH r ") {
			t.Error(step)
		}
	}
	if err := rows.Err(); err != nil || steps != 4 {
		t.Errorf("%d steps, %v", steps, err)
	}
}
