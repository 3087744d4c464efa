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

// suspends is a table of test hosts that get nothing for an hour after a word.
const suspends = fast + "[[limit.reaction]]\nreply = '^451 4.9.9'\nsuspend = '1h'\n"

// secondList adds a list with the same people.
func (r *rig) secondList(people int, domain string) int64 {
	r.t.Helper()
	l := model.List{Local: "second", Domain: "example.org", Language: "en"}
	if err := r.s.CreateList(context.Background(), &l); err != nil {
		r.t.Fatal(err)
	}
	r.people(l.ID, 1, people, domain)
	return l.ID
}

// TestRetryOfSome: a retry of a distribution, or of a list, tries once more sites that
// refuse it or are down; that a site refuses others too is not forgotten.
func TestRetryOfSome(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		n := newInternet(t)
		const people = 1600
		hosts := []*sink.Sink{
			n.host("127.0.0.61", sink.Options{RefuseData: "550 5.7.26 your mail does not pass our checks"}, "d0.example"),
			n.host("127.0.0.62", sink.Options{RefuseMail: "451 4.9.9 nothing more today"}, "d1.example"),
		}
		r.people(r.list.ID, 1, people, "'d' || (i % 2) || '.example'")
		second := r.secondList(people, "'d' || (i % 2) || '.example'")
		stop := run(t, r.direct(n.router(suspends, smtpout.Timeouts{}), func(o *queue.Options) { o.Retry = []time.Duration{time.Hour} }))
		a, b := r.distribute(r.list.ID, model.LanePost), r.distribute(second, model.LanePost)
		waits := func(id int64) func() bool {
			return func() bool {
				return r.number("SELECT count(*) FROM deliveries WHERE distribution_id = ? AND state = 2", id) == people
			}
		}
		refused := func(want int) func() bool {
			return func() bool {
				st, err := r.s.QueueStatus(ctx, 0)
				return err == nil && len(st.Refused) == want
			}
		}
		retry := func(q store.QueueScope) {
			t.Helper()
			if _, err := r.s.RetryNow(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		quiet := func() bool {
			return r.number("SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM queue_claims)") == 0
		}
		eventually(t, "all copies wait", func() bool { return waits(a)() && waits(b)() && quiet() })
		eventually(t, "the status says so", refused(2))
		had := []int64{hosts[0].Snapshot().Refused, hosts[1].Snapshot().Refused}
		// It is not mended yet.
		retry(store.QueueScope{DistributionID: a})
		eventually(t, "both are tried", func() bool { return hosts[0].Snapshot().Refused > had[0] && hosts[1].Snapshot().Refused > had[1] })
		eventually(t, "all wait again", waits(a))
		eventually(t, "the status says so again", refused(2))
		eventually(t, "nothing is on its way", quiet)
		for i, k := range hosts {
			if n := k.Snapshot().Refused - had[i]; n > 512 { // what may be on its way
				t.Errorf("%d copies of %d were tried at host %d", n, people/2, i)
			}
			addr := k.Addr()
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			hosts[i] = startSink(t, sink.Options{Addr: addr})
		}
		retry(store.QueueScope{DistributionID: a})
		within(t, time.Minute, "the distribution is done", func() bool { return r.done(a) })
		if k := hosts[0].Messages(); k != people/2 { // those for the other host may have been due
			t.Errorf("the site that refused both took %d", k)
		}
		eventually(t, "the status is about the other", refused(1))
		retry(store.QueueScope{ListID: second})
		within(t, time.Minute, "the list's is done", func() bool { return r.done(b) })
		eventually(t, "the status forgets it", refused(0))
		stop()
	})
}

// TestRetryOfSomeByRelay: with a relay that is down the relay is tried.
func TestRetryOfSomeByRelay(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	addr, start := dead(t)
	r.subscribers(r.list.ID, 1, 100)
	e := r.engine(nil, func(o *queue.Options) {
		o.Connect = (&smtpout.Relay{Addr: addr, Hello: "lists.example.org"}).Connect
		o.Backoff = []time.Duration{time.Millisecond, time.Hour}
	})
	stop := run(t, e)
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "it is down", func() bool { return e.Stats().Down != "" })
	start()
	// What waits in hand has no row: it is the list's none the less.
	if _, err := r.s.RetryNow(context.Background(), store.QueueScope{ListID: r.list.ID}); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the list's is done", func() bool { return r.done(id) })
	stop()
}

// mute is a store that does not say at first what a distribution waits for.
type mute struct {
	*store.Store
	asked atomic.Int64
}

func (f *mute) SitesOf(ctx context.Context, id int64) ([]int64, error) {
	if f.asked.Add(1) < 3 {
		return nil, errors.New("not now")
	}
	return f.Store.SitesOf(ctx, id)
}

// TestRetryWhileTheStoreFails: what a person asked for is not lost when the database
// does not answer.
func TestRetryWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	n := newInternet(t)
	host := n.host("127.0.0.63", sink.Options{RefuseMail: "451 4.9.9 nothing more today"}, "d0.example")
	const people = 100
	r.people(r.list.ID, 1, people, "'d0.example'")
	s := &mute{Store: r.s}
	stop := run(t, r.direct(n.router(suspends, smtpout.Timeouts{}), func(o *queue.Options) { o.Store, o.Retry = s, []time.Duration{time.Hour} }))
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "all copies wait", func() bool {
		return r.number("SELECT count(*) FROM deliveries WHERE state = 2") == people && r.number("SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM queue_claims)") == 0
	})
	addr := host.Addr()
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	startSink(t, sink.Options{Addr: addr})
	if _, err := r.s.RetryNow(context.Background(), store.QueueScope{DistributionID: id}); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "it is done", func() bool { return r.done(id) })
	stop()
	if k := s.asked.Load(); k < 3 {
		t.Errorf("asked %d times", k)
	}
}

// TestNewsIsNotTriedForLong: newsletters are given up when the postmaster says, posts go
// on being tried.
func TestNewsIsNotTriedForLong(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	k := startSink(t, sink.Options{RefuseData: "451 4.2.0 later"})
	r.subscribers(r.list.ID, 1, 5)
	news, post := r.distribute(r.list.ID, model.LaneLetters), r.distribute(r.list.ID, model.LanePost)
	stop := run(t, r.engine(k, func(o *queue.Options) { o.NewsLife = 100 * time.Millisecond }))
	r.await(news)
	stop()
	if f := r.fates(news); f[model.DeliveryFailed] != 5 {
		t.Errorf("news: %v", f)
	}
	if f := r.fates(post); f[model.DeliveryFailed] != 0 {
		t.Errorf("the post: %v", f)
	}
}
