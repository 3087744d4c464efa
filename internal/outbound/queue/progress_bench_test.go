package queue_test

import (
	"context"
	"fmt"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
)

// BenchmarkProgress is one look of who waits with a progress bar, in the middle of
// a post to a million, beside the whole status.
func BenchmarkProgress(b *testing.B) {
	ctx := context.Background()
	r := sqliteRig(b)
	const people = 1_000_000
	r.subscribers(r.list.ID, 1, people)
	id := r.distribute(r.list.ID, model.LanePost)
	r.exec(fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 2500) INSERT INTO delivery_packs"+
		" (distribution_id, first_id, copies, data) SELECT %d, i * 200, 200, zeroblob(2000) FROM g", id))
	b.Run("bar", func(b *testing.B) {
		var known store.Depth
		if p, err := r.s.QueueProgress(ctx, &known); err != nil || p != (store.Progress{All: people, Decided: people / 2}) {
			b.Fatal(p, err)
		}
		for b.Loop() {
			if _, err := r.s.QueueProgress(ctx, &known); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.s.QueueStatus(ctx, 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
}
