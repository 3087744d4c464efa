package queue_test

import (
	"fmt"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// TestPeerFaults: what peers do in the middle, each alone, with the whole engine,
// to a relay and to a mail host, by DATA and by BDAT: everybody gets the post,
// and more than once only who was lost from sight.
func TestPeerFaults(t *testing.T) {
	t.Parallel()
	const people = 200
	for _, c := range []struct {
		name  string
		o     sink.Options
		first bool // nobody pays with an attempt
	}{
		{"452 too many recipients", sink.Options{RcptMost: 7}, true},
		{"552 too many recipients", sink.Options{RcptMost: 7, RcptReply: "552 5.5.3 enough"}, true},
		{"421 in the middle", sink.Options{CloseAfter: 7}, true},
		{"lost before the final dot", sink.Options{Seed: 1, DropBefore: 0.05}, false},
		{"lost after the final dot", sink.Options{Seed: 1, DropAfter: 0.05}, false},
		{"a slow last reply", sink.Options{Slow: 20 * time.Millisecond}, true},
		{"it stops reading", sink.Options{StopAfter: 60}, false},
	} {
		for _, way := range []string{"relay", "direct"} {
			for _, data := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s DATA=%v", c.name, way, data), func(t *testing.T) {
					t.Parallel()
					r := sqliteRig(t)
					n := newInternet(t)
					o := c.o
					o.NoChunking = data
					k := n.host("127.0.0.94", o, "d0.example")
					r.people(r.list.ID, 1, people, "'d0.example'")
					id := r.distribute(r.list.ID, model.LanePost)
					patience := smtpout.Timeouts{}
					if short := 500 * time.Millisecond; c.o.StopAfter > 0 {
						patience = smtpout.Timeouts{Block: short, End: short, Data: short, Command: short}
					}
					relay := &smtpout.Relay{Hello: "lists.example.org", Addr: k.Addr(), Timeouts: patience}
					e := r.engine(k, func(o *queue.Options) { o.Connect = relay.Connect })
					if way == "direct" {
						e = r.direct(n.router(fast, patience), func(o *queue.Options) { o.Retry = []time.Duration{10 * time.Millisecond} })
					}
					stop := run(t, e)
					r.await(id)
					stop()
					all, first := r.sent(id)
					if all != people || c.first && first != people {
						t.Errorf("%d of %d were sent, %d at the first try", all, people, first)
					}
					snap := k.Snapshot()
					if got := len(snap.Recipients()); got != people {
						t.Errorf("%d of %d got it", got, people)
					}
					if extra := snap.Messages - people; extra > e.Stats().Lost {
						t.Errorf("%d came twice, %d were lost from sight", extra, e.Stats().Lost)
					}
				})
			}
		}
	}
}

// TestRefusedAtTheDoor: a host, or a relay, that greets us with 554 says
// something about us: an alarm, once, and nobody has failed or paid an attempt.
func TestRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"relay", "direct"} {
		t.Run(way, func(t *testing.T) {
			r := sqliteRig(t)
			n := newInternet(t)
			k := n.host("127.0.0.95", sink.Options{Greeting: "554 5.7.1 your address is on a list"}, "d0.example")
			other := n.host("127.0.0.96", sink.Options{}, "d1.example")
			r.people(r.list.ID, 1, 100, "'d' || (i % 2) || '.example'")
			id := r.distribute(r.list.ID, model.LanePost)
			var log lines
			e := r.engine(k, func(o *queue.Options) { o.Log = log.logger() })
			if way == "direct" {
				e = r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Log = log.logger() })
			}
			stop := run(t, e)
			const alarm = "level=ERROR msg=\"a site refuses our connections: this is about this server, not about any recipient\""
			eventually(t, "the alarm", func() bool {
				return log.count(alarm) == 1 && log.count("reply=\"5.7.1 your address is on a list\"") > 0
			})
			if way == "direct" {
				eventually(t, "the other host has its letters", func() bool { return other.Messages() == 50 })
				eventually(t, "those of the site wait", func() bool {
					return r.number("SELECT count(*) FROM deliveries WHERE distribution_id = ? AND state = 2 AND attempts = 0 AND site <> 0", id) == 50
				})
			} else {
				eventually(t, "it was tried again", func() bool { return k.Snapshot().Connections > 2 })
			}
			stop()
			if f := r.fates(id); f[model.DeliveryFailed] != 0 || log.count(alarm) != 1 {
				t.Errorf("%v, %s", f, log.String())
			}
		})
	}
}

// TestMuteHosts: hosts that take connections and say nothing, which may last
// minutes, do not use up the connections of those that work.
func TestMuteHosts(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	n := newInternet(t)
	var mute []string
	for i := range 8 {
		mute = append(mute, fmt.Sprintf("d%d.example", i))
	}
	n.host("127.0.0.97", sink.Options{Mute: true}, mute[0])
	for _, d := range mute[1:] {
		n.names("127.0.0.97", d)
	}
	good := n.host("127.0.0.98", sink.Options{}, "d8.example", "d9.example")
	r.people(r.list.ID, 1, 100, "'d' || (i % 8) || '.example'")
	first := r.distribute(r.list.ID, model.LanePost)
	e := r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Connections, o.Grace = 4, 100*time.Millisecond })
	stop := run(t, e)
	eventually(t, "they have all connections", func() bool { return e.Stats().Queued == 100 })
	r.people(r.list.ID, 101, 100, "'d' || (8 + i % 2) || '.example'")
	r.exec("UPDATE subscribers SET delivery_status = 1 WHERE id <= 100")
	r.distribute(r.list.ID, model.LanePost)
	eventually(t, "the others have theirs", func() bool { return good.Messages() == 100 })
	stop()
	if k := r.number("SELECT count(*) FROM deliveries WHERE distribution_id = ? AND attempts > 0", first); k != 0 {
		t.Errorf("%d copies to mute hosts count as tried", k)
	}
}

// TestPauseTheOnlyRelay by its name, with port or without: connections that are
// open get nothing more either.
func TestPauseTheOnlyRelay(t *testing.T) {
	t.Parallel()
	for _, port := range []bool{false, true} {
		r := sqliteRig(t)
		k := startSink(t, sink.Options{Slow: time.Millisecond})
		r.subscribers(r.list.ID, 1, 6000)
		relay := &smtpout.Relay{Hello: "lists.example.org", Addr: k.Addr()}
		stop := run(t, r.engine(k, func(o *queue.Options) {
			o.Outlets = []queue.Outlet{{Name: k.Addr(), Weight: 1, Connect: relay.Connect}}
		}))
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "it goes out", func() bool { return k.Messages() > 100 })
		name := "127.0.0.1"
		if port {
			name = k.Addr()
		}
		r.pause(true, name)
		standstill(t, k, "nothing goes to the relay")
		if r.done(id) {
			t.Fatal("all was sent before the pause")
		}
		r.pause(false, name)
		r.await(id)
		stop()
		if k.Messages() != 6000 {
			t.Errorf("%d messages", k.Messages())
		}
	}
}
