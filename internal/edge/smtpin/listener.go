package smtpin

import (
	"crypto/tls"
	"net"
	"net/netip"
)

// listener gives go-smtp connections that are within the limits; the others
// are told 421 and closed (RFC 5321 3.8), which go-smtp has no limits for.
type listener struct {
	net.Listener
	srv *Server
	tls bool
}

// Accept waits for the next connection that may come in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := raw
		if l.tls {
			conn = tls.Server(raw, l.srv.opt.TLSConfig)
		}
		if w := l.srv.admit(raw, conn); w != nil {
			return w, nil
		}
		if !l.tls { // inside TLS nothing can be said without a handshake
			raw.SetWriteDeadline(l.srv.opt.Now().Add(turnAwayTimeout))
			raw.Write([]byte("421 4.7.0 " + l.srv.opt.Hostname + " has too many connections, please try again later\r\n"))
		}
		raw.Close()
	}
}

// admit counts a connection in, or gives nil.
func (s *Server) admit(raw, conn net.Conn) *wire {
	w := newWire(s, raw, conn)
	key := countKey(w.peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() || len(s.wires) >= s.opt.MaxConnections || key != "" && s.perIP[key] >= s.opt.MaxPerIP {
		s.counts.turnedAway.Add(1)
		w.cancel()
		s.log.Debug("connection turned away", "door", s.protocol(), "peer", w.peer)
		return nil
	}
	s.counts.connections.Add(1)
	s.wires[w] = struct{}{}
	if key != "" {
		s.perIP[key]++
	}
	return w
}

// forget counts a connection out.
func (s *Server) forget(w *wire) {
	key := countKey(w.peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.wires[w]; !in {
		return
	}
	delete(s.wires, w)
	if key == "" {
		return
	}
	if s.perIP[key]--; s.perIP[key] <= 0 {
		delete(s.perIP, key)
	}
}

// countKey is what counts as one client: an IPv4 address, or the /64 that one
// IPv6 customer has to himself. Unix sockets have none.
func countKey(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
