package route

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"plenary/internal/outbound/queue"
)

// Limits of looking up, and how long answers hold.
const (
	maxDomains   = 20000 // destinations remembered, some 350 octets each
	maxHostsKept = 20000 // hosts remembered
	maxHosts     = 16    // of a domain, the best; RFC 5321 5.1 asks for at least two
	maxAddrs     = 8     // of a host and family
	lookAtOnce   = 4     // hosts of a domain looked up at the same time
	maxName      = 253   // octets of a domain as A-labels (RFC 1035 2.3.4)
	maxLabel     = 63    // of one label

	lookTimeout  = 30 * time.Second // of all questions about a domain or a host
	holdUnknown  = 5 * time.Minute  // DNS did not say how long
	holdLeast    = time.Minute
	holdMost     = time.Hour
	holdFinal    = 10 * time.Minute // there is no such domain
	holdTrouble  = time.Minute      // nobody knew
	literalMatch = "IPv6:"          // RFC 5321 4.1.3
)

// destination is where the mail of a domain goes, or why nowhere.
type destination struct {
	site *Site
	fail *queue.Result // nil with a site
}

// located is what is known of a host's addresses.
type located struct {
	Answer[netip.Addr]
	err error
}

// Find gives the site for a recipient's domain. Without one it gives the
// outcome of every letter for that domain: Permanent when there is no such
// domain (NoHost) or it takes no mail, Temporary when that cannot be told now, Unsent
// when ctx has ended.
//
// anyway leaves out what policies demand of the connection, and TLS is not
// counted: so go reports on TLS, which must arrive where TLS fails (RFC 8460 3).
func (r *Router) Find(ctx context.Context, domain string, anyway bool) (*Site, queue.Result) {
	name := plainName(domain)
	if !strings.HasPrefix(name, "[") {
		ascii, ok := inASCII(name)
		if !ok {
			return nil, permanent(553, "5.1.2 %.100q is not the name of a domain", domain)
		}
		name = ascii
	}
	key := name
	if anyway {
		key += " anyway"
	}
	d, err := r.domains.get(ctx, key, func(ctx context.Context) (destination, time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		return r.look(ctx, name, anyway)
	})
	if err != nil {
		return nil, queue.Result{Reply: err.Error()}
	}
	if d.site == nil {
		return nil, *d.fail
	}
	if r.o.Reports != nil && !anyway {
		r.sharing.note(d.site)
	}
	return d.site, queue.Result{}
}

// inASCII gives a name in A-labels. One in ASCII that has none is what it is (RFC
// 5890 2.3.1): IDNA would refuse ab--cd.example for its hyphens.
func inASCII(name string) (string, bool) {
	if !strings.Contains(name, "xn--") && !strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		return name, hostName(name)
	}
	ascii, err := idna.Lookup.ToASCII(name)
	return ascii, err == nil && ascii != "" && len(ascii) <= maxName
}

// hostName reports whether a name consists of letters, digits and hyphens that stand
// between others (RFC 5321 2.3.5, RFC 1123 2.1).
func hostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return notAlnum(r) && r != '-' }) {
			return false
		}
	}
	return len(name) <= maxName
}

func permanent(code int, format string, args ...any) queue.Result {
	return queue.Result{State: queue.Permanent, Code: code, Reply: fmt.Sprintf(format, args...)}
}

// noHost is permanent, but for names that DNS does not know now.
func noHost(status, format string, args ...any) queue.Result {
	res := permanent(550, status+" "+format, args...)
	res.NoHost = true
	return res
}

func temporary(format string, args ...any) queue.Result {
	return queue.Result{State: queue.Temporary, Code: 451, Reply: fmt.Sprintf(format, args...)}
}

// failed is a destination that is none.
func failed(res queue.Result) (destination, time.Duration) {
	if res.State == queue.Temporary || res.NoHost {
		return destination{fail: &res}, holdTrouble
	}
	return destination{fail: &res}, holdFinal
}

