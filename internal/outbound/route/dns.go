package route

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Answer is what DNS says of one name. An answer without records and without an
// error means that the name has none of that type.
type Answer[T any] struct {
	Records []T
	TTL     time.Duration // how long it holds; 0: not known
	NoName  bool          // the name does not exist at all (NXDOMAIN)
	Secure  bool          // validated by DNSSEC, said by a resolver that is trusted to know
}

// MX is a mail exchanger.
type MX struct {
	Host       string // lower case, without the final dot; empty: the null MX of RFC 7505
	Preference uint16 // lower is better
}

// DNS answers questions. Names are A-labels without a final dot; no search list
// is applied. An error means that nobody knows now: SERVFAIL, no answer.
type DNS interface {
	MX(ctx context.Context, name string) (Answer[MX], error)
	Addrs(ctx context.Context, host string) (Answer[netip.Addr], error)
	TXT(ctx context.Context, name string) (Answer[string], error)
}

// Validating is a DNS that can tell which answers DNSSEC validated, and gives
// TLSA records (RFC 6698). Without it there is no DANE.
type Validating interface {
	DNS
	TLSA(ctx context.Context, name string) (Answer[TLSA], error)
}

// System asks by Go's resolver, as /etc/resolv.conf and /etc/hosts say. It
// gives neither TTLs nor NoName nor Secure; CNAMEs are followed by the
// recursive server, within one answer.
type System struct {
	Resolver *net.Resolver // nil: net.DefaultResolver
}

func (s System) resolver() *net.Resolver {
	if s.Resolver == nil {
		return net.DefaultResolver
	}
	return s.Resolver
}

// MX implements DNS.
func (s System) MX(ctx context.Context, name string) (a Answer[MX], err error) {
	found, err := s.resolver().LookupMX(ctx, name+".")
	for _, m := range found { // may come beside an error about names of other records
		a.Records = append(a.Records, MX{plainName(m.Host), m.Pref})
	}
	if len(found) > 0 || absent(err) {
		err = nil
	}
	return a, err
}

// Addrs implements DNS.
func (s System) Addrs(ctx context.Context, host string) (a Answer[netip.Addr], err error) {
	found, err := s.resolver().LookupNetIP(ctx, "ip", host+".")
	for _, ip := range found {
		a.Records = append(a.Records, ip.Unmap())
	}
	if len(found) > 0 || absent(err) {
		err = nil
	}
	return a, err
}

// TXT implements DNS.
func (s System) TXT(ctx context.Context, name string) (a Answer[string], err error) {
	a.Records, err = s.resolver().LookupTXT(ctx, name+".")
	if absent(err) {
		err = nil
	}
	return a, err
}

// absent reports whether err says that there is no such name or record.
func absent(err error) bool {
	var de *net.DNSError
	return errors.As(err, &de) && de.IsNotFound
}

// plainName is a name of DNS in our form.
func plainName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }
