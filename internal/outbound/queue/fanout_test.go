package queue_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"plenary/internal/model"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

// TestEveryRecipientIsAccountedFor sends to people some of whom fail in every
// way a site can fail, and compares what the sink saw with what was recorded,
// one by one: with real peers required a hundred thousand by DATA.
// PLENARY_TEST_RECIPIENTS is another number.
func TestEveryRecipientIsAccountedFor(t *testing.T) {
	for _, mode := range []string{"bdat", "data", "lockstep"} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				people := 5000
				switch {
				case mode == "lockstep" || testing.Short():
					people = 1000
				case real.Required() && mode == "data":
					people = 100_000
				case real.Required():
					people = 20_000
				}
				if n, err := strconv.Atoi(os.Getenv("PLENARY_TEST_RECIPIENTS")); err == nil {
					people = n
				}
				k := startSink(t, sink.Options{Seed: 7, Temporary: 0.05, Permanent: 0.01, DropBefore: 0.005, DropAfter: 0.005,
					NoChunking: mode != "bdat", NoPipelining: mode == "lockstep", KeepOpen: true})
				r.subscribers(r.list.ID, 1, people)
				id := r.distribute(r.list.ID, model.LanePost)
				e := r.engine(k, nil)
				stop := run(t, e)
				r.await(id)
				stop()
				st := e.Stats()
				if st.Out != 0 || st.Queued != 0 {
					t.Errorf("after all was done: %+v", st)
				}
				r.account(k, id, people, st.Lost)
			})
		})
	}
}

// account compares each recipient's row with what the sink took.
func (r *rig) account(k *sink.Sink, id int64, people int, lost int64) {
	r.t.Helper()
	snap := k.Snapshot()
	got := snap.Recipients()
	emails := r.emails()
	n, repeats := 0, 0
	for _, d := range r.deliveries(id) {
		email, state, attempts := emails[d.RecipientID], d.State, d.Attempts
		n++
		switch {
		case k.Condemned(email):
			if state != model.DeliveryFailed || got[email] != 0 {
				r.t.Errorf("%s is refused and has state %d after %d attempts, the sink took %d", email, state, attempts, got[email])
			}
		case state != model.DeliverySent || got[email] == 0:
			r.t.Errorf("%s has state %d after %d attempts, the sink took %d", email, state, attempts, got[email])
		default:
			repeats += got[email] - 1
		}
	}
	if n != people {
		r.t.Errorf("%d rows for %d people", n, people)
	}
	for l, c := range snap.Letters {
		if l.MessageID != fmt.Sprintf("d%d@example.org", id) {
			r.t.Errorf("%s got %q %d times", l.Recipient, l.MessageID, c)
		}
	}
	if int64(repeats) > lost {
		r.t.Errorf("%d repeats, but only %d copies were lost from sight", repeats, lost)
	}
	if r.number("SELECT count(*) FROM chunks") != 0 {
		r.t.Error("a range is left")
	}
	r.t.Logf("%d connections, %d refused, %d dropped, %d of unknown fate, %d repeats", snap.Connections, snap.Refused, snap.Dropped, lost, repeats)
}
