package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// diary is a store that counts how often it was noted that the queue is at work.
type diary struct {
	*store.Store
	noted atomic.Int64
}

func (d *diary) NoteAtWork(ctx context.Context) error {
	d.noted.Add(1)
	return d.Store.NoteAtWork(ctx)
}

// TestAtWorkIsNoted every few minutes, also while there is nothing to do.
func TestAtWorkIsNoted(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	s := &diary{Store: r.s}
	var later atomic.Int64
	stop := run(t, r.engine(startSink(t, sink.Options{}), func(o *queue.Options) {
		o.Store = s
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	}))
	within(t, time.Minute, "it is noted again and again", func() bool {
		later.Add(int64(time.Minute))
		return s.noted.Load() >= 3
	})
	stop()
}
