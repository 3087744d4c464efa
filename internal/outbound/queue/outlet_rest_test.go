package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// storms are relays that take connections and put every copy off.
func storms() map[string]sink.Options {
	return map[string]sink.Options{
		"MAIL":     {RefuseMail: "451 4.3.0 later"},
		"DATA":     {RefuseData: "451 4.3.0 later", NoChunking: true},
		"BDAT":     {RefuseData: "451 4.3.0 later"},
		"RCPT, or": {Temporary: 1},
	}
}

// TestRelayStorm: a relay that puts everything off rests, tried by single copies;
// the others keep their place, and go at the first try when it takes letters again.
func TestRelayStorm(t *testing.T) {
	t.Parallel()
	for at, o := range storms() {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			r := sqliteRig(t)
			k := startSink(t, o)
			const people = 5000
			r.subscribers(r.list.ID, 1, people)
			var log lines
			e := r.engine(k, func(o *queue.Options) { o.Log = log.logger() })
			stop := run(t, e)
			id := r.distribute(r.list.ID, model.LanePost)
			eventually(t, "it is tried now and then", func() bool { return log.count("a relay still puts everything off") > 10 })
			if n := log.count("it rests"); n != 1 {
				t.Errorf("it is said %d times that it rests", n)
			}
			eventually(t, "the status says so", func() bool {
				st, err := r.s.QueueStatus(ctx, 0)
				return err == nil && len(st.Nodes) == 1 && strings.Contains(st.Nodes[0].Text, "it rests") && (strings.HasSuffix(st.Nodes[0].Text, " later") || strings.HasSuffix(st.Nodes[0].Text, " not now"))
			})
			if s := e.Stats(); s.Down == "" || s.SitesDown != 1 {
				t.Errorf("%+v", s)
			}
			paid := r.number("SELECT count(*) FROM deliveries")
			if paid < 20 || paid > 700 {
				t.Errorf("%d of %d copies were tried", paid, people)
			}
			addr := k.Addr()
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			mended := startSink(t, sink.Options{Addr: addr})
			r.await(id)
			if all, first := r.sent(id); all != people || first < people-800 || mended.Messages() != people {
				t.Errorf("%d sent, %d at the first try, %d messages", all, first, mended.Messages())
			}
			eventually(t, "the status forgets it", func() bool {
				st, err := r.s.QueueStatus(ctx, 0)
				return err == nil && len(st.Nodes) == 0
			})
			if log.count("the way out takes letters again") == 0 || e.Stats().Down != "" {
				t.Error("nobody heard that it is over")
			}
			stop()
		})
	}
}

// TestRelayStormFailover: others, a spare too, take over from a relay that puts
// everything off.
func TestRelayStormFailover(t *testing.T) {
	t.Parallel()
	for name, weight := range map[string]int{"another": 1, "a spare": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			a, b := startSink(t, sink.Options{RefuseMail: "451 4.3.0 later"}), startSink(t, sink.Options{Slow: time.Millisecond})
			const people = 4000
			r.subscribers(r.list.ID, 1, people)
			stop := run(t, r.engine(nil, func(o *queue.Options) {
				o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", a.Addr(), 1), outlet("b", b.Addr(), weight)}
				o.Backoff = []time.Duration{time.Millisecond, time.Hour}
			}))
			r.await(r.distribute(r.list.ID, model.LanePost))
			if n := a.Snapshot().Refused; n < 20 || n > 700 || b.Messages() != people {
				t.Errorf("%d refused, %d taken", n, b.Messages())
			}
			// Somebody says try.
			eventually(t, "it is tried again", func() bool {
				before := a.Snapshot().Refused
				if _, err := r.s.RetryNow(context.Background(), store.QueueScope{}); err != nil {
					t.Fatal(err)
				}
				r.await(r.distribute(r.list.ID, model.LanePost))
				return a.Snapshot().Refused > before
			})
			if st, err := r.s.QueueStatus(context.Background(), 0); err != nil || len(st.Nodes) != 1 ||
				!strings.HasPrefix(st.Nodes[0].Text, "1 of 2 relays cannot be used: a: it rests") {
				t.Errorf("%+v, %v", st, err)
			}
			stop()
		})
	}
}

