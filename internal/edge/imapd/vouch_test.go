package imapd

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// asked counts the questions about people's subscriptions.
type asked struct {
	*memory
	n atomic.Int32
}

func (a *asked) SubscriptionsOf(ctx context.Context, keys []string) ([]model.Subscriber, error) {
	a.n.Add(1)
	return a.memory.SubscriptionsOf(ctx, keys)
}

// TestManyAreVouchedForAtOnce: of those who idle nobody asks for herself whether
// she may still read, and who may not any more is out at once, however long the
// right is believed.
func TestManyAreVouchedForAtOnce(t *testing.T) {
	m := &asked{memory: sample(t)}
	_, addr := serve(t, m.memory, func(o *Options, tm *times) {
		o.Archive, tm.access = Over(archive.NewReader(m)), time.Hour
	})
	var all []*client
	for i := range 50 {
		c := loggedIn(t, addr, []string{"alice@example.org", "bob@example.org"}[i%2])
		c.want("SELECT Lists/talk", "OK")
		c.send("i IDLE\r\n")
		c.line()
		all = append(all, c)
	}
	before := m.n.Load()
	for range 3 {
		m.post(1, plainPost)
	}
	for _, c := range all {
		for s := c.line(); s != "* 6 EXISTS"; s = c.line() {
			if !strings.HasSuffix(s, " EXISTS") {
				t.Fatal(s)
			}
		}
	}
	if n := m.n.Load() - before; n > 3 {
		t.Errorf("%d questions", n)
	}
	m.leave(1, "alice@example.org")
	for i, c := range all {
		if i%2 == 0 {
			if s := c.line(); !strings.HasPrefix(s, "* BYE") {
				t.Fatal(s)
			}
		}
	}
	m.post(1, plainPost)
	for i, c := range all {
		if i%2 == 1 {
			if s := c.line(); s != "* 7 EXISTS" {
				t.Fatal(s)
			}
		}
	}
}
