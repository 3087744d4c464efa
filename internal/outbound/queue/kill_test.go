package queue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

// budgetOfCopies is Options.Unrecorded's default: what a kill may cost.
const budgetOfCopies = 512

// TestKill kills the sending process at random moments of a fan-out, now and then
// while it starts; when a post is out the next begins. Each recipient gets each
// post, and what is repeated is what the sink had taken and no transaction had
// recorded: at most the budget each time. With real peers required it is killed
// a hundred times in each form.
func TestKill(t *testing.T) {
	kills, people := 20, 10_000
	switch {
	case testing.Short():
		kills, people = 5, 4_000
	case real.Required():
		kills = 100
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
	posts := []int64{r.distribute(r.list.ID, model.LanePost)}
	order := engineOrder{DSN: r.dsn, Relay: k.Addr(), Node: "a", Quick: true}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // moments of a test
	recorded := func() (n int) {
		for _, id := range posts {
			sent, _ := r.sent(id)
			n += int(sent)
		}
		return n
	}
	unrecorded, most, starts := 0, 0, 0
	for n := range kills {
		if last := posts[len(posts)-1]; r.done(last) {
			posts = append(posts, r.distribute(r.list.ID, model.LanePost))
		}
		before := k.Messages()
		cmd := child(t, "engine", order)
		if random.IntN(5) == 0 {
			starts++
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
		} else {
			startChild(t, cmd)
			eventually(t, "copies go out again", func() bool { return k.Messages() > before })
		}
		time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		eventually(t, "the sink has read what was on the way", func() bool { return k.Open() == 0 })
		if left := len(k.Snapshot().Letters) - recorded(); left > 0 {
			unrecorded += left
			if most = max(most, left); left > budgetOfCopies {
				t.Errorf("kill %d: %d copies were taken and not recorded", n, left)
			}
		}
	}
	cmd := child(t, "engine", order)
	startChild(t, cmd)
	for _, id := range posts {
		r.await(id)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()

	repeats := 0
	got := map[string]int{} // people by Message-ID
	for l, n := range k.Snapshot().Letters {
		got[l.MessageID]++
		repeats += n - 1
	}
	if len(got) != len(posts) {
		t.Errorf("%d Message-IDs for %d posts", len(got), len(posts))
	}
	for _, id := range posts {
		if n := got[fmt.Sprintf("d%d@example.org", id)]; n != people {
			t.Errorf("%d of %d people got post %d", n, people, id)
		}
		if n, _ := r.sent(id); int(n) != people {
			t.Errorf("%d of %d people are recorded for post %d", n, people, id)
		}
		if n := len(r.deliveries(id)); n != people {
			t.Errorf("%d records of %d people for post %d", n, people, id)
		}
	}
	if repeats > unrecorded {
		t.Errorf("%d repeats, but only %d copies were taken and not recorded", repeats, unrecorded)
	}
	t.Logf("%d kills, %d of them at the start: %d posts, %d repeats; taken and not recorded %d in all, %d at most",
		kills, starts, len(posts), repeats, unrecorded, most)
}
