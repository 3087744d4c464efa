package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/sink"
)

// TestNodesShareLimits: two nodes on one database send to one provider, and
// together never have more connections than it bears; when one goes the other
// has them all.
func TestNodesShareLimits(t *testing.T) {
	t.Parallel()
	w := &world{t: t, port: "0"}
	var err error
	if w.dns, err = dns.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.dns.Close() })
	// Messages, not connections: one that a node has closed is open until the host has seen it.
	var now, most atomic.Int64
	host := w.host("127.0.0.72", sink.Options{OnTaken: func([]string) {
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		time.Sleep(3 * time.Millisecond)
		now.Add(-1)
	}})
	w.mx("127.0.0.72", "mx.narrow.example", "a.example")
	limits := filepath.Join(t.TempDir(), "limits.toml")
	if err := os.WriteFile(limits, []byte("[[limit]]\nname = 'narrow'\nmx = ['.narrow.example']\nconnections = 3\nopens = 10000\nrate = 10000.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := postgres.DSN(t)
	var nodes []*app.App
	for range 2 {
		c := testkit.Config(t.TempDir())
		c.Database.DSN = dsn
		c.Outbound.Mode, c.Outbound.Resolver, c.Outbound.MXPort, c.Outbound.MXPrivate, c.Outbound.Providers = "direct", w.dns.Addr(), w.port, "yes", limits
		a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, a)
	}
	p := testkit.Around(t, nodes[0])
	l := p.List(talk, model.Discussion)
	var people []string
	for i := range 1500 {
		people = append(people, fmt.Sprintf("p%d@a.example", i))
	}
	p.Add(l, model.RoleSubscriber, people...)
	at, stopFirst := started(t, nodes[0])
	_, stopSecond := started(t, nodes[1])
	eventually(t, "the second says that it lives", func() bool { _, of := nodes[1].Part(); return of == 2 })
	nodes[0].TakePart(t.Context()) // as it does every ten seconds
	first, of := nodes[0].Part()
	if second, also := nodes[1].Part(); of != 2 || also != 2 || first+second != 1 {
		t.Fatalf("one is %d of %d, the other %d of %d", first, of, second, also)
	}
	post := func(n int) {
		t.Helper()
		if r := testkit.Send(t, at.SMTP, "p0@a.example", []string{talk}, testkit.Mail("From: p0@a.example", "To: "+talk, fmt.Sprint("Subject: all ", n),
			fmt.Sprintf("Message-ID: <all%d@a.example>", n), "", fmt.Sprint("To everybody, number ", n))); r.Code != 250 {
			t.Fatal(r)
		}
	}
	// Who hears of a post first may take all of it, so one may take several.
	sent := func() bool { return nodes[0].Queue.Stats().Sent > 0 && nodes[1].Queue.Stats().Sent > 0 }
	for n := 1; n == 1 || !sent(); n++ {
		if n > 20 {
			t.Fatalf("of %d copies the nodes have sent %d and %d", host.Messages(), nodes[0].Queue.Stats().Sent, nodes[1].Queue.Stats().Sent)
		}
		post(n)
		eventually(t, "everybody has the post", func() bool { return host.Messages() == int64(1500*n) })
	}
	if n := most.Load(); n > 3 {
		t.Errorf("%d messages at once at most, on 3 connections", n)
	}
	if err := stopSecond(); err != nil {
		t.Fatal(err)
	}
	nodes[0].TakePart(t.Context())
	if node, of := nodes[0].Part(); node != 0 || of != 1 {
		t.Errorf("the one that is left is %d of %d", node, of)
	}
	if err := stopFirst(); err != nil {
		t.Fatal(err)
	}
}
