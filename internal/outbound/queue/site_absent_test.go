package queue_test

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// TestNameServerErrs: a name server that says for a while that a domain does not
// exist fails nobody. One that does not come back fails in the end; who says that he
// takes no mail does so at once.
func TestNameServerErrs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		host := n.host("127.0.0.94", sink.Options{}, "d0.example")
		n.dns.Fail("d0.example", dnsmessage.RCodeNameError)
		n.dns.MX("d1.example", 0, ".") // takes no mail; nobody knows d2
		const people = 30
		r.people(r.list.ID, 1, people, "'d' || (i % 3) || '.example'")
		var later atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		options := func(o *queue.Options) {
			o.Now, o.Retry, o.StaleAge = now, []time.Duration{time.Hour}, 1000*time.Hour // the test lets days pass at once
		}
		stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), options))
		id := r.distribute(r.list.ID, model.LanePost)
		waits := func(retry, failed int64) func() bool {
			return func() bool {
				f := r.fates(id)
				return f[model.DeliveryRetry] == retry && f[model.DeliveryFailed] == failed
			}
		}
		eventually(t, "two thirds wait", waits(2*people/3, people/3))
		if k := r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND code = 550 AND reply LIKE '5.1.2 %'"); k != 2*people/3 {
			t.Errorf("%d copies say why they wait", k)
		}
		n.dns.Fail("d0.example", dnsmessage.RCodeSuccess)
		stop()
		// The next run knows nothing of it.
		later.Store(int64(2 * time.Hour))
		stop = run(t, r.direct(n.router(fast, smtpout.Timeouts{}), options))
		eventually(t, "those of the domain that is back have it", func() bool { return host.Messages() == people/3 })
		eventually(t, "the others wait again", func() bool {
			return waits(people/3, people/3)() && r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = 2") == people/3
		})
		later.Store(int64(73 * time.Hour))
		within(t, time.Minute, "it is done", func() bool { return r.done(id) })
		stop()
		if f := r.fates(id); f[model.DeliverySent] != people/3 || f[model.DeliveryFailed] != 2*people/3 {
			t.Errorf("%v", f)
		}
	})
}
