package queue_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// sized composes large messages for distribution 1 and small ones for others, and
// counts the copies that are made of the large one.
type sized struct {
	small, large composer
	made         atomic.Int64
}

func (c *sized) Open(ctx context.Context, d *model.Distribution) (queue.Prepared, error) {
	if d.ID != 1 {
		return c.small.Open(ctx, d)
	}
	p, err := c.large.Open(ctx, d)
	return &counted{p, &c.made}, err
}

type counted struct {
	queue.Prepared
	n *atomic.Int64
}

func (c *counted) Letter(r queue.Recipient) queue.Letter {
	c.n.Add(1)
	return c.Prepared.Letter(r)
}

// tooLarge counts the copies of distribution 1 that failed because of a limit.
func (r *rig) tooLarge(limit string) (n int) {
	for _, d := range r.deliveries(1) {
		if d.State == model.DeliveryFailed && d.Code == 552 && strings.HasPrefix(d.Reply, "5.3.4 ") && strings.HasSuffix(d.Reply, " takes "+limit+" at most") {
			n++
		}
	}
	return n
}

// TestTooLargeForASite: it is found out once that a site does not take so large a
// message; the other copies for it fail without a connection, until a person says
// retry. Other sites get theirs.
func TestTooLargeForASite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		strict := n.host("127.0.0.65", sink.Options{Size: 20_000}, "d0.example", "d2.example", "d3.example")
		good := n.host("127.0.0.66", sink.Options{Size: 1_000_000}, "d1.example")
		const people = 4000
		r.people(r.list.ID, 1, people, "'d' || (i % 4) || '.example'")
		r.pause(true, "d2.example")
		r.pause(true, "d3.example")
		c := &sized{large: composer{size: 100_000}}
		stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Composer = c }))
		id := r.distribute(r.list.ID, model.LanePost)
		if id != 1 {
			t.Fatal("it is not the large one")
		}
		eventually(t, "everybody has a row", func() bool { return r.records(id) == people && r.fates(id)[model.DeliveryRetry] == people/2 })
		if k, g := r.tooLarge("20000"), good.Messages(); k != people/4 || g != people/4 {
			t.Errorf("%d failed, %d were taken", k, g)
		}
		if k := c.made.Load() - people/4; k > 20 {
			t.Errorf("%d copies were made for a site that takes none", k)
		}
		if s := strict.Snapshot(); s.Commands > 2*s.Connections { // EHLO and QUIT
			t.Errorf("%d commands on %d connections", s.Commands, s.Connections)
		}
		// It would take them now, but nobody has a reason to ask.
		addr := strict.Addr()
		if err := strict.Close(); err != nil {
			t.Fatal(err)
		}
		bigger := startSink(t, sink.Options{Addr: addr, Size: 1_000_000})
		r.pause(false, "d2.example")
		eventually(t, "those fail too", func() bool { return r.fates(id)[model.DeliveryFailed] == people/2 })
		if s := bigger.Snapshot(); s.Connections != 0 {
			t.Errorf("%d connections", s.Connections)
		}
		if _, err := r.s.RetryNow(context.Background(), store.QueueScope{Destination: "d0.example"}); err != nil {
			t.Fatal(err)
		}
		r.pause(false, "d3.example")
		r.await(id)
		if k, g := r.tooLarge("20000"), bigger.Messages(); k != people/2 || g != people/4 {
			t.Errorf("%d failed, %d were taken", k, g)
		}
		stop()
	})
}

// TestTooLargeForARelay: the same by a relay; of two the other takes it all.
func TestTooLargeForARelay(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"the only one": false, "one of two": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			strict := startSink(t, sink.Options{Size: 20_000})
			good := startSink(t, sink.Options{})
			const people = 4000
			r.subscribers(r.list.ID, 1, people)
			c := &sized{large: composer{size: 100_000}}
			var log lines
			stop := run(t, r.engine(strict, func(o *queue.Options) {
				o.Composer, o.Log = c, log.logger()
				if both {
					o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", strict.Addr(), 1), outlet("b", good.Addr(), 1)}
				}
			}))
			id := r.distribute(r.list.ID, model.LanePost)
			r.await(id)
			stop()
			failed, taken := r.tooLarge("20000"), good.Messages()
			if want := map[bool]int64{true: people}[both]; int64(failed)+taken != people || taken != want {
				t.Errorf("%d failed, %d were taken", failed, taken)
			}
			if k := c.made.Load() - taken; !both && k > 200 {
				t.Errorf("%d copies were made for a relay that takes none", k)
			}
			if n := log.count("larger than a peer takes"); both != (n == 0) {
				t.Errorf("it is said %d times that it is too large", n)
			}
			if s := strict.Snapshot(); s.Commands > 2*s.Connections {
				t.Errorf("%d commands on %d connections", s.Commands, s.Connections)
			}
		})
	}
}
