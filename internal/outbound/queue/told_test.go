package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestLogSaysWhatWasSent: one line a distribution, whatever the number of its
// recipients, that is a warning when nothing came through.
func TestLogSaysWhatWasSent(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	const people = 3000
	r.subscribers(r.list.ID, 1, people)
	for _, c := range []struct {
		o    sink.Options
		want string
	}{
		{sink.Options{}, "level=INFO msg=\"copies were sent\" distribution=%d list=talk@example.org sent=3000 deferred=0 failed=0 skipped=0 age="},
		{sink.Options{RefuseMail: "451 4.3.2 not now"}, "level=WARN msg=\"copies were sent\" distribution=%d list=talk@example.org sent=0 deferred=15 failed=0 skipped=2985 reply=\"451 4.3.2 not now\" age="},
	} {
		var log lines
		stop := run(t, r.engine(startSink(t, c.o), func(o *queue.Options) { o.Log, o.Retry = log.logger(), []time.Duration{time.Hour} }))
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "everybody has a record", func() bool { return r.records(id) == people })
		stop()
		if want := fmt.Sprintf(c.want, id); log.count(want) != 1 || log.count("\n") > 2 {
			t.Errorf("no %s in\n%s", want, log.String())
		}
		r.exec("UPDATE subscribers SET delivery_status = 1 WHERE id > 15") // so few do not let a relay rest
	}
}

// TestLogSaysWhatIsPaused: who starts the service, or looks at its log later,
// sees why nothing goes out; and trouble of an earlier run is not said for ever.
func TestLogSaysWhatIsPaused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		ctx := context.Background()
		if err := r.s.NoteNode(ctx, "a", "the relay was down"); err != nil {
			t.Fatal(err)
		}
		scopes := []store.QueueScope{{}, {ListID: r.list.ID}, {Destination: "example.net"}}
		names := []string{"what=everything", "what=\"list talk@example.org\"", "what=\"to example.net\""}
		for _, q := range scopes[1:] {
			if err := r.s.PauseQueue(ctx, q, "test"); err != nil {
				t.Fatal(err)
			}
		}
		var log lines
		stop := run(t, r.engine(startSink(t, sink.Options{}), func(o *queue.Options) { o.Log = log.logger() }))
		said := func(line string) {
			t.Helper()
			eventually(t, line, func() bool { return log.count(line) == 1 })
		}
		for _, name := range names[1:] {
			said("level=WARN msg=\"sending is paused until plenary queue resume\" " + name)
		}
		if st, err := r.s.QueueStatus(ctx, 10); err != nil || len(st.Nodes) != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		if err := r.s.PauseQueue(ctx, scopes[0], "test"); err != nil {
			t.Fatal(err)
		}
		said("level=WARN msg=\"sending is paused until plenary queue resume\" " + names[0])
		for i, q := range scopes {
			if _, err := r.s.ResumeQueue(ctx, q, "test"); err != nil {
				t.Fatal(err)
			}
			said("level=INFO msg=\"sending goes on\" " + names[i])
		}
		stop()
		if n := strings.Count(log.String(), "\n"); n != 6 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

// TestTroubleEndsWithTheNode: who has stopped is not said to have trouble.
func TestTroubleEndsWithTheNode(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	r.subscribers(r.list.ID, 1, 5)
	stop := run(t, r.engine(nil, func(o *queue.Options) {
		o.Connect = func(context.Context) (queue.Courier, error) { return nil, errors.New("connection refused") }
	}))
	r.distribute(r.list.ID, model.LanePost)
	nodes := func() int {
		st, err := r.s.QueueStatus(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(st.Nodes)
	}
	eventually(t, "the status says it", func() bool { return nodes() == 1 })
	stop()
	if n := nodes(); n != 0 {
		t.Errorf("%d nodes have trouble", n)
	}
}
