package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

func outlet(name, addr string, weight int) queue.Outlet {
	return queue.Outlet{Name: name, Weight: weight, Connect: (&smtpout.Relay{Addr: addr, Hello: "lists.example.org"}).Connect}
}

// dead gives an address where nobody listens, and a function that starts a sink
// there.
func dead(t *testing.T) (addr string, start func() *sink.Sink) {
	t.Helper()
	addr = real.Addr(t)
	return addr, func() *sink.Sink { return startSink(t, sink.Options{Addr: addr, Slow: time.Millisecond}) }
}

// TestRelays: copies are shared by weight; a relay that is down is knocked at by
// its schedule and gets none; it comes back by itself, and a spare then rests.
func TestRelays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		a, b := startSink(t, sink.Options{Slow: time.Millisecond}), startSink(t, sink.Options{Slow: time.Millisecond})
		spare := startSink(t, sink.Options{Slow: time.Millisecond})
		r.subscribers(r.list.ID, 1, 4000)
		ways := func(w ...queue.Outlet) func(*queue.Options) {
			return func(o *queue.Options) { o.Connect, o.Outlets, o.Connections = nil, w, 8 }
		}
		stop := run(t, r.engine(nil, ways(outlet("a", a.Addr(), 3), outlet("b", b.Addr(), 1), outlet("spare", spare.Addr(), 0))))
		r.await(r.distribute(r.list.ID, model.LanePost))
		stop()
		// Three to one by connections; how many letters that is depends on the machine.
		sa, sb := a.Snapshot(), b.Snapshot()
		if sa.Messages+sb.Messages != 4000 || sa.Connections < 6 || sa.Connections > 8 || sb.Connections < 2 || sb.Connections > 4 || spare.Messages() != 0 {
			t.Errorf("a %d by %d, b %d by %d, spare %d", sa.Messages, sa.Connections, sb.Messages, sb.Connections, spare.Messages())
		}
		// One is down.
		addr, start := dead(t)
		var log lines
		change := ways(outlet("a", addr, 1), outlet("b", b.Addr(), 1))
		e := r.engine(nil, func(o *queue.Options) { change(o); o.Log = log.logger() })
		stop = run(t, e)
		before := b.Messages()
		r.await(r.distribute(r.list.ID, model.LanePost))
		if n := b.Messages() - before; n != 4000 {
			t.Errorf("%d of 4000 went by the other relay", n)
		}
		if n := log.count("the way out cannot be used"); n == 0 || n > 200 {
			t.Errorf("the relay that is down was tried %d times for 4000 copies", n)
		}
		// It comes back.
		back := start()
		id := r.distribute(r.list.ID, model.LanePost)
		r.await(id)
		eventually(t, "the relay that came back is used", func() bool {
			if back.Messages() > 0 {
				return true
			}
			r.await(r.distribute(r.list.ID, model.LanePost))
			return back.Messages() > 0
		})
		if e.Stats().Down != "" {
			t.Errorf("it is said to be down: %s", e.Stats().Down)
		}
		stop()
		if r.number("SELECT count(*) FROM deliveries WHERE state <> 1") != 0 {
			t.Error("a copy was not sent")
		}
	})
}

// TestNewestTrouble: the status tells what is wrong with a relay now, since when
// there has been trouble, and that others work.
func TestNewestTrouble(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		var refused atomic.Bool
		bad := queue.Outlet{Name: "bad", Weight: 1, Connect: func(context.Context) (queue.Courier, error) {
			if refused.Load() {
				return nil, errors.New("AUTH was answered 535")
			}
			return nil, errors.New("connection refused")
		}}
		k := startSink(t, sink.Options{Slow: 100 * time.Millisecond})
		r.subscribers(r.list.ID, 1, 1000)
		stop := run(t, r.engine(nil, func(o *queue.Options) {
			o.Connect, o.Outlets, o.Backoff, o.Grace = nil, []queue.Outlet{bad, outlet("good", k.Addr(), 1)}, []time.Duration{50 * time.Millisecond}, time.Second
		}))
		r.distribute(r.list.ID, model.LanePost)
		since := model.Instant(0)
		for _, want := range []string{"1 of 2 relays cannot be used: bad: connection refused", "1 of 2 relays cannot be used: bad: AUTH was answered 535"} {
			eventually(t, want, func() bool {
				st, err := r.s.QueueStatus(context.Background(), 0)
				if err != nil || len(st.Nodes) != 1 || st.Nodes[0].Text != want {
					return false
				}
				if since == 0 {
					since = st.Nodes[0].Since
				}
				return st.Nodes[0].Since == since
			})
			refused.Store(true)
		}
		stop()
	})
}

// TestSpareRelay: weight 0 takes the mail only while no other can.
func TestSpareRelay(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	spare := startSink(t, sink.Options{Slow: time.Millisecond})
	addr, start := dead(t)
	r.subscribers(r.list.ID, 1, 2000)
	stop := run(t, r.engine(nil, func(o *queue.Options) {
		o.Connect, o.Outlets = nil, []queue.Outlet{outlet("main", addr, 1), outlet("spare", spare.Addr(), 0)}
	}))
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "the spare takes the mail", func() bool { return spare.Messages() > 100 })
	main := start()
	eventually(t, "the main relay takes it again", func() bool {
		if r.done(id) {
			id = r.distribute(r.list.ID, model.LanePost)
		}
		return main.Messages() > 100
	})
	r.await(id)
	had := spare.Messages()
	r.await(r.distribute(r.list.ID, model.LanePost))
	if n := spare.Messages() - had; n > 0 {
		t.Errorf("the spare took %d letters although the main relay works", n)
	}
	stop()
}

// lines keeps what is logged.
type lines struct{ syncBuffer }

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&l.syncBuffer, nil)) }

func (l *lines) count(what string) int { return strings.Count(l.String(), what) }
