package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTidySparesWhatANodeSends: a node that starts beside others does not hold
// what one of them is sending, however old it is.
func TestTidySparesWhatANodeSends(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 30)
		later := model.At(time.Now().Add(time.Hour)) // the distribution is older than that
		lease := model.Chunk{Owner: "other", LeaseUntil: model.At(time.Now().Add(time.Minute))}
		c, _, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || c == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 0 {
			t.Errorf("held while it is sent: %v, %v", held, err)
		}
		if _, err := s.RenewChunks(ctx, "other", model.At(time.Now().Add(-time.Minute)), []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 1 {
			t.Errorf("held after the lease ended: %v, %v", held, err)
		}
	})
}
