package queue_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

// budgetOfCopies is Options.Unrecorded's default: what a kill may cost.
const budgetOfCopies = 512

// TestKill kills the sending process at random moments of a fan-out. Each
// recipient gets the post, and what is repeated is what the sink had taken and
// no transaction had recorded: at most the budget each time.
func TestKill(t *testing.T) {
	kills, people := 20, 12_000
	switch {
	case testing.Short():
		kills, people = 5, 4_000
	case real.Required():
		kills, people = 100, 50_000
	}
	for _, v := range []struct {
		name string
		o    sink.Options
	}{{"bdat", sink.Options{}}, {"data", sink.Options{NoChunking: true}}} {
		t.Run(v.name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				v.o.Seed, v.o.Temporary, v.o.Slow = 3, 0.01, 2*time.Millisecond
				killing(t, r, v.o, kills, people)
			})
		})
	}
}

func killing(t *testing.T, r *rig, o sink.Options, kills, people int) {
	k := startSink(t, o)
	r.subscribers(r.list.ID, 1, people)
	id := r.distribute(r.list.ID, model.LanePost)
	order := engineOrder{DSN: r.dsn, Relay: k.Addr(), Node: "a", Quick: true}
	random := rand.New(rand.NewPCG(11, uint64(people)))
	unrecorded, most := 0, 0
	for n := range kills {
		before := k.Messages()
		cmd := child(t, "engine", order)
		startChild(t, cmd)
		eventually(t, "copies go out again", func() bool { return k.Messages() > before || r.done(id) })
		time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		eventually(t, "the sink has read what was on the way", func() bool { return k.Open() == 0 })
		if r.done(id) {
			t.Logf("done after %d kills", n)
			break
		}
		snap := k.Snapshot()
		taken := len(snap.Recipients())
		recorded, _ := r.sent(id)
		if left := taken - int(recorded); left > 0 {
			unrecorded += left
			if most = max(most, left); left > budgetOfCopies {
				t.Errorf("kill %d: %d copies were taken and not recorded", n, left)
			}
		}
	}
	cmd := child(t, "engine", order)
	startChild(t, cmd)
	r.await(id)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()

	snap := k.Snapshot()
	got := snap.Recipients()
	repeats := 0
	for _, n := range got {
		repeats += n - 1
	}
	if len(got) != people {
		t.Errorf("%d of %d people got the post", len(got), people)
	}
	if n, _ := r.sent(id); int(n) != people {
		t.Errorf("%d of %d people are recorded", n, people)
	}
	if len(snap.Letters) != people {
		t.Errorf("%d letters for %d people: a repeat has another Message-ID", len(snap.Letters), people)
	}
	if repeats > unrecorded {
		t.Errorf("%d repeats, but only %d copies were taken and not recorded", repeats, unrecorded)
	}
	t.Logf("%d kills: %d repeats; taken and not recorded %d in all, %d at most", kills, repeats, unrecorded, most)
}
