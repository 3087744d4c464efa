package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestRefusedLogin: a relay that refuses our password is tried once and not again and
// again, the log and the status say what to look at, nobody's copy is tried, and
// retry tries it at once.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	ctx := context.Background()
	k := startSink(t, sink.Options{})
	r.subscribers(r.list.ID, 1, 100)
	var tries atomic.Int64
	var mended atomic.Bool
	relay := &smtpout.Relay{Hello: "lists.example.org", Addr: k.Addr()}
	var log lines
	stop := run(t, r.engine(k, func(o *queue.Options) {
		o.Log = log.logger()
		o.Outlets = []queue.Outlet{{Name: "relay.example:587", Weight: 1, Connect: func(ctx context.Context) (queue.Courier, error) {
			tries.Add(1)
			if mended.Load() {
				return relay.Connect(ctx)
			}
			return nil, fmt.Errorf("AUTH was answered %w", &queue.Refusal{Code: 535, Reply: "5.7.8 who are you", Login: true})
		}}}
	}))
	defer stop()
	id := r.distribute(r.list.ID, model.LanePost)
	eventually(t, "the status says so", func() bool {
		st, err := r.s.QueueStatus(ctx, 0)
		return err == nil && len(st.Nodes) == 1 && strings.Contains(st.Nodes[0].Text, "it refuses our user and password (outbound.relay_username") &&
			strings.HasSuffix(st.Nodes[0].Text, "535 5.7.8 who are you")
	})
	time.Sleep(200 * time.Millisecond) // many times the back-off
	if n := tries.Load(); n > 10 {     // as many were being opened at once
		t.Errorf("it was tried %d times", n)
	}
	if log.count("level=ERROR msg=\"a relay refuses our user and password, it is paused") != 1 {
		t.Error(log.String())
	}
	if n := r.records(id); n != 0 {
		t.Errorf("%d copies have a record", n)
	}
	mended.Store(true)
	if _, err := r.s.RetryNow(ctx, store.QueueScope{Destination: "relay.example"}); err != nil {
		t.Fatal(err)
	}
	r.await(id)
	if k.Messages() != 100 {
		t.Errorf("%d messages", k.Messages())
	}
}

// TestWordsOfARelay: whatever octets a relay refuses us with, the status says that it
// is down.
func TestWordsOfARelay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		k := startSink(t, sink.Options{Greeting: "554 5.3.2 no \x00 mail \xff here"})
		r.subscribers(r.list.ID, 1, 10)
		stop := run(t, r.engine(k, nil))
		r.distribute(r.list.ID, model.LanePost)
		eventually(t, "the status says so", func() bool {
			st, err := r.s.QueueStatus(context.Background(), 0)
			return err == nil && len(st.Nodes) == 1 && strings.Contains(st.Nodes[0].Text, "554 5.3.2 no   mail \uFFFD here")
		})
		stop()
	})
}

// TestPauseAnIPv6Relay by each of its names: the other relay takes everything until
// the pause is over.
func TestPauseAnIPv6Relay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"[2001:db8::25]:25", "2001:db8::25", "[2001:db8::25]"} {
		r := sqliteRig(t)
		k, other := startSink(t, sink.Options{}), startSink(t, sink.Options{})
		r.subscribers(r.list.ID, 1, 500)
		relay, second := &smtpout.Relay{Hello: "lists.example.org", Addr: k.Addr()}, &smtpout.Relay{Hello: "lists.example.org", Addr: other.Addr()}
		r.pause(true, name)
		stop := run(t, r.engine(k, func(o *queue.Options) {
			o.Outlets = []queue.Outlet{{Name: "[2001:DB8::25]:25", Weight: 1, Connect: relay.Connect}, {Name: other.Addr(), Weight: 1, Connect: second.Connect}}
		}))
		r.await(r.distribute(r.list.ID, model.LanePost))
		if n, m := k.Messages(), other.Messages(); n != 0 || m != 500 {
			t.Errorf("%s: %d letters went to a relay that is paused, %d to the other", name, n, m)
		}
		r.pause(false, name)
		eventually(t, "the relay is used again", func() bool {
			r.await(r.distribute(r.list.ID, model.LanePost))
			return k.Messages() > 0
		})
		stop()
	}
}