// moody is a relay with one way to refuse.
type moody struct {
	refuse func(queue.Letter) bool
}

func (m *moody) connect(context.Context) (queue.Courier, error) { return m, nil }

func (m *moody) Run(_ context.Context, units <-chan *queue.Unit, outcomes chan<- queue.Outcome) error {
	for u := range units {
		for i := range u.Len() {
			res := queue.Result{State: queue.OK, Code: 250, Reply: "2.0.0 taken"}
			if m.refuse(u.Letter(i)) {
				res = queue.Result{State: queue.Temporary, Code: 451, Reply: "4.7.1 not this"}
			}
			outcomes <- queue.Outcome{Unit: u, Index: i, Result: res}
		}
	}
	return nil
}

// TestStormOfOne: a distribution that a relay puts off for itself holds up no other,
// whether they come together or later.
func TestStormOfOne(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	r.subscribers(r.list.ID, 1, 8000)
	bad := r.distribute(r.list.ID, model.LaneReply)
	other := model.List{Local: "other", Domain: "example.org", Language: "en"}
	if err := r.s.CreateList(context.Background(), &other); err != nil {
		t.Fatal(err)
	}
	r.subscribers(other.ID, 1, 5)
	m := &moody{refuse: func(l queue.Letter) bool { return strings.Contains(string(l.Segments[0]), "Message-ID: <d1@") }}
	var log lines
	e := r.engine(nil, func(o *queue.Options) {
		o.Connect, o.Log, o.Backoff, o.Retry = m.connect, log.logger(), []time.Duration{time.Millisecond, time.Hour}, []time.Duration{time.Hour}
	})
	stop := run(t, e)
	for range 3 {
		within(t, 20*time.Second, "it rests", func() bool { return e.Stats().Down != "" })
		id := r.distribute(other.ID, model.LaneLetters)
		within(t, 20*time.Second, "the other is sent", func() bool { return r.done(id) })
	}
	stop()
	if bad != 1 || r.number("SELECT count(*) FROM deliveries WHERE distribution_id = 1 AND state <> 2") != 0 {
		t.Error("it is not the one that is refused")
	}
	if n := log.count("it rests"); n < 3 {
		t.Errorf("it rested %d times", n)
	}
}

// TestStormOfMany: many distributions that a relay puts off for themselves, each with
// more people than it has tried, hold up no other of their lane.
func TestStormOfMany(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	const bad = 40 // more than a lane has ranges in hand
	r.subscribers(r.list.ID, 1, 3000)
	for range bad {
		r.distribute(r.list.ID, model.LanePost)
	}
	other := model.List{Local: "other", Domain: "example.org", Language: "en"}
	if err := r.s.CreateList(context.Background(), &other); err != nil {
		t.Fatal(err)
	}
	r.subscribers(other.ID, 1, 5)
	m := &moody{refuse: func(l queue.Letter) bool { return !strings.Contains(string(l.Segments[0]), "Message-ID: <d41@") }}
	e := r.engine(nil, func(o *queue.Options) {
		o.Connect, o.Backoff, o.Retry = m.connect, []time.Duration{time.Millisecond, 50 * time.Millisecond}, []time.Duration{time.Hour}
	})
	stop := run(t, e)
	within(t, 20*time.Second, "it rests", func() bool { return e.Stats().Down != "" })
	eventually(t, "there is no room for ranges as large as ever", func() bool {
		return r.number("SELECT count(*) FROM distributions WHERE cursor > 0") > 32
	})
	id := r.distribute(other.ID, model.LanePost)
	within(t, 20*time.Second, "the other is sent", func() bool { return r.done(id) })
	stop()
	if n := r.number("SELECT count(*) FROM deliveries WHERE distribution_id <= 40 AND state <> 2"); id != bad+1 || n != 0 {
		t.Errorf("distribution %d, %d of the others are not put off", id, n)
	}
}

