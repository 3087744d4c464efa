package queue_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
)

// fullBoxes are the recipients below most that a relay puts off for ever, of distributions up to a
// number.
func fullBoxes(upTo int64, most string, n *atomic.Int64) *moody {
	return &moody{refuse: func(l queue.Letter) bool {
		for id := int64(1); id <= upTo; id++ {
			if strings.Contains(string(l.Segments[0]), "Message-ID: <d"+strconv.FormatInt(id, 10)+"@") && l.Recipient <= most {
				n.Add(1)
				return true
			}
		}
		return false
	}}
}

// TestRetriesOfFullBoxes: that a few mailboxes are full says nothing of the relay,
// however often they are tried while nothing else comes.
func TestRetriesOfFullBoxes(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t)
	r.subscribers(r.list.ID, 1, 9)
	var refused atomic.Int64
	m := fullBoxes(1, "P6", &refused)
	var log lines
	stop := run(t, r.engine(nil, func(o *queue.Options) { o.Connect, o.Log = m.connect, log.logger() }))
	id := r.distribute(r.list.ID, model.LanePost)
	within(t, time.Minute, "they are tried again and again", func() bool { return refused.Load() > 100 })
	stop()
	if n := log.count("it rests"); n != 0 {
		t.Errorf("it rested %d times", n)
	}
	if all, first := r.sent(id); all != 4 || first != 4 {
		t.Errorf("%d sent, %d at the first try", all, first)
	}
}

// TestStormOfRetries: many distributions whose recipients are put off for their own
// sake keep out no other, though their retries come without end: a post in the same
// lane, or a confirmation, is soon the copy that tries the relay.
func TestStormOfRetries(t *testing.T) {
	t.Parallel()
	const many, people = 40, 4
	for name, most := range map[string]string{"all their recipients": "P9", "the first of them": "P3"} {
		for what, lane := range map[string]model.Lane{"a post": model.LanePost, "a confirmation": model.LaneReply} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				r := sqliteRig(t)
				r.subscribers(r.list.ID, 1, people)
				other := model.List{Local: "other", Domain: "example.org", Language: "en"}
				if err := r.s.CreateList(context.Background(), &other); err != nil {
					t.Fatal(err)
				}
				r.subscribers(other.ID, 1, 5)
				for range many {
					r.distribute(r.list.ID, model.LanePost)
				}
				var refused atomic.Int64
				m := fullBoxes(many, most, &refused)
				var log lines
				stop := run(t, r.engine(nil, func(o *queue.Options) {
					o.Connect, o.Log, o.Backoff = m.connect, log.logger(), []time.Duration{time.Millisecond, 20 * time.Millisecond}
				}))
				within(t, time.Minute, "all are tried, and again", func() bool {
					return r.records(0) == many*people && refused.Load() > 2*many*people
				})
				id := r.distribute(other.ID, lane)
				within(t, 30*time.Second, "the other is sent", func() bool { return r.done(id) })
				stop()
				if most == "P9" && log.count("it rests") == 0 {
					t.Error("it did not rest")
				}
			})
		}
	}
}
