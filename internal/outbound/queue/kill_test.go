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
// a hundred times on each database, half of them in either form.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, people := killings()
	for _, v := range []struct {
		name string
		o    sink.Options
	}{{"bdat", sink.Options{}}, {"data", sink.Options{NoChunking: true}}} {
		t.Run(v.name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				o := v.o
				o.Seed, o.Temporary, o.Slow = 3, 0.01, 2*time.Millisecond
				k := startSink(t, o)
				r.subscribers(r.list.ID, 1, people)
				killing(t, r, engineOrder{Relay: k.Addr()}, peers{k}, kills)
			})
		})
	}
}

// TestKillDirect is the same with a queue for each site: most people are at a
// host that takes one connection, so that their copies go to the store and come
// back by claims.
func TestKillDirect(t *testing.T) {
	t.Parallel()
	kills, people := killings()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		o := sink.Options{Seed: 3, Temporary: 0.01, Slow: 2 * time.Millisecond}
		data := o
		data.NoChunking = true
		hosts := peers{n.host("127.0.0.91", o, "narrow.example", "d0.example"), n.host("127.0.0.92", o, "d1.example"), n.host("127.0.0.93", data, "d2.example")}
		r.people(r.list.ID, 1, people, "'d' || ((i % 7) / 2 % 3) || '.example'")
		if parked := killing(t, r, engineOrder{Resolver: n.dns.Addr(), Port: n.port, Limits: fast + narrow}, hosts, kills); parked < 100 && kills >= 20 { // where a few kills come is luck
			t.Errorf("only %d copies waited in the store", parked)
		}
	})
}

// narrow is a host that takes one connection.
const narrow = "[[limit]]\nname = 'narrow'\nmx = ['mx.narrow.example']\nconnections = 1\nopens = 100000\nrate = 100000.0\nletters = 1000\nbatch = 16\n"

// killings is how often a sender is killed, and how many people a post goes to.
func killings() (kills, people int) {
	switch {
	case testing.Short():
		return 5, 4_000
	case real.Required():
		return 50, 10_000
	}
	return 20, 10_000
}

// peers are the sinks of a test.
type peers []*sink.Sink

func (p peers) messages() (n int64) {
	for _, k := range p {
		n += k.Messages()
	}
	return n
}

func (p peers) open() (n int) {
	for _, k := range p {
		n += k.Open()
	}
	return n
}

// letters is how often each copy was taken.
func (p peers) letters() map[sink.Letter]int {
	all := map[sink.Letter]int{}
	for _, k := range p {
		for l, n := range k.Snapshot().Letters {
			all[l] += n
		}
	}
	return all
}

// killing does it, and gives the largest number of copies that waited in the
// store for a site.
func killing(t *testing.T, r *rig, order engineOrder, hosts peers, kills int) (parked int64) {
	people := int(r.number("SELECT count(*) FROM subscribers"))
	posts := []int64{r.distribute(r.list.ID, model.LanePost)}
	order.DSN, order.Node, order.Quick = r.dsn, "a", true
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
		before := hosts.messages()
		cmd := child(t, "engine", order)
		if random.IntN(5) == 0 {
			starts++
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
		} else {
			startChild(t, cmd)
			eventually(t, "copies go out again", func() bool { return hosts.messages() > before })
		}
		time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		eventually(t, "the sink has read what was on the way", func() bool { return hosts.open() == 0 })
		parked = max(parked, r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND site <> 0"))
		if left := len(hosts.letters()) - recorded(); left > 0 {
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
	for l, n := range hosts.letters() {
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
	return parked
}
