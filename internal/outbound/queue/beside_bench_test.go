package queue_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// BenchmarkBeside measures how long others who write wait while a fan-out to
// PLENARY_BENCH_RECIPIENTS people (200,000) runs at full speed: a post with all
// its rows, a subscription, and for comparison a post when nothing is sent. The
// sink is a process of its own.
func BenchmarkBeside(b *testing.B) {
	many := 200_000
	if n, err := strconv.Atoi(os.Getenv("PLENARY_BENCH_RECIPIENTS")); err == nil {
		many = n
	}
	for name, open := range map[string]func(testing.TB) *rig{"sqlite": sqliteRig, "postgres": newRigPostgres} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				beside(b, open(b), many)
			}
		})
	}
}

func beside(b *testing.B, r *rig, many int) {
	r.subscribers(r.list.ID, 1, many)
	quiet := model.List{Local: "quiet", Domain: "example.org"} // nobody is on it
	if err := r.s.CreateList(context.Background(), &quiet); err != nil {
		b.Fatal(err)
	}
	w := writer{r: r, list: quiet.ID}
	alone := w.waits(300, func() bool { return true }, w.post)
	k := startSinkChild(b, sink.Options{ForgetLetters: true})
	relay := &smtpout.Relay{Addr: k.addr, Hello: "lists.example.org"}
	e := r.engine(nil, func(o *queue.Options) { o.Connect = relay.Connect })
	stop := run(b, e)
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(b, "it goes out", func() bool { return e.Stats().Sent > 1000 })
	begun, sent := time.Now(), e.Stats().Sent
	going := func() bool { return e.Stats().Sent < int64(many)*9/10 }
	var posts, subscriptions []time.Duration
	for going() && len(posts) < 5000 {
		posts = append(posts, w.waits(1, going, w.post)...)
		subscriptions = append(subscriptions, w.waits(1, going, w.subscribe)...)
	}
	rate := float64(e.Stats().Sent-sent) / time.Since(begun).Seconds()
	r.await(id)
	stop()
	for _, c := range []struct {
		what  string
		waits []time.Duration
	}{{"post-alone", alone}, {"post", posts}, {"subscription", subscriptions}} {
		slices.Sort(c.waits)
		b.ReportMetric(c.waits[len(c.waits)/2].Seconds()*1000, "p50-ms-"+c.what)
		b.ReportMetric(c.waits[len(c.waits)*99/100].Seconds()*1000, "p99-ms-"+c.what)
	}
	b.ReportMetric(float64(len(posts)), "posts")
	b.ReportMetric(rate, "copies/s")
	b.ReportMetric(0, "ns/op")
}

// writer is somebody who writes.
type writer struct {
	r    *rig
	list int64
	n    int
}

// waits measures n writes with small pauses between them.
func (w *writer) waits(n int, going func() bool, write func() error) (out []time.Duration) {
	for range n {
		if !going() {
			break
		}
		w.n++
		start := time.Now()
		if err := write(); err != nil {
			w.r.t.Fatal(err)
		}
		out = append(out, time.Since(start))
		time.Sleep(time.Millisecond)
	}
	return out
}

func (w *writer) post() error {
	at := model.At(time.Now())
	raw := fmt.Appendf(nil, "From: Ada <ada@example.com>\r\nSubject: post %d\r\n\r\nSome words of a short post.\r\n", w.n)
	_, _, err := w.r.s.SavePost(context.Background(), &model.NewPost{
		Post:   model.Post{ReceivedAt: at, SentAt: at, Author: "Ada", AuthorKey: "ada@example.com", Subject: "post", BodyStructure: []byte("x")},
		ListID: w.list, Bytes: raw, Envelope: []byte("()"), Header: raw[:40],
		Self: model.Reference{Key: int64(w.n), MessageID: fmt.Sprint(w.n)}, MessageKey: fmt.Append(nil, w.n),
		Distribution: &model.Distribution{ListID: w.list, Kind: model.DistributePost, Lane: model.LanePost, Options: "{}", CreatedAt: at},
	})
	return err
}

func (w *writer) subscribe() error {
	email := fmt.Sprintf("n%d@example.net", w.n)
	_, err := w.r.s.Subscribe(context.Background(), &model.Subscriber{ListID: w.list, Email: email, EmailKey: email, Roles: model.RoleModerator})
	return err
}
