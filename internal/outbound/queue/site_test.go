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

// TestSites: each recipient's copy goes to the host of his domain, exactly
// once; domains that share a host share its connections; what has no host fails.
func TestSites(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		shared := n.host("127.0.0.31", sink.Options{}, "d0.example", "d1.example", "d2.example", "d3.example", "d4.example")
		own := n.host("127.0.0.32", sink.Options{}, "d5.example", "d6.example")
		for _, d := range []string{"d7.example", "d8.example"} { // take no mail
			n.dns.MX(d, 0, ".")
		}
		r.people(r.list.ID, 1, 3000, "'d' || (i % 9) || '.example'")
		id := r.distribute(r.list.ID, model.LanePost)
		// Connections are counted: none ends because the machine takes its time.
		e := r.direct(n.router(fast, smtpout.Timeouts{Dial: time.Minute, Idle: time.Minute}), nil)
		stop := run(t, e)
		r.await(id)
		stop()
		got := recipients(shared)
		for who, k := range recipients(own) {
			got[who] += k
		}
		for i := 1; i <= 3000; i++ {
			who := fmt.Sprintf("p%d@d%d.example", i, i%9)
			want := 1
			if i%9 > 6 {
				want = 0
			}
			if got[who] != want {
				t.Errorf("%s got %d copies", who, got[who])
			}
		}
		f := r.fates(id)
		if f[model.DeliverySent] != 2334 || f[model.DeliveryFailed] != 666 {
			t.Errorf("%v", f)
		}
		if c := shared.Snapshot().Connections; c > 10 {
			t.Errorf("%d connections for five domains of one host", c)
		}
		if r.number("SELECT count(*) FROM queue_claims") != 0 || r.number("SELECT count(*) FROM chunks") != 0 {
			t.Error("a lease is left")
		}
		if s := e.Stats(); s.Out != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOneSiteOfMany: a host that is down, one that storms, one that takes
// minutes and one that stops reading keep nobody else waiting, and a site that
// is down is knocked at once, not once for each recipient.
func TestOneSiteOfMany(t *testing.T) {
	r := sqliteRig(t)
	n := newInternet(t)
	good := n.host("127.0.0.33", sink.Options{}, "d0.example")
	storm := n.host("127.0.0.34", sink.Options{RefuseMail: "451 4.7.0 try again later"}, "d1.example")
	slow := n.host("127.0.0.35", sink.Options{Slow: 10 * time.Minute}, "d2.example")
	deaf := n.host("127.0.0.36", sink.Options{StopAfter: 1}, "d3.example")
	n.names("127.0.0.37", "d4.example") // nobody listens
	const people = 20_000
	r.people(r.list.ID, 1, people, "'d' || (i % 5) || '.example'")
	id := r.distribute(r.list.ID, model.LanePost)
	e := r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Grace = 200 * time.Millisecond; o.Retry = nil })
	stop := run(t, e)
	eventually(t, "the good site's copies arrive", func() bool { return good.Messages() == people/5 })
	post := r.distribute(r.list.ID, model.LaneReply)
	eventually(t, "a second one passes", func() bool { return good.Messages() == 2*people/5 })
	eventually(t, "every recipient has a row, or is one of the few in hand", func() bool {
		return r.records(id)+r.records(post) >= 2*people-512-4*256
	})
	stop()
	if k := storm.Snapshot(); k.Refused > 512 {
		t.Errorf("the storming site was tried %d times", k.Refused)
	}
	if k := slow.Snapshot(); k.Connections > 20 {
		t.Errorf("the slow site got %d connections", k.Connections)
	}
	if deaf.Messages() < 1 {
		t.Error("the site that stops reading took nothing")
	}
	downs := 0
	for _, c := range n.changes {
		if c.What == "stops" && c.Site == "mx.d4.example" {
			downs++
		}
	}
	if downs == 0 || downs > 3 {
		t.Errorf("the site that is down was tried %d times", downs)
	}
	if k := r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = 0"); k < people/5 {
		t.Errorf("only %d copies wait without a try", k)
	}
	t.Log(r.fates(id), r.fates(post))
}
