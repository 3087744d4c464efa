package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestPolicyRefusal (law 10): a site that refuses a distribution for reasons of
// policy gets few of its copies; nobody fails for it, the postmaster is told
// once, the status says it, and other sites go on. When it is mended, retry sends
// the rest.
func TestPolicyRefusal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		n := newInternet(t)
		strict := n.host("127.0.0.71", sink.Options{RefuseData: "550 5.7.26 your mail does not pass our checks"}, "d0.example")
		good := n.host("127.0.0.72", sink.Options{}, "d1.example")
		const people = 4000
		r.people(r.list.ID, 1, people, "'d' || (i % 2) || '.example'")
		var log lines
		stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Log = log.logger(); o.Retry = nil }))
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "everybody has a row", func() bool {
			return r.records(id) == people && r.fates(id)[model.DeliverySent] == people/2
		})
		if f := r.fates(id); f[model.DeliverySent] != people/2 || f[model.DeliveryRetry] != people/2 {
			t.Errorf("%v", f)
		}
		if k := strict.Snapshot().Refused; k > 512 {
			t.Errorf("%d of %d copies were burnt", k, people/2)
		}
		if k := log.count("level=ERROR"); k != 1 {
			t.Errorf("the alarm was given %d times", k)
		}
		eventually(t, "the status says so", func() bool {
			st, err := r.s.QueueStatus(ctx, 10)
			return err == nil && len(st.Refused) == 1 && st.Refused[0].Reply == "5.7.26 your mail does not pass our checks" && st.Refused[0].Site == "d0.example"
		})
		if k := good.Messages(); k != people/2 {
			t.Errorf("the other site took %d", k)
		}
		// It is mended.
		addr := strict.Addr()
		if err := strict.Close(); err != nil {
			t.Fatal(err)
		}
		mended := startSink(t, sink.Options{Addr: addr})
		if _, err := r.s.RetryNow(ctx, store.QueueScope{Destination: "d0.example"}); err != nil {
			t.Fatal(err)
		}
		r.await(id)
		if f := r.fates(id); f[model.DeliverySent] != people || mended.Messages() != people/2 {
			t.Errorf("%v, %d", f, mended.Messages())
		}
		eventually(t, "the status forgets it", func() bool {
			st, err := r.s.QueueStatus(ctx, 10)
			return err == nil && len(st.Refused) == 0
		})
		stop()
	})
}

// TestRetryOfAForgottenSite: a site, and a domain, that was refused and has not been
// heard of for long is tried when a person says so, although nothing of it is in memory.
func TestRetryOfAForgottenSite(t *testing.T) {
	for _, name := range []string{"d0.example", "host.example"} {
		t.Run(name, func(t *testing.T) {
			r := sqliteRig(t)
			n := newInternet(t)
			strict := n.host("127.0.0.75", sink.Options{RefuseData: "550 5.7.26 your mail does not pass our checks"}, "host.example", "d0.example")
			const people = 100
			r.people(r.list.ID, 1, people, "'d0.example'")
			var later atomic.Int64
			stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{Idle: 50 * time.Millisecond}), func(o *queue.Options) {
				o.Retry = nil
				o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			}))
			id := r.distribute(r.list.ID, model.LanePost)
			eventually(t, "everybody has a row", func() bool { return r.records(id) == people && r.fates(id)[model.DeliveryRetry] == people })
			addr := strict.Addr()
			if err := strict.Close(); err != nil {
				t.Fatal(err)
			}
			startSink(t, sink.Options{Addr: addr})
			for minutes := range 3 { // less than what a refusal rests; idle sites are forgotten once a second
				later.Store(int64(time.Duration(10*minutes) * time.Minute))
				time.Sleep(1200 * time.Millisecond)
			}
			if _, err := r.s.RetryNow(context.Background(), store.QueueScope{Destination: name}); err != nil {
				t.Fatal(err)
			}
			r.await(id)
			stop()
		})
	}
}

