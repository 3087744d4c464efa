package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// diary is a store that counts how often it was noted that the queue is at work.
type diary struct {
	*store.Store
	noted atomic.Int64
}

func (d *diary) NoteAtWork(ctx context.Context, node string) error {
	d.noted.Add(1)
	return d.Store.NoteAtWork(ctx, node)
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

// TestLeasesCannotBeProlonged is said a few times, not as often as it is tried.
func TestLeasesCannotBeProlonged(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	s := &stiff{Store: r.s}
	var said lines
	stop := run(t, r.engine(startSink(t, sink.Options{}), func(o *queue.Options) {
		o.Store, o.Lease, o.Log = s, 100*time.Millisecond, said.logger()
	}))
	eventually(t, "it is tried again and again", func() bool { return s.tried.Load() >= 60 })
	stop()
	if n := said.count("leases could not be prolonged"); n == 0 || n > 30 {
		t.Errorf("%d lines about %d tries", n, s.tried.Load())
	}
}

// stiff is a store whose database can be read but not written to.
type stiff struct {
	*store.Store
	tried atomic.Int64
}

func (s *stiff) RenewChunks(context.Context, string, model.Instant, []model.Chunk) ([]model.Chunk, error) {
	s.tried.Add(1)
	return nil, fault.New(fault.Temporary, "the database is read-only")
}
