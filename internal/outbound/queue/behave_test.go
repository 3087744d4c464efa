package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestWhoIsSkipped looks at everybody as he is when his turn comes.
func TestWhoIsSkipped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		k := startSink(t, sink.Options{})
		r.subscribers(r.list.ID, 1, 9)
		r.exec("UPDATE subscribers SET delivery_status = 1 WHERE email_key = 'p2@example.net'")
		r.exec("UPDATE subscribers SET delivery_status = 2 WHERE email_key = 'p3@example.net'")
		r.exec("UPDATE subscribers SET mode = 1 WHERE email_key = 'p4@example.net'")
		r.exec("UPDATE subscribers SET options = 1 WHERE email_key IN ('p5@example.net', 'p6@example.net')") // no copy of own posts
		r.exec("UPDATE subscribers SET roles = 4 WHERE email_key = 'p7@example.net'")                        // an owner who does not subscribe
		r.exec("INSERT INTO posts (id, size, header_len, own_len, received_at, sent_at, flags, thread_id, bytes_id, bytes_off, author, author_key," +
			" subject, body_structure) VALUES (77, 1, 1, 0, 1, 1, 0, 77, 1, 0, 'P5', 'p5@example.net', 's', '')")
		id := r.distribute(r.list.ID, model.LanePost)
		r.exec("UPDATE distributions SET post_id = 77 WHERE id = ?", id)
		ctx := context.Background()
		// After the post: one leaves, one joins.
		if _, err := r.s.Unsubscribe(ctx, r.list.ID, "p8@example.net", "left"); err != nil {
			t.Fatal(err)
		}
		late := model.Subscriber{ListID: r.list.ID, Email: "Late@example.net", EmailKey: "late@example.net", Roles: model.RoleSubscriber}
		if _, err := r.s.Subscribe(ctx, &late); err != nil {
			t.Fatal(err)
		}
		stop := run(t, r.engine(k, nil))
		r.await(id)
		stop()
		snap := k.Snapshot()
		got := snap.Recipients()
		for _, n := range []int{1, 6, 9} {
			if got[fmt.Sprintf("P%d@example.net", n)] != 1 {
				t.Errorf("person %d got nothing", n)
			}
		}
		if len(got) != 3 {
			t.Errorf("%d people got a copy: %v", len(got), got)
		}
		rows, err := r.s.DeliveriesOf(ctx, id, -1, 100)
		if err != nil {
			t.Fatal(err)
		}
		why := map[string]int{}
		for _, d := range rows {
			if d.State == model.DeliverySkipped {
				why[d.Reply]++
			}
		}
		for _, w := range []string{"delivery is off", "delivery is off because of bounces", "gets digests instead of single posts",
			"wants no copy of own posts", "left the list"} {
			if why[w] != 1 {
				t.Errorf("%q stands in %d rows: %v", w, why[w], why)
			}
		}
		if len(rows) != 8 {
			t.Errorf("%d rows, want 8", len(rows))
		}
	})
}

// TestLetters sends house letters of several lanes, each once, as they are.
func TestLetters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		seen := map[string]string{}
		k := startSink(t, sink.Options{Seed: 5, Temporary: 0.1, OnMessage: func(m sink.Message) {
			mu.Lock()
			defer mu.Unlock()
			seen[m.Recipients[0]] = m.ReversePath + "|" + string(m.Data)
		}})
		stop := run(t, r.engine(k, func(o *queue.Options) { o.Composer = letterComposer{r.s} }))
		const n = 300
		for i := range n {
			d := &model.Distribution{Lane: model.Lane(i % 2), ReversePath: "", Recipient: fmt.Sprintf("w%d@example.net", i)}
			if err := r.s.SaveLetter(context.Background(), d, fmt.Appendf(nil, "Subject: letter %d\r\n\r\n.dot\r\nhello\r\n", i)); err != nil {
				t.Fatal(err)
			}
			if d.ID == 0 {
				t.Fatal("the letter has no id")
			}
		}
		eventually(t, "all letters are done", func() bool {
			return r.number("SELECT count(*) FROM distributions WHERE done_at > 0 AND state = 2") == n
		})
		stop()
		for i := range n {
			want := fmt.Sprintf("|Subject: letter %d\r\n\r\n.dot\r\nhello\r\n", i)
			if got := seen[fmt.Sprintf("w%d@example.net", i)]; got != want {
				t.Errorf("letter %d arrived as %q", i, got)
			}
		}
		if k.Messages() != n {
			t.Errorf("%d messages for %d letters", k.Messages(), n)
		}
		if r.number("SELECT count(*) FROM chunks") != 0 || r.number("SELECT count(*) FROM queue_claims") != 0 {
			t.Error("a lease is left")
		}
	})
}