// look asks DNS about a domain.
func (r *Router) look(ctx context.Context, domain string, anyway bool) (destination, time.Duration) {
	if strings.HasPrefix(domain, "[") {
		return r.literal(domain)
	}
	mx, err := r.o.DNS.MX(ctx, domain)
	switch {
	case err != nil:
		return failed(temporary("4.4.3 the mail hosts of %s cannot be looked up now: %v", domain, err))
	case mx.NoName:
		return failed(noHost("5.1.2", "there is no domain %s", domain))
	case len(mx.Records) == 1 && mx.Records[0].Host == "":
		return failed(permanent(556, "5.1.10 %s takes no mail (null MX)", domain)) // RFC 7505 4.1
	}
	site := &Site{Domain: domain, anyway: anyway}
	for _, m := range mx.Records {
		// A "." beside others is not a null MX (RFC 7505 3), and no host either.
		if m.Host != "" && !slices.ContainsFunc(site.Hosts, func(h Host) bool { return h.Name == m.Host }) {
			site.Hosts = append(site.Hosts, Host{Name: m.Host, Preference: m.Preference})
		}
	}
	implicit := len(mx.Records) == 0 // RFC 5321 5.1: then the domain is its own host
	if implicit {
		site.Hosts = []Host{{Name: domain}}
	}
	slices.SortStableFunc(site.Hosts, func(a, b Host) int { return int(a.Preference) - int(b.Preference) })
	site.Hosts = site.Hosts[:min(len(site.Hosts), maxHosts)]
	found := r.locate(ctx, site.Hosts)
	return r.choose(ctx, site, mx, found, implicit)
}

// locate looks up the addresses of hosts, a few at a time.
func (r *Router) locate(ctx context.Context, hosts []Host) []located {
	found := make([]located, len(hosts))
	if len(hosts) == 1 {
		found[0] = r.host(ctx, hosts[0].Name)
		return found
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookAtOnce)
	for i := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			found[i] = r.host(ctx, hosts[i].Name)
		})
	}
	wg.Wait()
	return found
}

// host looks up the addresses of one.
func (r *Router) host(ctx context.Context, name string) located {
	l, err := r.hosts.get(ctx, name, func(ctx context.Context) (located, time.Duration) {
		a, err := r.o.DNS.Addrs(ctx, name)
		if err != nil {
			return located{err: err}, holdTrouble
		}
		if len(a.Records) == 0 {
			return located{Answer: a}, holdTrouble
		}
		return located{Answer: a}, hold(a.TTL)
	})
	if err != nil {
		l.err = err
	}
	return l
}

// hold keeps a TTL within bounds.
func hold(ttl time.Duration) time.Duration {
	if ttl == 0 {
		return holdUnknown
	}
	return min(max(ttl, holdLeast), holdMost)
}

// choose keeps the hosts that can be used, and applies policies.
func (r *Router) choose(ctx context.Context, site *Site, mx Answer[MX], found []located, implicit bool) (destination, time.Duration) {
	var trouble error
	nameless := false // a host has no address at all
	ttl := mx.TTL
	hosts := site.Hosts
	site.Hosts = nil
	for i, h := range hosts {
		if r.ours(h.Name, found[i].Records) && !r.local(ctx, site.Domain) {
			// RFC 5321 5.1: we are on the list; better hosts may be tried, these
			// would send it back.
			site.Hosts = slices.DeleteFunc(site.Hosts, func(k Host) bool { return k.Preference >= h.Preference })
			if len(site.Hosts) == 0 && trouble == nil {
				return failed(permanent(554, "5.4.6 mail for %s would come back to this server", site.Domain))
			}
			break
		}
		if found[i].err != nil {
			trouble = found[i].err
			continue
		}
		ttl = lesser(ttl, found[i].TTL)
		nameless = nameless || len(found[i].Records) == 0
		if h.Addrs = r.usable(found[i].Records); len(h.Addrs) == 0 {
			continue
		}
		if mx.Secure && found[i].Secure && !site.anyway {
			holds, err := r.dane(ctx, &h)
			if err != nil {
				// What was promised to be protected waits (RFC 7672 2.1.2).
				trouble = err
				continue
			}
			ttl = lesser(ttl, holds)
		}
		site.Hosts = append(site.Hosts, h)
	}
	switch {
	case len(site.Hosts) > 0:
	case trouble != nil:
		return failed(temporary("4.4.3 the mail hosts of %s cannot be looked up now: %v", site.Domain, trouble))
	case implicit:
		return failed(noHost("5.1.2", "%s has no mail host that can be reached", site.Domain))
	case nameless:
		return failed(noHost("5.4.4", "none of the mail hosts of %s has an address that can be used", site.Domain))
	default:
		return failed(permanent(550, "5.4.4 none of the mail hosts of %s has an address that can be used", site.Domain))
	}
	if fail := r.sts(ctx, site); fail != nil {
		return failed(*fail)
	}
	site.finish(r.o.Table)
	if trouble != nil { // the best host may be missing
		return destination{site: site}, holdTrouble
	}
	return destination{site: site}, hold(ttl)
}

