package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestQueueProgress: how far a post has come, with an audience counted once.
func TestQueueProgress(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 30)
		var known store.Depth
		want := func(p store.Progress) {
			t.Helper()
			have, err := s.QueueProgress(ctx, &known)
			if err != nil || have != p {
				t.Errorf("%+v, %v; want %+v", have, err, p)
			}
			if n, err := s.QueueDepth(ctx, &known); err != nil || n != p.All-p.Decided {
				t.Errorf("%d copies are owed, %v; want %+v", n, err, p)
			}
		}
		want(store.Progress{All: 30})
		chunk, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		ids := personIDs(subs)
		var sent []model.SentCopy
		for _, id := range ids[:10] {
			sent = append(sent, model.SentCopy{RecipientID: id, At: instant(s, 0), Code: 250})
		}
		rows := append(outcomes(d, model.DeliveryRetry, 1, ids[10:15]...), outcomes(d, model.DeliveryFailed, 1, ids[15:18]...)...)
		if err := s.RecordDeliveries(ctx, []model.RangeOutcomes{{Chunk: *chunk, Sent: sent, Rows: rows}}, nil, nil); err != nil {
			t.Fatal(err)
		}
		want(store.Progress{All: 30, Decided: 13, Retry: 5})
		if err := s.RecordDeliveries(ctx, nil, again("a", outcomes(d, model.DeliverySent, 2, ids[10:15]...)), nil); err != nil {
			t.Fatal(err)
		}
		want(store.Progress{All: 30, Decided: 18})
	})
}
