package route

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
)

const (
	maxTries     = 6 // addresses for one connection; RFC 5321 5.1 asks for at least two
	shunFor      = 5 * time.Minute
	maxShunned   = 10000
	tlsHandshake = 0x16 // first octet of a handshake record (RFC 8446 5.1)
)

// Connector opens connections to a site: its hosts in order until one takes
// letters. An error means that no host could be used: the site is down, and it is
// up to its Pace when to try again, once for all who wait.
func (r *Router) Connector(s *Site) queue.Connector {
	return func(ctx context.Context) (queue.Courier, error) {
		var why unreachable
		for _, w := range r.ways(s) {
			c, err := r.try(ctx, s, w)
			if err == nil {
				r.shunned.remove(w.addr)
				return c, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r.shunned.add(w.addr)
			why = append(why, fmt.Errorf("%s: %w", w.host.Name, err))
		}
		return nil, fmt.Errorf("no mail host of %s can be used: %w", s.Provider, why)
	}
}

// unreachable is what became of each address that was tried.
type unreachable []error

// Error implements error, in one line.
func (u unreachable) Error() string {
	var texts []string
	for _, err := range u {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the single errors.
func (u unreachable) Unwrap() []error { return u }

// way is one address of one host.
type way struct {
	host *Host
	addr netip.Addr
}

// ways gives the addresses to try: preferences in order, equals in random
// order (RFC 5321 5.1), what failed lately after everything else.
func (r *Router) ways(s *Site) []way {
	var good, bad []way
	for i := 0; i < len(s.Hosts); {
		n := i
		for n < len(s.Hosts) && s.Hosts[n].Preference == s.Hosts[i].Preference {
			n++
		}
		for _, k := range r.shuffle(n - i) {
			h := &s.Hosts[i+k]
			for _, a := range h.Addrs {
				if w := (way{h, a}); r.shunned.has(a) {
					bad = append(bad, w)
				} else {
					good = append(good, w)
				}
			}
		}
		i = n
	}
	all := append(good, bad...)
	return all[:min(len(all), maxTries)]
}

func (r *Router) shuffle(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := r.o.Random(i + 1)
		p[i], p[j] = p[j], i
	}
	return p
}

// session is what is learnt of one connection on the way to its courier.
type session struct {
	shook bool  // a TLS handshake was begun
	bad   error // the certificate is not what a policy under test wants
}

// watched tells whether TLS was begun.
type watched struct {
	net.Conn
	s *session
}

// Write implements net.Conn.
func (w watched) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == tlsHandshake && !w.s.shook {
		w.s.shook = true
	}
	return w.Conn.Write(b)
}

// try opens a connection to one address. Where nothing is demanded, TLS that
// fails is done without: it is no worse than a host that never offered it
// (RFC 7435 4).
func (r *Router) try(ctx context.Context, s *Site, w way) (queue.Courier, error) {
	var seen session
	mode := smtpout.TLSOpportunistic
	if s.required || w.host.dane {
		mode = smtpout.TLSRequired
	}
	c, err := r.open(ctx, s, w, mode, &seen)
	r.account(ctx, s, w, &seen, err)
	if err != nil && mode == smtpout.TLSOpportunistic && seen.shook && ctx.Err() == nil {
		r.o.Log.Info("TLS does not work with a host, letters go in clear", "host", w.host.Name, "addr", w.addr.String(), "err", err)
		return r.open(ctx, s, w, smtpout.TLSNone, &session{})
	}
	return c, err
}

func (r *Router) open(ctx context.Context, s *Site, w way, mode smtpout.TLSMode, seen *session) (queue.Courier, error) {
	cfg := r.o.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.ServerName = w.host.Name
	if strings.HasPrefix(cfg.ServerName, "[") {
		cfg.ServerName = w.addr.String()
	}
	switch {
	case len(w.host.tlsa) > 0:
		r.daneConfig(cfg, w.host)
	case s.required:
	default:
		// Of a host with none but unusable TLSA records any certificate will do, but
		// not none (RFC 7672 2.2).
		cfg.InsecureSkipVerify = cfg.InsecureSkipVerify || w.host.dane
		if s.testing() && mode != smtpout.TLSNone {
			cfg.VerifyConnection = r.tester(cfg, w.host.Name, seen)
		}
	}
	addr := net.JoinHostPort(w.addr.String(), r.o.Port)
	relay := &smtpout.Relay{Addr: addr, Hello: r.o.Hello, TLS: mode, TLSConfig: cfg, Timeouts: r.o.Timeouts,
		Window: r.o.Window, WindowBytes: r.o.WindowBytes, Known: &r.known,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c, err := r.o.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return watched{c, seen}, nil
		}}
	return relay.Connect(ctx)
}

