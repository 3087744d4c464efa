package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTroubleOfANodeThatIsGone is not told any more; that of one which is heard of is,
// and since when it has it.
func TestTroubleOfANodeThatIsGone(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		since := instant(s, -20*time.Hour)
		for _, node := range []string{"here", "gone", "new"} {
			if err := s.NoteAtWork(ctx, node); err != nil {
				t.Fatal(err)
			}
			if err := s.NoteNode(ctx, node, "the relay is down"); err != nil {
				t.Fatal(err)
			}
		}
		for name, at := range map[string]model.Instant{"node/here": since, "node/gone": since, "at-work/gone": instant(s, -time.Hour), "at-work/new": since} {
			if err := s.TestExec(ctx, "UPDATE queue_notes SET at = ? WHERE name = ?", at, name); err != nil {
				t.Fatal(err)
			}
		}
		st, err := s.QueueStatus(ctx, 10)
		if err != nil || len(st.Nodes) != 2 || st.Nodes[0].Name != "here" || st.Nodes[0].Since != since || st.Nodes[1].Name != "new" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}