// letterComposer sends a letter's stored bytes.
type letterComposer struct{ s *store.Store }

func (c letterComposer) Open(ctx context.Context, d *model.Distribution) (queue.Prepared, error) {
	data, err := c.s.Bytes(ctx, d.BytesID)
	return storedLetter{d.ReversePath, data}, err
}

type storedLetter struct {
	from string
	data []byte
}

func (l storedLetter) Letter(r queue.Recipient) queue.Letter {
	return queue.Letter{ReversePath: l.from, Recipient: r.Address, Segments: [][]byte{l.data}}
}

// TestLanes: a post to ten people does not wait for a newsletter to thousands,
// and the newsletter does not stand still either.
func TestLanes(t *testing.T) {
	r := sqliteRig(t)
	k := startSink(t, sink.Options{Slow: time.Millisecond})
	const many = 20_000
	r.subscribers(r.list.ID, 1, many)
	small := model.List{Local: "small", Domain: "example.org"}
	if err := r.s.CreateList(context.Background(), &small); err != nil {
		t.Fatal(err)
	}
	r.subscribers(small.ID, many+1, 10)
	news := r.distribute(r.list.ID, model.LaneLetters)
	run(t, r.engine(k, nil))
	eventually(t, "the newsletter goes out", func() bool { return k.Messages() > 500 })
	post := r.distribute(small.ID, model.LanePost)
	r.await(post)
	if r.done(news) {
		t.Error("the post waited for the newsletter")
	}
	// The other way round: a large post does not starve the newsletter.
	big := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "the large post goes out", func() bool {
		return r.records(big) > 1000
	})
	had := r.records(news)
	eventually(t, "the newsletter goes on beside the post", func() bool {
		return r.records(news) > had
	})
	if r.done(big) {
		t.Error("the newsletter only went on after the post")
	}
}

// standstill waits until the sink gets nothing more.
func standstill(t *testing.T, k *sink.Sink, what string) {
	t.Helper()
	last := int64(-1)
	eventually(t, what, func() bool {
		n := k.Messages()
		same := n == last
		last = n
		time.Sleep(150 * time.Millisecond)
		return same
	})
}

// TestControl pauses, resumes and cancels from beside the engine.
func TestControl(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k := startSink(t, sink.Options{Slow: 2 * time.Millisecond})
		r.subscribers(r.list.ID, 1, 6000)
		stop := run(t, r.engine(k, func(o *queue.Options) { o.Connections = 4 }))
		standstill := func(what string) { t.Helper(); standstill(t, k, what) }
		moving := func(what string) {
			t.Helper()
			n := k.Messages()
			eventually(t, what, func() bool { return k.Messages() > n+50 })
		}
		first := r.distribute(r.list.ID, model.LanePost)
		moving("the post goes out")

		for _, scope := range []store.QueueScope{{}, {ListID: r.list.ID}, {DistributionID: first}} {
			if err := r.s.PauseQueue(ctx, scope, "test"); err != nil {
				t.Fatal(err)
			}
			standstill(fmt.Sprintf("the pause of %+v holds", scope))
			eventually(t, "no paused range stays leased", func() bool {
				return r.number("SELECT count(*) FROM chunks WHERE lease_until > 0") == 0
			})
			if r.done(first) {
				t.Fatal("the post was done before it could be paused")
			}
			if _, err := r.s.ResumeQueue(ctx, scope, "test"); err != nil {
				t.Fatal(err)
			}
			moving(fmt.Sprintf("resuming %+v works", scope))
		}
		if err := r.s.CancelDistribution(ctx, first, "test"); err != nil {
			t.Fatal(err)
		}
		standstill("a cancelled post ends")
		if n := r.records(first); n >= 6000 || n < 200 {
			t.Errorf("%d of 6000 copies were decided", n)
		}
		stop()
		snap := k.Snapshot()
		for who, n := range snap.Recipients() {
			if n != 1 {
				t.Errorf("%s got %d copies", who, n)
			}
		}
	})
}

