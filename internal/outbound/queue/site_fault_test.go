package queue_test

import (
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// TestSiteFaults: hosts that refuse some, close in the middle with 421, lose
// connections before and after the final dot, by DATA and by BDAT: every
// recipient is accounted for, and what came twice is no more than was lost.
func TestSiteFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		faults := sink.Options{Seed: 7, Temporary: 0.05, Permanent: 0.01, DropBefore: 0.01, DropAfter: 0.01, CloseAfter: 40}
		data := faults
		data.NoChunking = true
		hosts := []*sink.Sink{n.host("127.0.0.81", faults, "d0.example", "d1.example"), n.host("127.0.0.82", data, "d2.example", "d3.example")}
		const people = 4000
		r.people(r.list.ID, 1, people, "'d' || (i % 4) || '.example'")
		id := r.distribute(r.list.ID, model.LanePost)
		e := r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Retry = []time.Duration{50 * time.Millisecond} })
		stop := run(t, e)
		r.await(id)
		stop()
		got := map[string]int{}
		extra, silent := int64(0), int64(0)
		for _, k := range hosts {
			snap := k.Snapshot()
			silent += snap.Silent
			for who, c := range snap.Recipients() {
				got[who] += c
				extra += int64(c - 1)
			}
		}
		state := map[int64]model.DeliveryState{}
		for _, d := range r.deliveries(id) {
			state[d.RecipientID] = d.State
		}
		who := r.emails()
		for subscriber, email := range who {
			condemned := hosts[0].Condemned(email)
			switch want := state[subscriber]; {
			case condemned && (want != model.DeliveryFailed || got[email] != 0):
				t.Errorf("%s is refused always, got %d copies and is in state %d", email, got[email], want)
			case !condemned && (want != model.DeliverySent || got[email] == 0):
				t.Errorf("%s got %d copies and is in state %d", email, got[email], want)
			}
		}
		if len(who) != people || len(state) != people {
			t.Errorf("%d people, %d records", len(who), len(state))
		}
		if lost := e.Stats().Lost; extra > lost || extra > silent {
			t.Errorf("%d copies came twice, %d were lost, %d were not answered", extra, lost, silent)
		}
	})
}
