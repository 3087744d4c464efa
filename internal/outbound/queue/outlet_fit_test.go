package queue_test

import (
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestRelaysOfTwoSizes: what one relay does not take goes by the other, also when it is
// the spare or is found out copy by copy; the smaller one takes the rest.
func TestRelaysOfTwoSizes(t *testing.T) {
	t.Parallel()
	const people = 4000
	for _, c := range []struct {
		name        string
		least       int64 // what the smaller one takes
		weight      int   // of the larger one
		connections int
	}{
		{"known at once", 20_000, 1, 0},
		{"known copy by copy", 100_000, 1, 0},
		{"the spare", 20_000, 0, 0},
		{"the spare, one connection", 20_000, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			small, large := startSink(t, sink.Options{Size: c.least}), startSink(t, sink.Options{Size: 1_000_000})
			r.subscribers(r.list.ID, 1, people)
			e := r.engine(nil, func(o *queue.Options) {
				o.Composer, o.Connections = &sized{large: composer{size: 100_000}}, c.connections
				o.Connect, o.Outlets = nil, []queue.Outlet{outlet("small", small.Addr(), 1), outlet("large", large.Addr(), c.weight)}
			})
			first, second := r.distribute(r.list.ID, model.LanePost), r.distribute(r.list.ID, model.LanePost)
			stop := run(t, e)
			r.await(first)
			r.await(second)
			stop()
			for _, id := range []int64{first, second} {
				if n := r.fates(id)[model.DeliverySent]; n != people {
					t.Errorf("%d of %d: %v", n, id, r.fates(id))
				}
			}
			sum := small.Messages() + large.Messages()
			if sum != 2*people || large.Messages() < people || small.Messages() == 0 {
				t.Errorf("the small one took %d, the large one %d", small.Messages(), large.Messages())
			}
		})
	}
}

// TestLargerRelayAway: while the only relay that takes a message is away, its copies
// wait and others go.
func TestLargerRelayAway(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	const people = 2000
	small := startSink(t, sink.Options{Size: 20_000})
	addr, start := dead(t)
	r.subscribers(r.list.ID, 1, people)
	e := r.engine(nil, func(o *queue.Options) {
		o.Composer = &sized{large: composer{size: 100_000}}
		o.Connect, o.Outlets = nil, []queue.Outlet{outlet("small", small.Addr(), 1), outlet("large", addr, 1)}
	})
	first, second := r.distribute(r.list.ID, model.LanePost), r.distribute(r.list.ID, model.LanePost)
	stop := run(t, e)
	r.await(second)
	if f := r.fates(first); f[model.DeliverySent]+f[model.DeliveryFailed] != 0 || small.Messages() != people {
		t.Errorf("%v of the large one, the small one took %d", f, small.Messages())
	}
	large := start()
	r.await(first)
	stop()
	if f := r.fates(first); f[model.DeliverySent] != people || large.Messages() != people {
		t.Errorf("%v, it took %d", f, large.Messages())
	}
}

// TestRelayWithoutUTF8: an address that one relay cannot be told goes by the other, and
// fails when neither can.
func TestRelayWithoutUTF8(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"one": false, "both": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			a, b := startSink(t, sink.Options{NoUTF8: true, Slow: time.Millisecond}), startSink(t, sink.Options{NoUTF8: both, Slow: time.Millisecond})
			r.subscribers(r.list.ID, 1, 1000)
			r.exec("UPDATE subscribers SET email = 'ö' || id || '@example.net', email_key = 'ö' || id || '@example.net' WHERE id % 10 = 0")
			stop := run(t, r.engine(nil, func(o *queue.Options) {
				o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", a.Addr(), 1), outlet("b", b.Addr(), 1)}
			}))
			id := r.distribute(r.list.ID, model.LanePost)
			r.await(id)
			stop()
			want := map[bool]int64{false: 1000, true: 900}[both]
			if f := r.fates(id); f[model.DeliverySent] != want || a.Messages()+b.Messages() != want || a.Messages() == 0 || b.Messages() == 0 {
				t.Errorf("%v, a took %d, b %d", f, a.Messages(), b.Messages())
			}
		})
	}
}

// TestFewWaitForARelay: copies that wait for the one relay that takes them keep no
// other from being sent, not those that were handed out with them and not other posts.
func TestFewWaitForARelay(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	const people, posts = 20, 40 // more posts than a lane has ranges in hand
	a := startSink(t, sink.Options{NoUTF8: true, CloseAfter: 7})
	addr, start := dead(t)
	r.subscribers(r.list.ID, 1, people)
	r.exec("UPDATE subscribers SET email = 'ö@example.net', email_key = 'ö@example.net' WHERE id = 3")
	e := r.engine(nil, func(o *queue.Options) {
		o.Retry = []time.Duration{200 * time.Millisecond}
		o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", a.Addr(), 1), outlet("b", addr, 1)}
	})
	for range posts {
		r.distribute(r.list.ID, model.LanePost)
	}
	stop := run(t, e)
	eventually(t, "all others are sent", func() bool { return a.Messages() == posts*(people-1) })
	eventually(t, "the few wait", func() bool {
		return r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = 0 AND reply LIKE 'it waits for a relay that takes it: b'") == posts
	})
	b := start()
	for id := range int64(posts) {
		r.await(id + 1)
	}
	stop()
	if n := b.Messages(); n != posts || a.Messages() != posts*(people-1) {
		t.Errorf("b took %d, a %d", n, a.Messages())
	}
}

// TestRetryOfTheOneThatTakes: copies that wait long for the one relay that takes them
// are sent when a person asks for that relay, or ends its pause.
func TestRetryOfTheOneThatTakes(t *testing.T) {
	t.Parallel()
	b := store.QueueScope{Destination: "b"}
	for name, paused := range map[string]bool{"retry": false, "resume": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *rig) {
				const people = 20
				small := startSink(t, sink.Options{Size: 20_000})
				addr, start := dead(t)
				r.subscribers(r.list.ID, 1, people)
				e := r.engine(nil, func(o *queue.Options) {
					o.Composer = &composer{size: 100_000}
					o.Retry, o.Backoff = []time.Duration{time.Hour}, []time.Duration{time.Millisecond, time.Hour}
					o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", small.Addr(), 1), outlet("b", addr, 1)}
				})
				if paused {
					if err := r.s.PauseQueue(t.Context(), b, "a test"); err != nil {
						t.Fatal(err)
					}
				}
				stop := run(t, e)
				id := r.distribute(r.list.ID, model.LanePost)
				eventually(t, "all wait", func() bool {
					return r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = 0 AND reply LIKE '"+model.ForRelay+"b'") == people
				})
				large := start()
				var err error
				if paused {
					_, err = r.s.ResumeQueue(t.Context(), b, "a test")
				} else {
					_, err = r.s.RetryNow(t.Context(), b)
				}
				if err != nil {
					t.Fatal(err)
				}
				r.await(id)
				stop()
				if large.Messages() != people || small.Messages() != 0 {
					t.Errorf("a took %d, b %d", small.Messages(), large.Messages())
				}
			})
		})
	}
}
