package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// hush is a store that does not say what people have asked for while it is on.
type hush struct {
	*store.Store
	on    atomic.Bool
	heard atomic.Int64
}

func (h *hush) QueueStops(ctx context.Context) (*model.QueueStops, error) {
	if h.on.Load() {
		return nil, errors.New("not now")
	}
	h.heard.Add(1)
	return h.Store.QueueStops(ctx)
}

// TestRetryIsOneTry: a node that hears of a retry after it has tried what was due
// does not try it once more.
func TestRetryIsOneTry(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"550 5.7.1 not from here", "451 4.3.0 later"} {
		t.Run(reply[:3], func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			n := newInternet(t)
			host := n.host("127.0.0.64", sink.Options{RefuseData: reply}, "d0.example")
			const people = 8 // fewer than stop the distribution at the site
			r.people(r.list.ID, 1, people, "'d0.example'")
			s := &hush{Store: r.s}
			stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Store, o.Retry = s, []time.Duration{time.Hour} }))
			r.distribute(r.list.ID, model.LanePost)
			tried := func(want int64) func() bool {
				return func() bool {
					return r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = ? AND code > 0", want) == people
				}
			}
			eventually(t, "all are tried", tried(1))
			s.on.Store(true)
			if _, err := r.s.RetryNow(context.Background(), store.QueueScope{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all are tried again", tried(2))
			heard := s.heard.Load()
			s.on.Store(false)
			eventually(t, "the node has heard of it for a while", func() bool { return s.heard.Load() > heard+3 })
			stop()
			if k := host.Snapshot().Refused; k != 2*people {
				t.Errorf("%d tries of %d copies", k, people)
			}
		})
	}
}
