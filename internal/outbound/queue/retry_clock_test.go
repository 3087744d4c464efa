package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
)

// TestRetryAfterOneFromTheFuture: that somebody once asked for a try by a clock that was
// ahead keeps nobody from asking again.
func TestRetryAfterOneFromTheFuture(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	r.subscribers(r.list.ID, 1, 5)
	r.exec("INSERT INTO queue_notes (name, text, at) VALUES ('retry', '', ?)", int64(model.At(time.Now().Add(5*time.Hour))))
	var dials atomic.Int64
	stop := run(t, r.engine(nil, func(o *queue.Options) {
		o.Backoff = []time.Duration{time.Hour}
		o.Connect = func(context.Context) (queue.Courier, error) {
			dials.Add(1)
			return nil, errors.New("connection refused")
		}
	}))
	defer stop()
	r.distribute(r.list.ID, model.LanePost)
	eventually(t, "the relay is down", func() bool { return dials.Load() == 1 })
	if _, err := r.s.RetryNow(context.Background(), store.QueueScope{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is tried again", func() bool { return dials.Load() > 1 })
}
