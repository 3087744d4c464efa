package queue_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/sink"
)

// internet is a name server and mail hosts on addresses of loopback that share
// one port.
type internet struct {
	t     testing.TB
	dns   *dns.Server
	port  string
	paces *route.Paces

	mu      sync.Mutex
	changes []route.Change
}

func newInternet(t testing.TB) *internet {
	t.Helper()
	s, err := dns.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &internet{t: t, dns: s}
}

// host starts a mail host at 127.N.0.last for hosts of these domains.
func (n *internet) host(ip string, o sink.Options, domains ...string) *sink.Sink {
	n.t.Helper()
	if n.port == "" {
		n.port = "0"
	}
	o.Addr = net.JoinHostPort(ip, n.port)
	k := startSink(n.t, o)
	if n.port == "0" {
		_, n.port, _ = net.SplitHostPort(k.Addr())
	}
	n.names(ip, domains...)
	return k
}

// names lets an address be the host of domains, whether anybody listens there
// or not.
func (n *internet) names(ip string, domains ...string) {
	name := "mx." + domains[0]
	n.dns.Host(name, ip)
	for _, d := range domains {
		n.dns.MX(d, 10, name)
	}
}

// router makes the way out to it; rows are added to the table of providers.
func (n *internet) router(rows string, t smtpout.Timeouts) *route.Direct {
	n.t.Helper()
	way, err := n.way(n.dns.Addr(), rows, t)
	if err != nil {
		n.t.Fatal(err)
	}
	return way
}

// way is the same for who knows only the name server's address.
func (n *internet) way(resolver, rows string, t smtpout.Timeouts) (*route.Direct, error) {
	decode := func(text string, into any) error { _, err := toml.Decode(text, into); return err }
	table, err := route.ReadTable(decode, route.DefaultTable(), rows)
	if err != nil {
		return nil, err
	}
	if t.Dial == 0 {
		t.Dial = 5 * time.Second
	}
	if t.Idle == 0 {
		t.Idle = time.Second
	}
	r, err := route.New(route.Options{Table: table, Hello: "lists.example.org", Port: n.port, AllowPrivate: true, Timeouts: t,
		DNS: &route.Stub{Servers: []string{resolver}, Timeout: time.Second}})
	if err != nil {
		return nil, err
	}
	n.paces = route.NewPaces(time.Now, rand.Float64, func(c route.Change) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changes = append(n.changes, c)
	})
	return &route.Direct{Router: r, Paces: n.paces}, nil
}

// fast lifts the limits for test hosts: they are on the same machine.
const fast = "[[limit]]\nname = 'default'\nconnections = 10\nopens = 100000\nrate = 100000.0\nletters = 1000\nbatch = 16\n"

// direct makes an engine with this way out.
func (r *rig) direct(way queue.Router, change func(*queue.Options)) *queue.Engine {
	o := queue.Options{
		Store: r.s, Composer: &composer{}, Router: way, Node: "a", Log: slog.New(slog.DiscardHandler),
		Retry: []time.Duration{100 * time.Millisecond}, Grace: 10 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	return queue.New(o)
}

// people adds n subscribers p<i>@<domain>, the domain as an SQL expression of i.
func (r *rig) people(list int64, from, n int, domain string) {
	r.t.Helper()
	series := fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM g WHERE i < %d)", from, from+n-1)
	r.exec(fmt.Sprintf("%s INSERT INTO subscribers (list_id, email, email_key, name, roles, delivery_status, mode, moderation, options,"+
		" language, consent, began_seq, ended_seq, began_at, ended_at, end_reason) SELECT %d, 'p' || i || '@' || %[3]s, 'p' || i || '@' || %[3]s,"+
		" '', 1, 0, 0, 0, 0, '', 'test', 1, 0, 1, 0, '' FROM g", series, list, domain))
	r.exec("UPDATE list_counters SET seq = 1 WHERE list_id = ? AND seq = 0", list)
}

// fates counts a distribution's rows by state.
func (r *rig) fates(id int64) map[model.DeliveryState]int64 {
	out := map[model.DeliveryState]int64{}
	for _, d := range r.deliveries(id) {
		out[d.State]++
	}
	return out
}

func recipients(k *sink.Sink) map[string]int {
	s := k.Snapshot()
	return s.Recipients()
}
