package web

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// door is a listener that lets in so many connections at once. An address (of IPv6
// the /64 that is one customer's) may have as many as it leaves to others: alone half
// of all, enough for a proxy on another machine. This machine's own, such as a proxy
// here, are bounded in all only.
type door struct {
	net.Listener
	max int
	log *slog.Logger

	mu   sync.Mutex
	open int
	by   map[netip.Prefix]int
}

func newDoor(l net.Listener, limit int, log *slog.Logger) *door {
	return &door{Listener: l, max: limit, log: log, by: map[netip.Prefix]int{}}
}

// Accept waits for the next connection that may come in. Others are told 503.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := peerOf(c.RemoteAddr())
		if d.enter(peer) {
			return &visit{Conn: c, leave: sync.OnceFunc(func() { d.leave(peer) })}, nil
		}
		d.log.Debug("connection turned away", "door", "http", "peer", c.RemoteAddr())
		_ = c.SetWriteDeadline(time.Now().Add(turnAwayTimeout))
		_, _ = c.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		_ = c.Close()
	}
}

func (d *door) enter(peer netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.max - d.open - 1
	if left < 0 || peer.IsValid() && d.by[peer]+1 > left {
		return false
	}
	d.open++
	d.by[peer]++
	return true
}

func (d *door) leave(peer netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	if d.by[peer]--; d.by[peer] == 0 {
		delete(d.by, peer)
	}
}

// visit is a connection that was let in.
type visit struct {
	net.Conn
	leave func()
}

// Close ends the connection, and counts it out once.
func (v *visit) Close() error {
	v.leave()
	return v.Conn.Close()
}

// peerOf is what counts as one client; not valid for this machine's own connections.
func peerOf(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	ip := ap.Addr().Unmap().WithZone("")
	if err != nil || ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // of such an address it has no error
	return p
}
