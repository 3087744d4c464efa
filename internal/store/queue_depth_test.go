package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestWhatTheQueueOwes: the number of copies that are still owed, and whether any
// of them goes without a person's word.
func TestWhatTheQueueOwes(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		known := &store.Depth{}
		owes := func(when string, depth int64, moves bool) {
			t.Helper()
			n, err := s.QueueDepth(ctx, known)
			if err != nil || n != depth {
				t.Errorf("%s: %d copies are owed, not %d (%v)", when, n, depth, err)
			}
			if m, err := s.QueueMoves(ctx); err != nil || m != moves {
				t.Errorf("%s: it moves: %v (%v)", when, m, err)
			}
		}
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		owes("at the start", 0, false)
		d := foldRig(t, s, 30)
		owes("a post", 30, true)
		for _, q := range []store.QueueScope{{}, {ListID: d.ListID}, {DistributionID: d.ID}} {
			check(s.PauseQueue(ctx, q, "test"))
			owes("paused", 30, false)
			_, err := s.ResumeQueue(ctx, q, "test")
			check(err)
			owes("resumed", 30, true)
		}
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 1000)
		check(err)
		out := model.RangeOutcomes{Chunk: *c}
		for i := range subs {
			if i < 20 {
				out.Sent = append(out.Sent, model.SentCopy{RecipientID: subs[i].ID, Code: 250, At: model.At(time.Now())})
				continue
			}
			out.Rows = append(out.Rows, model.Delivery{DistributionID: d.ID, RecipientID: subs[i].ID, State: model.DeliveryRetry,
				NextAt: model.Never, Site: model.SiteNumber(model.WaitPause, "example.net")})
		}
		_, _, err = s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 1000) // there is no other range
		check(err)
		check(s.RecordDeliveries(ctx, []model.RangeOutcomes{out}, nil, []model.Chunk{*c}))
		owes("ten wait for a pause", 10, false)
		check(s.WakePaused(ctx, "example.net"))
		owes("the pause is over", 10, true)
		check(s.SaveLetter(ctx, &model.Distribution{Lane: model.LaneReply, Recipient: "x@example.net"}, []byte("Subject: x\r\n\r\n")))
		owes("a letter", 11, true)
		check(s.CancelDistribution(ctx, d.ID, "test"))
		owes("the post is cancelled", 1, true)
	})
}
