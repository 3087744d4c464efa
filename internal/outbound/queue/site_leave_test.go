package queue_test

import (
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// TestLettersOfAConnection: a connection ends after as many letters as its site
// bears, and another goes on.
func TestLettersOfAConnection(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	n := newInternet(t)
	k := n.host("127.0.0.38", sink.Options{}, "d0.example")
	r.people(r.list.ID, 1, 200, "'d0.example'")
	id := r.distribute(r.list.ID, model.LanePost)
	rows := "[[limit]]\nname = 'x'\nmx = ['.d0.example']\nconnections = 1\nopens = 100000\nrate = 100000.0\nletters = 20\nbatch = 8\n"
	stop := run(t, r.direct(n.router(rows, smtpout.Timeouts{}), nil))
	r.await(id)
	stop()
	// The last unit may go beyond the limit.
	if c := k.Snapshot().Connections; k.Messages() != 200 || c < 200/27 || c > 200/20+1 {
		t.Errorf("%d letters in %d connections", k.Messages(), c)
	}
}

// TestConnectionsLeave: connections that are too many end, although letters wait
// for their site.
func TestConnectionsLeave(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	n := newInternet(t)
	k := n.host("127.0.0.39", sink.Options{Slow: 20 * time.Millisecond}, "d0.example")
	r.people(r.list.ID, 1, 5000, "'d0.example'")
	r.distribute(r.list.ID, model.LanePost)
	rows := "[[limit]]\nname = 'x'\nmx = ['.d0.example']\nconnections = 4\nopens = 100000\nrate = 100000.0\nletters = 1000\nbatch = 2\n"
	way := n.router(rows, smtpout.Timeouts{})
	stop := run(t, r.direct(way, nil))
	defer stop()
	eventually(t, "it has all its connections", func() bool { return k.Open() == 4 })
	way.Paces.Share(0, 4) // three other nodes come, and get a connection each
	eventually(t, "three connections end", func() bool { return k.Open() == 1 })
	if k.Messages() == 5000 {
		t.Error("no letter waited any more")
	}
}

// TestForgottenSites are found again: nobody wrote to them for a while.
func TestForgottenSites(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	n := newInternet(t)
	k := n.host("127.0.0.40", sink.Options{}, "d0.example", "d1.example")
	r.people(r.list.ID, 1, 50, "'d' || (i % 2) || '.example'")
	var later atomic.Int64
	e := r.direct(n.router(fast, smtpout.Timeouts{Idle: 50 * time.Millisecond}), func(o *queue.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	stop := run(t, e)
	defer stop()
	r.await(r.distribute(r.list.ID, model.LanePost))
	eventually(t, "its connections end", func() bool { return k.Open() == 0 })
	later.Store(int64(20 * time.Second)) // its domains are remembered for longer
	time.Sleep(1500 * time.Millisecond)  // the next look at who is idle
	r.await(r.distribute(r.list.ID, model.LanePost))
	if k.Messages() != 100 {
		t.Errorf("%d messages", k.Messages())
	}
}
