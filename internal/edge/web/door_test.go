package web

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"plenary/internal/metrics"
)

// TestDoorIsShared: who is let in at a door for eight, and who leaves.
func TestDoorIsShared(t *testing.T) {
	for _, c := range []struct {
		name, come, in string // addresses; - is the first inside going
	}{
		{"one has half", "10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1", "yyyyn"},
		{"two have a third each", "10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.2 10.0.0.2 10.0.0.2", "yyyyyyn"},
		{"a /64 is one", "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5 2001:db8:0:1::1", "yyyyny"},
		{"a mapped address is the same", "::ffff:10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1", "yyyyn"},
		{"this machine has all", "127.0.0.1 127.0.0.1 ::1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1", "yyyyyyyyn"},
		{"who leaves makes room", "10.0.0.1 10.0.0.1 10.0.0.1 10.0.0.1 - 10.0.0.1 10.0.0.1", "yyyy-yn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDoor(nil, 8, slog.New(slog.DiscardHandler))
			var inside []netip.Prefix
			got := ""
			for _, come := range strings.Fields(c.come) {
				if come == "-" {
					d.leave(inside[0])
					inside, got = inside[1:], got+"-"
					continue
				}
				peer := peerOf(&net.TCPAddr{IP: net.ParseIP(come), Port: 4711})
				if !d.enter(peer) {
					got += "n"
					continue
				}
				inside, got = append(inside, peer), got+"y"
			}
			if got != c.in {
				t.Errorf("%s, want %s", got, c.in)
			}
			for _, peer := range inside {
				d.leave(peer)
			}
			if d.open != 0 || len(d.by) != 0 {
				t.Errorf("%d stay, %v", d.open, d.by)
			}
		})
	}
}

// TestOneAddressDoesNotCloseTheDoor: idle connections of one address leave room for
// another's page, and are let in again when they have gone.
func TestOneAddressDoesNotCloseTheDoor(t *testing.T) {
	s, err := New(Options{Lists: &world{}, Metrics: metrics.New().Handler(), Log: slog.New(slog.DiscardHandler),
		Health: func(context.Context) (bool, string) { return true, "ok" }})
	if err != nil {
		t.Fatal(err)
	}
	s.maxConnections = 8
	come := invented{conns: make(chan net.Conn), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(&come) }()
	dial := func(ip string) (net.Conn, string) {
		t.Helper()
		a, b := net.Pipe()
		come.conns <- from{b, &net.TCPAddr{IP: net.ParseIP(ip), Port: 4711}}
		go func() { _, _ = a.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) }()
		resp, err := http.ReadResponse(bufio.NewReader(a), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return a, resp.Status
	}
	var idle []net.Conn
	for n := range 6 {
		c, status := dial("192.0.2.1")
		if want := []string{"200 OK", "503 Service Unavailable"}[n/4]; status != want {
			t.Errorf("connection %d: %s, want %s", n, status, want)
		}
		idle = append(idle, c)
	}
	if _, status := dial("192.0.2.2"); status != "200 OK" {
		t.Errorf("another address: %s", status)
	}
	for _, c := range idle {
		_ = c.Close()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// invented is a listener for connections within this process.
type invented struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *invented) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *invented) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *invented) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection that seems to come from an address.
type from struct {
	net.Conn
	peer net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.peer }
