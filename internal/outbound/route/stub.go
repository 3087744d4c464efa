package route

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxChain       = 8    // CNAMEs from a name to its records
	stubPayload    = 1232 // octets by UDP (RFC 6891 6.2.5 leaves the choice; larger ones are fragmented)
	stubTries      = 2    // of each server
	stubTimeout    = 5 * time.Second
	typeTLSA       = dnsmessage.Type(52) // RFC 6698 7.1
	maxUDPMessage  = 4096                // octets read; above stubPayload nobody should send
	maxStubRecords = 256                 // of one answer
)

var (
	errChain = errors.New("a chain of CNAMEs without end")
	errLies  = errors.New("the answer does not belong to the question")
)

// Stub asks recursive servers itself: it knows TTLs, tells NXDOMAIN from no
// records, follows CNAMEs that the server has not, and gives TLSA records. Its
// fields must not change once it is used.
type Stub struct {
	Servers []string // host:port, asked in order
	// Validates says that the servers validate DNSSEC and the way to them is
	// ours (loopback): their AD bit is believed (RFC 6840 5.7).
	Validates bool
	Timeout   time.Duration // for each try; 5 seconds
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	ID        func() uint16 // of a question; random
}

// MX implements DNS.
func (s *Stub) MX(ctx context.Context, name string) (Answer[MX], error) {
	return ask(ctx, s, name, dnsmessage.TypeMX, func(b dnsmessage.ResourceBody) (MX, bool) {
		m, ok := b.(*dnsmessage.MXResource)
		if !ok {
			return MX{}, false
		}
		return MX{plainName(m.MX.String()), m.Pref}, true
	})
}

// Addrs implements DNS. One family is enough: an error of the other is not one.
func (s *Stub) Addrs(ctx context.Context, host string) (Answer[netip.Addr], error) {
	a, err := ask(ctx, s, host, dnsmessage.TypeA, func(b dnsmessage.ResourceBody) (netip.Addr, bool) {
		r, ok := b.(*dnsmessage.AResource)
		if !ok {
			return netip.Addr{}, false
		}
		return netip.AddrFrom4(r.A), true
	})
	if err == nil && a.NoName {
		return a, nil
	}
	six, err6 := ask(ctx, s, host, dnsmessage.TypeAAAA, func(b dnsmessage.ResourceBody) (netip.Addr, bool) {
		r, ok := b.(*dnsmessage.AAAAResource)
		if !ok {
			return netip.Addr{}, false
		}
		return netip.AddrFrom16(r.AAAA).Unmap(), true
	})
	switch {
	case err == nil && err6 == nil:
		six.Records = append(a.Records, six.Records...)
		six.TTL = lesser(a.TTL, six.TTL)
		six.Secure = six.Secure && a.Secure
		return six, nil
	case err == nil && len(a.Records) > 0:
		a.Secure = false
		return a, nil
	case err6 == nil && len(six.Records) > 0:
		six.Secure = false
		return six, nil
	}
	return Answer[netip.Addr]{}, errors.Join(err, err6)
}

// TXT implements DNS.
func (s *Stub) TXT(ctx context.Context, name string) (Answer[string], error) {
	return ask(ctx, s, name, dnsmessage.TypeTXT, func(b dnsmessage.ResourceBody) (string, bool) {
		r, ok := b.(*dnsmessage.TXTResource)
		if !ok {
			return "", false
		}
		return strings.Join(r.TXT, ""), true
	})
}

// TLSA implements Validating.
func (s *Stub) TLSA(ctx context.Context, name string) (Answer[TLSA], error) {
	return ask(ctx, s, name, typeTLSA, func(b dnsmessage.ResourceBody) (TLSA, bool) {
		r, ok := b.(*dnsmessage.UnknownResource)
		if !ok || len(r.Data) < 4 {
			return TLSA{}, false
		}
		return TLSA{Usage: r.Data[0], Selector: r.Data[1], Matching: r.Data[2], Data: r.Data[3:]}, true
	})
}

