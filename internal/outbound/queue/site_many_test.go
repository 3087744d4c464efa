package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/world"
)

// TestManySites: a list as lists are, a few providers and a long tail, with
// domains that are down, mute, slow, in a storm or not there. Who can be reached
// gets one copy, everybody else's record says what is the matter, DNS is asked
// once for each domain, and nobody is knocked at again and again.
func TestManySites(t *testing.T) {
	r := sqliteRig(t)
	plan := world.Plan{People: 20_000, Domains: 2000}
	if testing.Short() {
		plan = world.Plan{People: 5000, Domains: 500}
	}
	w, err := world.Start(plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	r.population(plan)
	id := r.distribute(r.list.ID, model.LanePost)
	n := &internet{t: t, port: w.Port}
	way, err := n.way(w.Resolver(), fast, smtpout.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	e := r.direct(way, func(o *queue.Options) { o.Retry = nil; o.Grace = 200 * time.Millisecond })
	stop := run(t, e)
	eventually(t, "everybody who can be reached has a copy", func() bool {
		select {
		case <-w.Done():
			return true
		default:
			return false
		}
	})
	emails := r.emails()
	kind := map[int64]world.Kind{}
	patient := 0 // hosts that have not answered yet keep what they were handed
	for subscriber, email := range emails {
		k := plan.Kind(plan.Domain(plan.Number(email)))
		if kind[subscriber] = k; k == world.Slow || k == world.Mute {
			patient++
		}
	}
	eventually(t, "a record for everybody else", func() bool { return int(r.records(id)) >= plan.People-patient })
	stop()
	records := map[int64]model.Delivery{}
	for _, d := range r.deliveries(id) {
		records[d.RecipientID] = d
	}
	for subscriber, k := range kind {
		d, have := records[subscriber]
		got := w.Taken(plan.Number(emails[subscriber]))
		ok := have && got == 0
		switch k {
		case world.Good:
			ok = have && got == 1 && d.State == model.DeliverySent
		case world.Null:
			ok = ok && d.State == model.DeliveryFailed
		case world.NoName: // it may come back
			ok = ok && d.State == model.DeliveryRetry && d.Code == 550
		case world.Slow, world.Mute: // may be in hand
			ok = got <= 1
		default:
			ok = ok && d.State == model.DeliveryRetry
		}
		if !ok {
			t.Errorf("%s, in a domain of kind %s, got %d copies and has the record %+v", emails[subscriber], k, got, d)
		}
	}
	sum := w.Summary()
	if sum.Repeats > 0 || sum.Strange > 0 {
		t.Errorf("%+v", sum)
	}
	// MX, A and AAAA, those of a broken name server twice.
	if sum.MostAsked > 2 || sum.Questions > 3*plan.Domains {
		t.Errorf("DNS was asked %d times about %d domains, the same %d times", sum.Questions, plan.Domains, sum.MostAsked)
	}
	knocks := map[string]int{}
	n.mu.Lock()
	for _, c := range n.changes {
		if c.What == "stops" && !strings.Contains(c.Why, "4.7.1") {
			knocks[c.Site]++
		}
	}
	n.mu.Unlock()
	for site, k := range knocks {
		if k > 3 {
			t.Errorf("%s is down and was tried %d times", site, k)
		}
	}
	t.Logf("%+v", sum)
}

// population subscribes everybody of a plan.
func (r *rig) population(plan world.Plan) {
	r.t.Helper()
	ctx := context.Background()
	for from := 0; from < plan.People; from += 1000 {
		var subs []model.Subscriber
		for i := from; i < min(from+1000, plan.People); i++ {
			a := plan.Address(i)
			subs = append(subs, model.Subscriber{Email: a, EmailKey: a})
		}
		if n, _, err := r.s.SubscribeAll(ctx, r.list.ID, subs, model.Event{Kind: "test"}); err != nil || n != len(subs) {
			r.t.Fatal(n, err)
		}
	}
}
