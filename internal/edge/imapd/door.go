package imapd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
)

// door is a listener that counts connections and gives each its front.
type door struct {
	net.Listener
	srv      *Server
	implicit bool // TLS from the first octet
}

// Accept gives the next connection that is within the limits. Others are told
// why and closed; a client that waits for TLS could not read it.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		f, why := d.srv.admit(c, d.implicit)
		if f != nil {
			return f, nil
		}
		if !d.implicit {
			_ = c.SetWriteDeadline(time.Now().Add(d.srv.times.turnAway))
			_, _ = c.Write([]byte("* BYE [UNAVAILABLE] " + why + "\r\n"))
		}
		_ = c.Close()
	}
}

// admit counts c in, or says why not.
func (s *Server) admit(c net.Conn, implicit bool) (*front, string) {
	peer := peerOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return nil, "The server is shutting down"
	case len(s.fronts) >= s.opt.MaxConnections:
		return nil, "Too many connections, please try again later"
	case peer.IsValid() && s.perIP[peer] >= s.opt.MaxPerIP:
		return nil, "Too many connections from your address"
	}
	f := newFront(s, c, implicit)
	f.peer = peer
	s.fronts[f] = struct{}{}
	if peer.IsValid() {
		s.perIP[peer]++
	}
	s.served.Add(1)
	s.opt.Metrics.Connection("imap", 1)
	return f, ""
}

// leave counts a connection out whose goroutine is done.
func (s *Server) leave(f *front) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.fronts[f]; !ok {
		return
	}
	delete(s.fronts, f)
	delete(s.holders, f)
	if f.peer.IsValid() {
		if s.perIP[f.peer]--; s.perIP[f.peer] <= 0 {
			delete(s.perIP, f.peer)
		}
	}
	s.opt.Metrics.Connection("imap", -1)
	s.served.Done()
}

// peerOf is the network that counts as one client: the IPv4 address or the
// IPv6 /64. It is not valid for this machine's own connections.
func peerOf(c net.Conn) netip.Prefix {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// libraryLog takes what go-imap logs: mostly clients that went away.
type libraryLog struct{ log *slog.Logger }

// Printf is go-imap's way to log.
func (l libraryLog) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "panic") {
		l.log.Error("imap: defect in a command", "detail", text)
		return
	}
	l.log.Debug("imap: " + text)
}

// errEnd ends a connection quietly.
var errEnd = errors.New("imapd: the connection ends")