// TestStormAtFirstSight: a relay that puts off every copy it has not seen before gets
// them all none the less.
func TestStormAtFirstSight(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	const people = 6000
	r.subscribers(r.list.ID, 1, people)
	var mu sync.Mutex
	seen := map[string]bool{}
	m := &moody{refuse: func(l queue.Letter) bool {
		mu.Lock()
		defer mu.Unlock()
		known := seen[l.Recipient]
		seen[l.Recipient] = true
		return !known
	}}
	stop := run(t, r.engine(nil, func(o *queue.Options) { o.Connect, o.Backoff = m.connect, []time.Duration{100 * time.Millisecond} }))
	id := r.distribute(r.list.ID, model.LanePost)
	within(t, time.Minute, "all are sent", func() bool { return r.done(id) })
	stop()
	if all, _ := r.sent(id); all != people {
		t.Errorf("%d of %d", all, people)
	}
}

// TestStormOfAllRelays: when all rest, what waits was not tried, and goes by the first
// that takes letters again.
func TestStormOfAllRelays(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	storm := sink.Options{RefuseMail: "451 4.3.0 later"}
	a, b := startSink(t, storm), startSink(t, storm)
	const people = 4000
	r.subscribers(r.list.ID, 1, people)
	e := r.engine(nil, func(o *queue.Options) {
		o.Connect, o.Outlets = nil, []queue.Outlet{outlet("a", a.Addr(), 1), outlet("b", b.Addr(), 1)}
	})
	stop := run(t, e)
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "both rest", func() bool { return e.Stats().SitesDown == 2 })
	had := a.Snapshot().Refused + b.Snapshot().Refused
	eventually(t, "both are tried", func() bool { return a.Snapshot().Refused+b.Snapshot().Refused > had+10 })
	if n := r.number("SELECT count(*) FROM deliveries"); n > 1100 { // as many as may be on the way, twice
		t.Errorf("%d of %d copies were tried", n, people)
	}
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	mended := startSink(t, sink.Options{Addr: addr})
	within(t, time.Minute, "all are sent", func() bool { return r.done(id) })
	if mended.Messages() != people {
		t.Errorf("%d of %d", mended.Messages(), people)
	}
	// What tries the other meanwhile pays nothing.
	had = a.Snapshot().Refused
	id = r.distribute(r.list.ID, model.LanePost)
	within(t, time.Minute, "all are sent", func() bool { return r.done(id) })
	if _, first := r.sent(id); first != people || a.Snapshot().Refused == had {
		t.Errorf("%d of %d were sent at the first try, %d tried the other", first, people, a.Snapshot().Refused-had)
	}
	stop()
}

// TestStormAfterAway: a relay that could not be reached while it rests, and then puts
// off again, is said to rest, and once that it is over.
func TestStormAfterAway(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	storm := sink.Options{RefuseMail: "451 4.3.0 later"}
	k := startSink(t, storm)
	storm.Addr = k.Addr()
	const people = 4000
	r.subscribers(r.list.ID, 1, people)
	var log lines
	e := r.engine(k, func(o *queue.Options) { o.Log = log.logger() })
	stop := run(t, e)
	id := r.distribute(r.list.ID, model.LanePost)
	says := func(text string) func() bool {
		return func() bool {
			st, err := r.s.QueueStatus(context.Background(), 0)
			return err == nil && len(st.Nodes) == 1 && strings.Contains(st.Nodes[0].Text, text)
		}
	}
	within(t, time.Minute, "the status says that it rests", says("it rests"))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the status says that it is away", says("refused"))
	k = startSink(t, storm)
	within(t, time.Minute, "the status says that it rests again", says("it rests"))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the status says that it is away again", says("refused"))
	startSink(t, sink.Options{Addr: storm.Addr})
	within(t, time.Minute, "all are sent", func() bool { return r.done(id) })
	stop()
	if n := log.count("takes letters again"); n != 1 {
		t.Errorf("it is said %d times that it is over", n)
	}
}