// TestSiteDown: a site that is down is tried once per back-off, costs no
// recipient an attempt, and gets everything when it is back.
func TestSiteDown(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	addr, _ := dead(t)
	const people = 3000
	r.subscribers(r.list.ID, 1, people)
	id := r.distribute(r.list.ID, model.LanePost)
	relay := &smtpout.Relay{Addr: addr, Hello: "lists.example.org"}
	var dials atomic.Int64
	e := r.engine(nil, func(o *queue.Options) {
		o.Connect = func(ctx context.Context) (queue.Courier, error) {
			dials.Add(1)
			return relay.Connect(ctx)
		}
	})
	run(t, e)
	eventually(t, "it is tried again", func() bool { return dials.Load() >= 10 })
	if n := r.records(0); n != 0 {
		t.Errorf("%d recipients paid for the site", n)
	}
	eventually(t, "the status says it", func() bool {
		st, err := r.s.QueueStatus(context.Background(), 10)
		return err == nil && len(st.Nodes) == 1 && st.Nodes[0].Name == "a" && e.Stats().Down != ""
	})
	tried := dials.Load()
	if tried > 200 {
		t.Errorf("%d connections were tried for one site", tried)
	}
	k := startSink(t, sink.Options{Addr: addr})
	r.await(id)
	if _, n := r.sent(id); n != people {
		t.Errorf("%d of %d were sent at the first attempt", n, people)
	}
	if k.Messages() != people {
		t.Errorf("%d messages", k.Messages())
	}
	eventually(t, "the status forgets it", func() bool {
		st, err := r.s.QueueStatus(context.Background(), 10)
		return err == nil && len(st.Nodes) == 0
	})
}

// shaky is a store whose database is away when told so.
type shaky struct {
	*store.Store
	away atomic.Bool
}

func (s *shaky) gone() error {
	if s.away.Load() {
		return fault.Wrap(fault.Temporary, errors.New("connection refused"), "the database is away")
	}
	return nil
}

func (s *shaky) Reclaim(ctx context.Context, owner string) (int64, int64, error) {
	if err := s.gone(); err != nil {
		return 0, 0, err
	}
	return s.Store.Reclaim(ctx, owner)
}

func (s *shaky) LeaseRange(ctx context.Context, d *model.Distribution, lease model.Chunk, limit int) (*model.Chunk, []model.Subscriber, error) {
	if err := s.gone(); err != nil {
		return nil, nil, err
	}
	return s.Store.LeaseRange(ctx, d, lease, limit)
}

func (s *shaky) ActiveDistributions(ctx context.Context, lane model.Lane, afterID int64, limit int) ([]model.Distribution, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.Store.ActiveDistributions(ctx, lane, afterID, limit)
}

func (s *shaky) RenewChunks(ctx context.Context, owner string, until model.Instant, chunks []model.Chunk) ([]model.Chunk, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.Store.RenewChunks(ctx, owner, until, chunks)
}

func (s *shaky) RecordDeliveries(ctx context.Context, ranges []model.RangeOutcomes, rows []model.Delivery, ended []model.Chunk) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.Store.RecordDeliveries(ctx, ranges, rows, ended)
}

// TestDatabaseAway: outcomes that are known wait, within the budget, and are
// recorded when the database is back, whenever it went.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	k := startSink(t, sink.Options{Slow: time.Millisecond})
	const people = 8000
	r.subscribers(r.list.ID, 1, people)
	s := &shaky{Store: r.s}
	s.away.Store(true)
	e := r.engine(k, func(o *queue.Options) { o.Store, o.Lease = s, 200*time.Millisecond })
	stop := run(t, e)
	id := r.distribute(r.list.ID, model.LanePost)
	time.Sleep(100 * time.Millisecond)
	s.away.Store(false)
	for range 3 {
		had := k.Messages()
		eventually(t, "copies go out", func() bool { return k.Messages() > had })
		s.away.Store(true)
		recorded := r.records(0)
		standstill(t, k, "nothing goes out without the database") // and the lease runs out
		if n := k.Messages() - recorded; n > budgetOfCopies+256 {
			t.Errorf("%d copies went out without a record", n)
		}
		s.away.Store(false)
	}
	r.await(id)
	stop()
	if k.Messages() != people {
		t.Errorf("%d messages for %d people", k.Messages(), people)
	}
}

