// Package dns is a name server for tests, on loopback by UDP and TCP. It
// answers from records that the test sets, and can fail in the ways that
// matter: no such name, SERVFAIL, silence, answers too long for UDP. It counts
// questions, so that a test can say what was asked only once.
//
// It answers like a recursive resolver: CNAMEs are followed within the answer.
// It knows no zones, no wildcards and no DNSSEC but the bit that says an answer
// was validated.
package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxUDP   = 1232 // octets of an answer by UDP, unless SmallUDP is set
	smallUDP = 512
	maxChain = 16
	ttl      = 60 // seconds, of every record
	typeTLSA = dnsmessage.Type(52)
)

// Server answers questions; make it with Start.
type Server struct {
	udp net.PacketConn
	tcp net.Listener
	wg  sync.WaitGroup

	mu     sync.Mutex
	names  map[string]*name
	asked  map[string]int
	small  bool
	closed bool
	conns  map[net.Conn]struct{}
}

// name is what is known of one name.
type name struct {
	records []dnsmessage.Resource
	rcode   dnsmessage.RCode
	silent  bool
	secure  bool
}

// Start listens on a free port of 127.0.0.1.
func Start() (*Server, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	s := &Server{udp: udp, tcp: tcp, names: map[string]*name{}, asked: map[string]int{}, conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.serveUDP)
	s.wg.Go(s.serveTCP)
	return s, nil
}

// Addr is host:port, the same for UDP and TCP.
func (s *Server) Addr() string { return s.tcp.Addr().String() }

// Close ends the server.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	err := errors.Join(s.udp.Close(), s.tcp.Close())
	s.wg.Wait()
	return err
}

// Resolver is Go's own resolver, asking this server only.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, s.Addr())
	}}
}

// MX adds a record; host "." is the null MX.
func (s *Server) MX(domain string, preference uint16, host string) {
	s.add(domain, &dnsmessage.MXResource{Pref: preference, MX: dnsmessage.MustNewName(rooted(host))}, dnsmessage.TypeMX)
}

// Host adds an A or AAAA record for each address.
func (s *Server) Host(host string, addrs ...string) {
	for _, text := range addrs {
		a := netip.MustParseAddr(text)
		if a.Is4() {
			s.add(host, &dnsmessage.AResource{A: a.As4()}, dnsmessage.TypeA)
		} else {
			s.add(host, &dnsmessage.AAAAResource{AAAA: a.As16()}, dnsmessage.TypeAAAA)
		}
	}
}

// TXT adds a record; a long text is cut into strings.
func (s *Server) TXT(at, text string) {
	r := &dnsmessage.TXTResource{}
	for len(text) > 255 {
		r.TXT, text = append(r.TXT, text[:255]), text[255:]
	}
	r.TXT = append(r.TXT, text)
	s.add(at, r, dnsmessage.TypeTXT)
}

// CNAME adds a record.
func (s *Server) CNAME(at, target string) {
	s.add(at, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(rooted(target))}, dnsmessage.TypeCNAME)
}

// TLSA adds a record; data is usage, selector, matching type and association.
func (s *Server) TLSA(at string, data []byte) {
	s.add(at, &dnsmessage.UnknownResource{Type: typeTLSA, Data: data}, typeTLSA)
}

// Fail answers every question about a name with a code, e.g.
// dnsmessage.RCodeServerFailure; RCodeSuccess ends that.
func (s *Server) Fail(at string, code dnsmessage.RCode) {
	s.change(at, func(n *name) { n.rcode = code })
}

// Silent leaves every question about a name without an answer.
func (s *Server) Silent(at string) { s.change(at, func(n *name) { n.silent = true }) }

// Secure marks the answers about a name as validated.
func (s *Server) Secure(names ...string) {
	for _, at := range names {
		s.change(at, func(n *name) { n.secure = true })
	}
}

// SmallUDP cuts answers by UDP at 512 octets.
func (s *Server) SmallUDP() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.small = true
}

// Forget removes all that is known of a name: it does not exist.
func (s *Server) Forget(at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, key(at))
}

// Asked is how often a type was asked of a name, by UDP or TCP.
func (s *Server) Asked(at string, t dnsmessage.Type) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[key(at)+" "+t.String()]
}

// Questions is how many questions were asked in all, and how often the one that
// was asked most.
func (s *Server) Questions() (all, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.asked {
		all += n
		most = max(most, n)
	}
	return all, most
}

func rooted(s string) string { return strings.TrimSuffix(s, ".") + "." }

func key(s string) string { return strings.ToLower(rooted(s)) }

func (s *Server) change(at string, f func(*name)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.names[key(at)]
	if n == nil {
		n = &name{}
		s.names[key(at)] = n
	}
	f(n)
}

func (s *Server) add(at string, body dnsmessage.ResourceBody, t dnsmessage.Type) {
	h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(rooted(at)), Type: t, Class: dnsmessage.ClassINET, TTL: ttl}
	s.change(at, func(n *name) { n.records = append(n.records, dnsmessage.Resource{Header: h, Body: body}) })
}

func (s *Server) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		limit := maxUDP
		if s.small {
			limit = smallUDP
		}
		s.mu.Unlock()
		if out := s.answer(buf[:n], limit); out != nil {
			_, _ = s.udp.WriteTo(out, from)
		}
	}
}

func (s *Server) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			continue
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serveConn(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

func (s *Server) serveConn(c net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		out := s.answer(question, 65535)
		if out == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// answer makes the answer to one question; nil is silence.
func (s *Server) answer(question []byte, limit int) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(question)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[key(q.Name.String())+" "+q.Type.String()]++
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: h.ID, Response: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q}}
	if silent := s.fill(&m, q); silent {
		return nil
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	if len(out) > limit {
		m.Truncated, m.Answers = true, nil
		out, _ = m.Pack()
	}
	return out
}

// fill looks the answer up, following CNAMEs.
func (s *Server) fill(m *dnsmessage.Message, q dnsmessage.Question) (silent bool) {
	at := key(q.Name.String())
	m.AuthenticData = true
	for range maxChain {
		n := s.names[at]
		if n == nil {
			m.RCode, m.AuthenticData = dnsmessage.RCodeNameError, false
			return false
		}
		if n.silent {
			return true
		}
		m.AuthenticData = m.AuthenticData && n.secure
		if n.rcode != dnsmessage.RCodeSuccess {
			m.RCode = n.rcode
			return false
		}
		next := ""
		for _, r := range n.records {
			if r.Header.Type == q.Type {
				m.Answers = append(m.Answers, r)
			} else if c, ok := r.Body.(*dnsmessage.CNAMEResource); ok {
				m.Answers = append(m.Answers, r)
				next = key(c.CNAME.String())
			}
		}
		if next == "" {
			return false
		}
		at = next
	}
	return false
}
