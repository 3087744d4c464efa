// Package route knows the direct way out: which hosts take the mail of a
// domain, how they are to be reached and protected, and how much they bear.
//
// Router.Find turns a recipient's domain into a Site: MX records in order, null
// MX, the domain's own address when it has no MX (RFC 5321 5.1, RFC 7505), and
// what MTA-STS or DANE demand of the connection. A Site's Key is the whole set
// of its hosts with their order and what is demanded: domains with the same Key
// can share connections, whatever their names. The set, not the registered
// domain of a host, because at many providers a customer's host refuses the
// mail of another customer, and such a refusal is final. Where that is known to
// be otherwise, a row of the table of providers says "share". What the sites of
// a provider always share is its Limits.
//
// Router.Connector opens connections to a site: hosts in order, equals in
// random order, addresses that failed lately last. A failed TLS handshake is
// tried again in clear only where nothing is demanded. A Pace says how many
// connections a site and its provider get: few at first, more while all is
// well, half after each sign of trouble, none while a site is down. It asks no
// clock of its own, so a simulation can run it through a day in no time.
//
// MTA-STS (RFC 8461) and DANE for SMTP (RFC 7672) are checked here; the policy
// file is fetched through an interface, because HTTP lives elsewhere. DANE needs
// a DNS that validates (Validating); Go's resolver does not tell. Not done: an
// MX host that is a CNAME is looked for under its own name only, though RFC 7672
// would look at the end of the chain first; and public keys of anchors that the
// server does not send. Such hosts are less protected, not unreachable. Outcomes of
// TLS are counted for TLS-RPT (RFC 8460) per policy domain and day, for every
// domain that shares the connection; the report itself is not written here.
//
// Everything foreign is bounded: hosts, addresses, chains, sizes, memory. What
// is remembered has an end and is asked for once, however many want to know.
package route

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"plenary/internal/fault"
	"plenary/internal/outbound/smtpout"
)

// Options are what a Router is made of. Table and Hello must be set; the rest
// has defaults.
type Options struct {
	Table *Table
	Hello string // our name in EHLO
	DNS   DNS    // System{}; with a Validating one DANE is used
	STS   *STS   // nil: MTA-STS is not looked at
	// Reports counts outcomes of TLS; nil: nobody does.
	Reports Reports
	Log     *slog.Logger
	Now     func() time.Time
	Random  func(n int) int // in [0,n)

	Port  string       // of MX hosts; 25
	Names []string     // our own host names, lower case: mail for them comes back to us
	Own   []netip.Addr // our own addresses, likewise
	// Local reports whether we take the mail of a domain ourselves: then a mail host
	// that is this one is right, and its door answers for who is not known there.
	// nil: of none.
	Local        func(ctx context.Context, domain string) bool
	AllowPrivate bool // loopback and private addresses may be used
	NoIPv4       bool
	NoIPv6       bool
	PreferIPv6   bool // of one host; many reputations are better with IPv4

	Timeouts            smtpout.Timeouts
	Window, WindowBytes int         // see smtpout.Relay
	TLSConfig           *tls.Config // roots and the like for required TLS; nil: the system's
	Dial                func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Router finds sites and connects to them; make it with New. It may be used by
// many goroutines.
type Router struct {
	o       Options
	domains *memo[destination]
	hosts   *memo[located]
	shunned *shunned
	sharing *sharing
	known   smtpout.Known // of hosts that offer CHUNKING and do not know it
}

// Tidy forgets answers that do not hold any more.
func (r *Router) Tidy() {
	r.domains.tidy()
	r.hosts.tidy()
	r.sharing.tidy()
}

// New makes a router.
func New(o Options) (*Router, error) {
	if o.Table == nil || o.Hello == "" {
		return nil, fault.New(fault.Invalid, "the direct way out needs a table of providers and our host name")
	}
	if o.NoIPv4 && o.NoIPv6 {
		return nil, fault.New(fault.Invalid, "neither IPv4 nor IPv6 may be used")
	}
	if o.DNS == nil {
		o.DNS = System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.IntN
	}
	if o.Port == "" {
		o.Port = "25"
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Router{o: o, domains: newMemo[destination](maxDomains, o.Now), hosts: newMemo[located](maxHostsKept, o.Now),
		shunned: newShunned(o.Now), sharing: newSharing(o.Now)}, nil
}
