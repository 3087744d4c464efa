package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// forgetful is a store that commits and then, now and then, says it did not:
// the connection broke before the answer came.
type forgetful struct {
	*store.Store
	n atomic.Int64
}

func (s *forgetful) RecordDeliveries(ctx context.Context, ranges []model.RangeOutcomes, rows []model.Delivery, ended []model.Chunk) error {
	err := s.Store.RecordDeliveries(ctx, ranges, rows, ended)
	if err == nil && s.n.Add(1)%3 == 0 {
		return fault.Wrap(fault.Temporary, errors.New("unexpected EOF"), "the database is away")
	}
	return err
}

// TestTheAnswerOfACommitIsLost: what is recorded again, because nobody knows
// whether it was, is recorded once.
func TestTheAnswerOfACommitIsLost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		const people = 5000
		k := startSink(t, sink.Options{Seed: 4, Temporary: 0.02, Permanent: 0.01})
		r.subscribers(r.list.ID, 1, people)
		id := r.distribute(r.list.ID, model.LanePost)
		s := &forgetful{Store: r.s}
		stop := run(t, r.engine(k, func(o *queue.Options) { o.Store = s }))
		r.await(id)
		stop()
		if s.n.Load() < 6 {
			t.Fatalf("only %d commits", s.n.Load())
		}
		e, err := r.s.QueueEntryOf(context.Background(), id)
		if err != nil || e.Sent+e.Failed != people {
			t.Errorf("the counts are %+v, %v", e, err)
		}
		if rows := r.deliveries(id); len(rows) != people {
			t.Errorf("%d records of %d people", len(rows), people)
		}
		r.account(k, id, people, 0)
	})
}