// tester looks at certificates as a policy under test wants, and lets them all
// pass (RFC 8461 5).
func (r *Router) tester(cfg *tls.Config, host string, seen *session) func(tls.ConnectionState) error {
	roots := cfg.RootCAs
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return nil
		}
		others := x509.NewCertPool()
		for _, c := range s.PeerCertificates[1:] {
			others.AddCert(c)
		}
		_, seen.bad = s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, DNSName: host, CurrentTime: r.o.Now()})
		return nil
	}
}

// account counts what became of TLS, for every domain that shares the connection. One
// that failed for other reasons says nothing about it.
func (r *Router) account(ctx context.Context, s *Site, w way, seen *session, err error) {
	if r.o.Reports == nil || s.anyway || ctx.Err() != nil || err != nil && !seen.shook && !noSTARTTLS(err) {
		return
	}
	for _, of := range r.sharing.of(s) {
		r.count(of, &w, of.outcome(w.host.Name, seen, err), w.host.Name)
	}
}

// outcome is what a connection to a host says about TLS, by the policy of the site's
// domain.
func (s *Site) outcome(host string, seen *session, err error) string {
	switch {
	case err != nil:
		return resultOf(err)
	case !seen.shook:
		return resultNoTLS
	case s.testing() && !s.policy.Allows(host):
		return resultMX
	case seen.bad != nil:
		return resultOf(seen.bad)
	}
	return ""
}

func (r *Router) count(s *Site, w *way, result, host string) {
	if r.o.Reports == nil {
		return
	}
	t := TLSSession{Day: day(r.o.Now()), Domain: s.Domain, Policy: PolicyNone, MXHost: host, Result: result}
	switch {
	case w != nil && len(w.host.tlsa) > 0:
		t.Policy = PolicyTLSA
	case s.policy != nil && s.policy.Mode != ModeNone:
		t.Policy = PolicySTS
	case w != nil && w.host.dane:
		t.Policy = PolicyTLSA
	}
	if w != nil && result != "" {
		t.IP = w.addr.String()
	}
	r.o.Reports.Count(t)
}

// noSTARTTLS reports whether TLS was demanded and not offered. The courier says
// so in words only.
func noSTARTTLS(err error) bool { return strings.Contains(err.Error(), "offers no STARTTLS") }

// resultOf gives the result type of RFC 8460 4.3.2.
func resultOf(err error) string {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case noSTARTTLS(err):
		return resultNoTLS
	case errors.As(err, &name):
		return resultHost
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return resultExpired
	case errors.As(err, &invalid), errors.As(err, &unknown):
		return resultUnknown
	}
	return resultOther
}

// shunned remembers addresses that failed lately.
type shunned struct {
	now func() time.Time
	mu  sync.Mutex
	bad map[netip.Addr]time.Time
}

func newShunned(now func() time.Time) *shunned {
	return &shunned{now: now, bad: map[netip.Addr]time.Time{}}
}

func (s *shunned) add(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) >= maxShunned {
		clear(s.bad) // it only spares time
	}
	s.bad[a] = s.now().Add(shunFor)
}

func (s *shunned) remove(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bad, a)
}

func (s *shunned) has(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, bad := s.bad[a]
	return bad && s.now().Before(until)
}