// sts applies the MTA-STS policy of the domain. DANE comes first: a host with TLSA
// records stands by those (RFC 8461 2), if any can be used: others prove nothing
// (RFC 7672 2.2).
func (r *Router) sts(ctx context.Context, site *Site) *queue.Result {
	if r.o.STS == nil || site.anyway {
		return nil
	}
	site.policy = r.o.STS.Find(ctx, site.Domain)
	if site.policy == nil || site.policy.Mode != ModeEnforce {
		return nil
	}
	allowed := slices.DeleteFunc(slices.Clone(site.Hosts), func(h Host) bool { return len(h.tlsa) == 0 && !site.policy.Allows(h.Name) })
	if len(allowed) == 0 {
		r.count(site, nil, resultMX, site.Hosts[0].Name)
		res := temporary("4.7.5 the MTA-STS policy of %s names none of its mail hosts", site.Domain)
		return &res
	}
	site.Hosts, site.required = allowed, true
	return nil
}

// literal gives the site of [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 4.1.3).
func (r *Router) literal(domain string) (destination, time.Duration) {
	text := strings.TrimSuffix(strings.TrimPrefix(domain, "["), "]")
	six := len(text) > len(literalMatch) && strings.EqualFold(text[:len(literalMatch)], literalMatch)
	if six {
		text = text[len(literalMatch):]
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !strings.HasSuffix(domain, "]") || a.Zone() != "" || six != a.Is6() {
		return failed(permanent(553, "5.1.2 %.60q is not an address literal", domain))
	}
	if r.ours("", []netip.Addr{a.Unmap()}) {
		return failed(permanent(554, "5.4.6 mail for %s would come back to this server", domain))
	}
	ok := r.usable([]netip.Addr{a.Unmap()})
	if len(ok) == 0 {
		return failed(permanent(550, "5.4.4 %s is not an address that can be used", domain))
	}
	site := &Site{Domain: domain, Hosts: []Host{{Name: domain, Addrs: ok}}}
	site.finish(r.o.Table)
	return destination{site: site}, holdMost
}

// local reports whether we take the mail of a domain ourselves.
func (r *Router) local(ctx context.Context, domain string) bool {
	return r.o.Local != nil && r.o.Local(ctx, domain)
}

// ours reports whether a host is this one.
func (r *Router) ours(name string, addrs []netip.Addr) bool {
	return slices.Contains(r.o.Names, name) ||
		slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(r.o.Own, a) })
}

// usable keeps the addresses that may be used, the preferred family first, each
// at most maxAddrs.
func (r *Router) usable(addrs []netip.Addr) []netip.Addr {
	var four, six []netip.Addr
	for _, a := range addrs {
		switch {
		case !r.o.AllowPrivate && !Public(a):
		case a.Is4() && !r.o.NoIPv4 && len(four) < maxAddrs:
			four = append(four, a)
		case a.Is6() && !r.o.NoIPv6 && len(six) < maxAddrs:
			six = append(six, a)
		}
	}
	if r.o.PreferIPv6 {
		return append(six, four...)
	}
	return append(four, six...)
}

// notPublic are the blocks that no mail host in public DNS has, beside those
// that netip knows (RFC 6890, RFC 6598, RFC 5737, RFC 3849, RFC 7526, RFC 6052).
var notPublic = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// Public reports whether an address can be a stranger's host: not loopback,
// private, link-local, multicast or kept for other purposes. A name that
// strangers control must not lead a connection to our own machines.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
