package queue_test

import (
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/route"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// whats gives the texts behind changes of one kind.
func (n *internet) whats(what string) (why []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.changes {
		if c.What == what {
			why = append(why, c.Why)
		}
	}
	return why
}

// TestSaidOnAUsedConnection: 421 on a connection that has taken letters. Where it
// says that we send too much the site gets fewer connections; an ordinary end costs
// nothing. By DATA and by BDAT.
func TestSaidOnAUsedConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		data       bool
		shrinks    bool
	}{
		{"too much, BDAT", "421 4.7.0 closing", false, true},
		{"too much, DATA", "421 4.7.0 closing", true, true},
		{"its letters, BDAT", "421 4.4.2 too many messages on this connection", false, false},
		{"its letters, DATA", "421 4.4.2 too many messages on this connection", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			n := newInternet(t)
			k := n.host("127.0.0.91", sink.Options{RcptMost: 10, RcptReply: c.text, NoChunking: c.data}, "d0.example")
			r.people(r.list.ID, 1, 500, "'d0.example'")
			stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), nil))
			id := r.distribute(r.list.ID, model.LanePost)
			r.await(id)
			stop()
			if all, first := r.sent(id); all != 500 || first != 500 || k.Messages() != 500 {
				t.Errorf("%d copies are sent, %d at the first try; it took %d", all, first, k.Messages())
			}
			why := n.whats("shrinks")
			if got := len(why) > 0 && why[0] == c.text; got != c.shrinks || len(why) > 0 != c.shrinks {
				t.Errorf("shrinks for %q", why)
			}
			if stops := n.whats("stops"); len(stops) > 0 {
				t.Errorf("stops for %q", stops)
			}
		})
	}
}

// TestSaidToTheConnection: what a provider says of the connection, on one that has
// taken letters or at the greeting, is held against the reactions of its row.
func TestSaidToTheConnection(t *testing.T) {
	t.Parallel()
	const row = "\n[[limit]]\nname = 'x'\nmx = ['mx.d0.example']\n[[limit.reaction]]\nreply = '^421.4\\.7\\.0 later'\nsuspend = '2h'\n"
	for name, hosts := range map[string][]sink.Options{
		"used":        {{RcptMost: 10, RcptReply: "421 4.7.0 later"}},
		"greeting":    {{Greeting: "421 4.7.0 later"}},
		"second host": {{Greeting: "421 4.3.2 busy"}, {Greeting: "421 4.7.0 later"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sqliteRig(t)
			n := newInternet(t)
			n.host("127.0.0.92", hosts[0], "d0.example")
			for _, o := range hosts[1:] {
				n.host("127.0.0.93", o, "d1.example")
				n.dns.MX("d0.example", 20, "mx.d1.example")
			}
			r.people(r.list.ID, 1, 100, "'d0.example'")
			way := n.router(fast+row, smtpout.Timeouts{})
			stop := run(t, r.direct(way, nil))
			id := r.distribute(r.list.ID, model.LanePost)
			eventually(t, "everybody has a row", func() bool { return r.records(id) == 100 })
			stop()
			n.mu.Lock()
			defer n.mu.Unlock()
			suspended := false
			for _, c := range n.changes {
				suspended = suspended || suspension(c)
			}
			if !suspended {
				t.Errorf("%+v", n.changes)
			}
		})
	}
}

func suspension(c route.Change) bool {
	return c.What == "stops" && strings.HasPrefix(c.Site, "@") && c.Why == "421 4.7.0 later" && c.Until.Sub(c.At) > time.Hour
}