// ask asks for the records of one type, following CNAMEs.
func ask[T any](ctx context.Context, s *Stub, name string, t dnsmessage.Type, read func(dnsmessage.ResourceBody) (T, bool)) (a Answer[T], err error) {
	a.Secure = s.Validates
	at := plainName(name)
	for range maxChain {
		m, err := s.exchange(ctx, at, t)
		if err != nil {
			return Answer[T]{}, err
		}
		a.Secure = a.Secure && m.AuthenticData
		if m.RCode == dnsmessage.RCodeNameError {
			a.NoName = true
			return a, nil
		}
		end, ttl, ok := target(m, at)
		if !ok {
			return Answer[T]{}, errChain
		}
		a.TTL = lesser(a.TTL, ttl)
		for _, r := range m.Answers {
			if r.Header.Type != t || plainName(r.Header.Name.String()) != end {
				continue
			}
			if v, ok := read(r.Body); ok {
				a.Records = append(a.Records, v)
				a.TTL = lesser(a.TTL, time.Duration(r.Header.TTL)*time.Second)
			}
		}
		if end == at || len(a.Records) > 0 {
			return a, nil
		}
		at = end
	}
	return Answer[T]{}, errChain
}

// target follows the CNAMEs of an answer.
func target(m *dnsmessage.Message, at string) (end string, ttl time.Duration, ok bool) {
	for range maxChain {
		next := ""
		for _, r := range m.Answers {
			if c, is := r.Body.(*dnsmessage.CNAMEResource); is && plainName(r.Header.Name.String()) == at {
				next = plainName(c.CNAME.String())
				ttl = lesser(ttl, time.Duration(r.Header.TTL)*time.Second)
			}
		}
		if next == "" {
			return at, ttl, true
		}
		at = next
	}
	return "", 0, false
}

// lesser is the smaller of two TTLs; 0 is none.
func lesser(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// exchange asks the servers in turn. An answer is NOERROR or NXDOMAIN.
func (s *Stub) exchange(ctx context.Context, name string, t dnsmessage.Type) (*dnsmessage.Message, error) {
	n, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w", name, err)
	}
	last := errors.New("no name servers are given")
	for range stubTries {
		for _, server := range s.Servers {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			m, err := s.one(ctx, server, dnsmessage.Question{Name: n, Type: t, Class: dnsmessage.ClassINET})
			switch {
			case err != nil:
				last = err
			case m.RCode == dnsmessage.RCodeSuccess || m.RCode == dnsmessage.RCodeNameError:
				return m, nil
			default:
				last = fmt.Errorf("%s of %s: the name server says %s", t, name, m.RCode)
			}
		}
	}
	return nil, last
}

// one asks one server by UDP, and by TCP when the answer is too long for that.
func (s *Stub) one(ctx context.Context, server string, q dnsmessage.Question) (*dnsmessage.Message, error) {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = stubTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		m, err := s.talk(ctx, network, server, q)
		if err != nil || !m.Truncated {
			return m, err
		}
	}
	return nil, fmt.Errorf("%s: the answer is cut by TCP too", server)
}

func (s *Stub) talk(ctx context.Context, network, server string, q dnsmessage.Question) (*dnsmessage.Message, error) {
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	id := uint16(rand.Uint32())
	if s.ID != nil {
		id = s.ID()
	}
	b, err := question(id, q)
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	if network == "tcp" {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return nil, err
		}
		b = make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return nil, err
		}
		return parse(b, id, q)
	}
	room := datagrams.Get().(*[maxUDPMessage]byte)
	defer datagrams.Put(room)
	b = room[:]
	for { // until the deadline closes c: strays are not the answer
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		if m, err := parse(b[:n], id, q); err == nil {
			return m, nil
		}
	}
}

// datagrams are for answers: hundreds of questions may be asked at once.
var datagrams = sync.Pool{New: func() any { return new([maxUDPMessage]byte) }}

func question(id uint16, q dnsmessage.Question) ([]byte, error) {
	var opt dnsmessage.ResourceHeader
	if err := opt.SetEDNS0(stubPayload, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: id, RecursionDesired: true, AuthenticData: true},
		Questions:   []dnsmessage.Question{q},
		Additionals: []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{}}},
	}
	return m.Pack()
}

// parse reads header, question and answers; the rest is not looked at.
func parse(b []byte, id uint16, q dnsmessage.Question) (*dnsmessage.Message, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return nil, err
	}
	if h.ID != id || !h.Response {
		return nil, errLies
	}
	asked, err := p.Question()
	if err != nil || asked.Type != q.Type || asked.Class != q.Class || !strings.EqualFold(asked.Name.String(), q.Name.String()) {
		return nil, errLies
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, err
	}
	m := &dnsmessage.Message{Header: h}
	for len(m.Answers) < maxStubRecords {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			if h.Truncated {
				break
			}
			return nil, err
		}
		m.Answers = append(m.Answers, r)
	}
	return m, nil
}
