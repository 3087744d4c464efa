package queue_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// mixedComposer makes posts and newsletters as composer does, and letters of
// their stored bytes.
type mixedComposer struct {
	posts   composer
	letters letterComposer
}

func (c *mixedComposer) Open(ctx context.Context, d *model.Distribution) (queue.Prepared, error) {
	if d.Kind == model.DistributeLetter {
		return c.letters.Open(ctx, d)
	}
	return c.posts.Open(ctx, d)
}

// urgentWait is how much goes before what is urgent.
type urgentWait struct {
	copies int           // newsletter copies the sink took meanwhile
	took   time.Duration // until the last of it was there
}

// urgent fills the queue with a newsletter to many, then queues a confirmation
// and a post to ten people, and looks at what the sink takes before them.
func urgent(t testing.TB, r *rig, many int) (letter, post urgentWait) {
	var mu sync.Mutex
	var newsletters, posts int
	var start time.Time
	done := make(chan struct{}, 2)
	k := startSink(t, sink.Options{Slow: 2 * time.Millisecond, ForgetLetters: true, OnMessage: func(m sink.Message) {
		mu.Lock()
		defer mu.Unlock()
		who := m.Recipients[0]
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(who, "P"), "@example.net"))
		switch {
		case who == "new@example.net":
			letter = urgentWait{newsletters, time.Since(start)}
			done <- struct{}{}
		case n > many:
			if posts++; posts == 10 {
				post = urgentWait{newsletters, time.Since(start)}
				done <- struct{}{}
			}
		default:
			newsletters++
		}
	}})
	ctx := context.Background()
	r.subscribers(r.list.ID, 1, many)
	small := model.List{Local: "small", Domain: "example.org"}
	if err := r.s.CreateList(ctx, &small); err != nil {
		t.Fatal(err)
	}
	r.subscribers(small.ID, many+1, 10)
	news := r.distribute(r.list.ID, model.LaneLetters)
	stop := run(t, r.engine(k, func(o *queue.Options) { o.Composer = &mixedComposer{letters: letterComposer{r.s}} }))
	eventually(t, "the newsletter goes out", func() bool { return k.Messages() > 1000 })
	id := r.distribute(small.ID, model.LanePost)
	mu.Lock()
	newsletters, start = 0, time.Now()
	mu.Unlock()
	if err := r.s.SaveLetter(ctx, &model.Distribution{Lane: model.LaneReply, Recipient: "new@example.net"}, []byte("Subject: confirm\r\n\r\nok?\r\n")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("what is urgent does not arrive")
		}
	}
	r.await(id)
	if r.done(news) {
		t.Error("the newsletter was over before")
	}
	had := k.Messages()
	eventually(t, "the newsletter goes on", func() bool { return k.Messages() > had+100 })
	if err := r.s.PauseQueue(ctx, store.QueueScope{}, "test"); err != nil {
		t.Fatal(err)
	}
	stop()
	mu.Lock()
	defer mu.Unlock()
	return letter, post
}

// TestUrgentMailDoesNotWait: with a newsletter in the queue (PLENARY_TEST_QUEUED
// copies; 50,000), a confirmation and a post to ten arrive before many more of
// its copies do. What couriers hold already goes first: Unrecorded, at most.
func TestUrgentMailDoesNotWait(t *testing.T) {
	many := 50_000
	if n, err := strconv.Atoi(os.Getenv("PLENARY_TEST_QUEUED")); err == nil {
		many = n
	}
	for name, rig := range map[string]func(testing.TB) *rig{"sqlite": sqliteRig, "postgres": newRigPostgres} { // alone: what comes first is asked
		t.Run(name, func(t *testing.T) {
			letter, post := urgent(t, rig(t), many)
			t.Logf("%d newsletter copies went before the confirmation, %d before the last of ten posts", letter.copies, post.copies)
			if most := 3 * budgetOfCopies; letter.copies > most || post.copies > most {
				t.Errorf("more than %d", most)
			}
		})
	}
}

// BenchmarkUrgent prints how long a confirmation and a post to ten people take
// while 1,000,000 newsletter copies (PLENARY_BENCH_RECIPIENTS) are queued and the
// site needs 2 ms for each.
func BenchmarkUrgent(b *testing.B) {
	many := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("PLENARY_BENCH_RECIPIENTS")); err == nil {
		many = n
	}
	for name, rig := range map[string]func(testing.TB) *rig{"sqlite": sqliteRig, "postgres": newRigPostgres} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				letter, post := urgent(b, rig(b), many)
				b.ReportMetric(letter.took.Seconds()*1000, "ms-letter")
				b.ReportMetric(post.took.Seconds()*1000, "ms-post")
				b.ReportMetric(float64(post.copies), "copies-before")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