// TestLostLease: a node that was cut off from the database for longer than its
// leases last drops what another has taken over. What both send is what the
// first had handed out.
func TestLostLease(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		k := startSink(t, sink.Options{Slow: time.Millisecond})
		const people = 8000
		r.subscribers(r.list.ID, 1, people)
		s := &shaky{Store: r.s}
		cut := r.engine(k, func(o *queue.Options) { o.Store, o.Lease, o.Node = s, 2*time.Second, "cut" })
		stopCut := run(t, cut)
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "copies go out", func() bool { return cut.Stats().Sent > 500 })
		s.away.Store(true)
		standstill(t, k, "nothing goes out without the database")
		other := r.engine(k, func(o *queue.Options) { o.Node = "other" })
		stopOther := run(t, other)
		eventually(t, "the other takes over", func() bool {
			return r.number("SELECT count(*) FROM chunks WHERE owner = 'cut'") == 0
		})
		s.away.Store(false)
		r.await(id)
		stopCut()
		stopOther()
		snap := k.Snapshot()
		if got := len(snap.Recipients()); got != people {
			t.Errorf("%d of %d people got the post", got, people)
		}
		if repeats := snap.Messages - people; repeats > budgetOfCopies {
			t.Errorf("%d repeats", repeats)
		}
	})
}

// TestWordOfRepeats: a start after a crash says how many copies may go out a
// second time; one after a clean stop says nothing.
func TestWordOfRepeats(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	r.subscribers(r.list.ID, 1, 700)
	id := r.distribute(r.list.ID, model.LanePost)
	ctx := context.Background()
	d, err := r.s.GetDistribution(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 1000); err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	k := startSink(t, sink.Options{})
	for i := range 2 {
		stop := run(t, r.engine(k, func(o *queue.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) }))
		r.await(id)
		stop()
		if n := strings.Count(log.String(), "undecided=700 repeats_at_most=512"); n != 1 {
			t.Errorf("start %d: said %d times:\n%s", i, n, log.String())
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestStopAndGoOn: a clean stop in the middle repeats nothing and loses nothing.
func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		k := startSink(t, sink.Options{Slow: time.Millisecond, Seed: 1, Temporary: 0.02})
		const people = 6000
		r.subscribers(r.list.ID, 1, people)
		id := r.distribute(r.list.ID, model.LanePost)
		for range 5 {
			had := k.Messages()
			stop := run(t, r.engine(k, nil))
			eventually(t, "it goes on", func() bool { return k.Messages() > had+300 || r.done(id) })
			stop()
			if n := r.number("SELECT count(*) FROM chunks WHERE owner <> ''"); n != 0 {
				t.Errorf("%d ranges are still leased", n)
			}
			if n := r.number("SELECT count(*) FROM queue_claims"); n != 0 {
				t.Errorf("%d claims are left", n)
			}
		}
		stop := run(t, r.engine(k, nil))
		r.await(id)
		stop()
		snap := k.Snapshot()
		if snap.Messages != people || len(snap.Letters) != people {
			t.Errorf("%d messages and %d different ones for %d people", snap.Messages, len(snap.Letters), people)
		}
	})
}

// TestOldMailWaits: a database put back from an old copy sends nothing old by
// itself.
func TestOldMailWaits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		k := startSink(t, sink.Options{})
		r.subscribers(r.list.ID, 1, 50)
		old := r.distribute(r.list.ID, model.LanePost)
		r.exec("UPDATE distributions SET created_at = created_at - 300000000000 WHERE id = ?", old) // 83 hours
		letter := &model.Distribution{Lane: model.LaneNotice, Recipient: "mod@example.net", CreatedAt: model.At(time.Now().Add(-72 * time.Hour))}
		if err := r.s.SaveLetter(ctx, letter, []byte("Subject: x\r\n\r\nx\r\n")); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second start changes nothing
			fresh := r.distribute(r.list.ID, model.LanePost)
			stop := run(t, r.engine(k, nil))
			r.await(fresh)
			stop()
		}
		if k.Messages() != 100 {
			t.Errorf("%d messages, want those of the fresh posts", k.Messages())
		}
		st, err := r.s.QueueStatus(ctx, 10)
		if err != nil || st.Stale != 2 || len(st.Entries) != 2 || st.Entries[0].Why == "" {
			t.Fatalf("the status says %+v, %v", st, err)
		}
		n, err := r.s.ResumeQueue(ctx, store.QueueScope{}, "test")
		if err != nil || n != 2 {
			t.Fatalf("%d resumed, %v", n, err)
		}
		run(t, r.engine(k, nil))
		r.await(old)
		r.await(letter.ID)
	})
}

