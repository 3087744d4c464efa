package queue_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
)

// picky is a mail host that answers 550 5.7.1 to recipients of some domains.
type picky struct {
	mu      sync.Mutex
	no      map[string]bool // domains
	refused map[string]int  // by domain
	taken   map[string]int
}

// host lets it listen for these domains.
func (k *picky) host(t *testing.T, n *internet, ip string, domains ...string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { k.serve(c) })
		}
	})
	_, n.port, _ = net.SplitHostPort(l.Addr().String())
	n.names(ip, domains...)
}

// serve speaks as much SMTP as is needed; the client ends the connection.
func (k *picky) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewScanner(c)
	to, body := "", false
	_, _ = c.Write([]byte("220 picky\r\n"))
	for in.Scan() {
		line, reply := in.Text(), "250 2.0.0 yes"
		switch {
		case body && line == ".":
			body = false
			k.count(k.taken, to)
		case body:
			continue
		case strings.HasPrefix(line, "RCPT TO:"):
			to = strings.Trim(line[strings.LastIndexByte(line, '@')+1:], "<>")
			if k.refuses(to) {
				k.count(k.refused, to)
				reply = "550 5.7.1 Relaying denied"
			}
		case line == "DATA":
			body, reply = true, "354 go on"
		}
		if _, err := c.Write([]byte(reply + "\r\n")); err != nil {
			return
		}
	}
}

func (k *picky) refuses(domain string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.no[domain]
}

func (k *picky) count(m map[string]int, domain string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	m[domain]++
	return m[domain]
}

func newPicky(no ...string) *picky {
	k := &picky{no: map[string]bool{}, refused: map[string]int{}, taken: map[string]int{}}
	for _, d := range no {
		k.no[d] = true
	}
	return k
}

// TestRefusedForOneDomain: a host that refuses one of its domains gets the copies of
// the others, and few of that one.
func TestRefusedForOneDomain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		k := newPicky("d0.example")
		k.host(t, n, "127.0.0.76", "d0.example", "d1.example")
		const no, yes = 2000, 200
		r.people(r.list.ID, 1, no, "'d0.example'")
		r.people(r.list.ID, no+1, yes, "'d1.example'")
		stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Retry, o.Unrecorded = nil, 128 })) // what may be on its way
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "everybody else has it", func() bool { return r.records(id) == no+yes && r.fates(id)[model.DeliverySent] == yes })
		st, err := r.s.QueueStatus(context.Background(), 0)
		stop()
		if f := r.fates(id); f[model.DeliveryRetry] != no {
			t.Errorf("%v", f)
		}
		if k.taken["d1.example"] != yes || k.refused["d0.example"] > 512 {
			t.Errorf("%v were taken, %v refused", k.taken, k.refused)
		}
		if err != nil || len(st.Refused) != 1 || st.Refused[0].Site != "d0.example" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// TestRefusalIsOver: a host that refuses several domains gets nothing of the
// distribution. When it takes a copy again, what was put off is tried at once.
func TestRefusalIsOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		n := newInternet(t)
		k := newPicky("d0.example", "d1.example", "d2.example")
		k.host(t, n, "127.0.0.77", "d0.example", "d1.example", "d2.example")
		const people = 3000
		r.people(r.list.ID, 1, people, "'d' || (i % 3) || '.example'")
		stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Retry = nil }))
		id := r.distribute(r.list.ID, model.LanePost)
		eventually(t, "everybody waits", func() bool {
			return r.fates(id)[model.DeliveryRetry] == people && r.number("SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM queue_claims)") == 0
		})
		k.mu.Lock()
		if all := k.refused["d0.example"] + k.refused["d1.example"] + k.refused["d2.example"]; all > people/2 { // what was on its way
			t.Errorf("%v were refused", k.refused)
		}
		clear(k.no)
		k.mu.Unlock()
		if _, err := r.s.RetryNow(context.Background(), store.QueueScope{Destination: "d1.example"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "who was not tried has it", func() bool {
			return r.number("SELECT count(*) FROM deliveries WHERE distribution_id = ? AND state = 2 AND attempts = 0", id) == 0
		})
		stop()
	})
}