// TestRelayRefusesUs: a smarthost that refuses the sender, or the mail, for
// reasons of policy: the distribution is paused, and nobody has failed.
func TestRelayRefusesUs(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]sink.Options{
		"MAIL": {RefuseMail: "530 5.5.1 who are you"},
		"DATA": {RefuseData: "554 5.7.1 spam"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sqliteRig(t)
			k := startSink(t, o)
			r.subscribers(r.list.ID, 1, 5000)
			stop := run(t, r.engine(k, func(o *queue.Options) { o.Retry = []time.Duration{time.Hour} }))
			id := r.distribute(r.list.ID, model.LanePost)
			eventually(t, "it is paused", func() bool {
				return r.number("SELECT count(*) FROM distributions WHERE id = ? AND state = 1", id) == 1
			})
			stop()
			if f := r.fates(id); f[model.DeliveryFailed] != 0 || f[model.DeliveryRetry] > 2000 {
				t.Errorf("%v", f)
			}
			st, err := r.s.QueueStatus(context.Background(), 10)
			if err != nil || len(st.Entries) != 1 || st.Entries[0].Why == "" {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}

// TestPauseDestination: a domain, or everything at a site, waits while it is
// paused, and others do not; by the way of many sites and by a smarthost.
func TestPauseDestination(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		n := newInternet(t)
		shared := n.host("127.0.0.73", sink.Options{}, "d0.example", "d1.example")
		other := n.host("127.0.0.74", sink.Options{}, "d2.example")
		const people = 3000
		r.people(r.list.ID, 1, people, "'d' || (i % 3) || '.example'")
		for _, direct := range []bool{true, false} {
			e := r.engine(shared, nil)
			if direct {
				e = r.direct(n.router(fast, smtpout.Timeouts{}), nil)
			}
			before, had := other.Messages(), shared.Messages()
			r.pause(true, "d1.example")
			stop := run(t, e)
			id := r.distribute(r.list.ID, model.LanePost)
			rest := func(n int64) func() bool {
				return func() bool {
					waiting := r.number("SELECT count(*) FROM deliveries WHERE distribution_id = ? AND state = 2 AND attempts = 0", id)
					return waiting == n && r.records(id) == people && r.fates(id)[model.DeliverySent] == people-n
				}
			}
			eventually(t, "all but those of the domain are sent", rest(people/3))
			st, err := r.s.QueueStatus(ctx, 10)
			if err != nil || len(st.PausedTo) != 1 || len(st.Sites) != 1 || st.Sites[0].Waiting != people/3 || st.Sites[0].Name != "d1.example" {
				t.Errorf("%+v, %v", st, err)
			}
			r.pause(false, "d1.example")
			r.await(id)
			if direct {
				// The site, by the name of its host.
				r.pause(true, "mx.d2.example")
				one, probes := r.secondList(1, "'d2.example'"), int64(0)
				eventually(t, "the pause is known", func() bool {
					probes++
					probe := r.distribute(one, model.LanePost)
					eventually(t, "the fate of one copy", func() bool { return r.records(probe) == 1 })
					return r.fates(probe)[model.DeliveryRetry] == 1
				})
				before += probes // the last one is sent in the end too
				id = r.distribute(r.list.ID, model.LanePost)
				eventually(t, "all but those of the site are sent", rest(people/3))
				r.pause(false, "mx.d2.example")
				r.await(id)
				eventually(t, "the other host has its copies", func() bool { return other.Messages()-before == 2*people/3 })
			} else if k := shared.Messages() - had; k != people {
				t.Errorf("the smarthost took %d", k)
			}
			stop()
		}
		if k := r.number("SELECT count(*) FROM deliveries WHERE state <> 1"); k != 0 {
			t.Errorf("%d copies were not sent", k)
		}
	})
}

// pause pauses a destination, or takes that back.
func (r *rig) pause(on bool, to string) {
	r.t.Helper()
	var err error
	if q := (store.QueueScope{Destination: to}); on {
		err = r.s.PauseQueue(context.Background(), q, "test")
	} else {
		_, err = r.s.ResumeQueue(context.Background(), q, "test")
	}
	if err != nil {
		r.t.Fatal(err)
	}
}