// TestTwoNodes share a fan-out; one dies and its leases run out.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	r := newRigPostgres(t)
	k := startSink(t, sink.Options{Slow: time.Millisecond})
	const people = 20_000
	r.subscribers(r.list.ID, 1, people)
	id := r.distribute(r.list.ID, model.LanePost)
	order := engineOrder{DSN: r.dsn, Relay: k.Addr(), Node: "doomed", Quick: true}
	cmd := child(t, "engine", order)
	startChild(t, cmd)
	eventually(t, "the first node works", func() bool { return k.Messages() > 1000 })
	other := r.engine(k, func(o *queue.Options) { o.Node = "b" })
	stop := run(t, other)
	eventually(t, "the second works too", func() bool { return other.Stats().Sent > 500 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the rest is sent", func() bool {
		return r.number("SELECT count(*) FROM chunks WHERE owner = 'b'") == 0 &&
			r.number("SELECT count(*) FROM distributions WHERE state = 2") == 1
	})
	if r.done(id) {
		t.Fatal("it is done, although a dead node holds a range")
	}
	r.exec("UPDATE chunks SET lease_until = 1 WHERE owner = 'doomed'") // time passes
	r.await(id)
	stop()
	snap := k.Snapshot()
	if got := len(snap.Recipients()); got != people {
		t.Errorf("%d of %d people got the post", got, people)
	}
	if repeats := snap.Messages - people; repeats > budgetOfCopies {
		t.Errorf("%d repeats", repeats)
	}
}

// TestPolicyRefusalIsTriedAgain: 5.7.x is about us.
func TestPolicyRefusalIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	k := startSink(t, sink.Options{RefuseData: "554 5.7.1 relay access denied"})
	r.subscribers(r.list.ID, 1, 3) // too few to stop the distribution
	id := r.distribute(r.list.ID, model.LanePost)
	run(t, r.engine(k, nil))
	r.await(id)
	if n := r.number("SELECT count(*) FROM deliveries WHERE state = 3 AND attempts = 3 AND code = 554"); n != 3 {
		t.Errorf("%d of 3 failed after the third try", n)
	}
}

// TestComposerFails: a passing failure is tried again, any other pauses the
// distribution and says why.
func TestComposerFails(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		k := startSink(t, sink.Options{})
		r.subscribers(r.list.ID, 1, 20)
		broken := r.distribute(r.list.ID, model.LanePost)
		fine := r.distribute(r.list.ID, model.LanePost)
		c := &composer{failed: func(d *model.Distribution) error {
			if d.ID == broken {
				return fault.New(fault.NotFound, "the post is gone")
			}
			return nil
		}}
		run(t, r.engine(k, func(o *queue.Options) { o.Composer = c }))
		r.await(fine)
		eventually(t, "the broken one is paused", func() bool {
			return r.number("SELECT count(*) FROM distributions WHERE id = ? AND state = 1", broken) == 1
		})
		st, err := r.s.QueueStatus(context.Background(), 10)
		if err != nil || len(st.Entries) != 1 || st.Entries[0].Why != "it cannot be composed: the post is gone" || st.Held != 1 {
			t.Fatalf("the status says %+v, %v", st, err)
		}
		c.mu.Lock()
		c.failed = nil
		c.mu.Unlock()
		if _, err := r.s.ResumeQueue(context.Background(), store.QueueScope{DistributionID: broken}, "test"); err != nil {
			t.Fatal(err)
		}
		r.await(broken)
	})
}

// TestCatcher keeps everything in the store.
func TestCatcher(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		c := &smtpout.Catcher{Keep: r.s.SaveCaught}
		r.subscribers(r.list.ID, 1, 20)
		id := r.distribute(r.list.ID, model.LanePost)
		run(t, r.engine(nil, func(o *queue.Options) { o.Connect = c.Connect }))
		r.await(id)
		got, err := r.s.Caughts(context.Background(), "P7@example.net", 0, 10)
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		one, err := r.s.GetCaught(context.Background(), got[0].ID)
		if err != nil || len(one.Data) < 2000 || one.ReversePath == "" {
			t.Fatalf("%+v, %v", one, err)
		}
	})
}
