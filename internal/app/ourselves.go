package app

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"plenary/internal/fault"
)

const lookupTimeout = 3 * time.Second

// checkRelays refuses a relay that is one of our own doors: it would take no
// copy, or take it for a post.
func (a *App) checkRelays() error {
	return a.ourselves().check(a.doors(), a.relays())
}

// relays are the host:port that copies are handed to.
func (a *App) relays() []string {
	if a.Config.Outbound.Mode != "relay" {
		return nil
	}
	list, _ := a.Config.Outbound.Relays() // checked by config
	var out []string
	for _, r := range list {
		out = append(out, r.Addr)
	}
	return out
}

// ourselves tells addresses of this machine.
type ourselves struct {
	names  []string     // that mean this machine
	addrs  []netip.Addr // of its network interfaces
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

func (a *App) ourselves() *ourselves {
	o := &ourselves{names: []string{a.Config.Hostname}, lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
	if host, err := os.Hostname(); err == nil {
		o.names = append(o.names, host)
	}
	all, _ := net.InterfaceAddrs() // none known: the loopback forms are still told
	for _, at := range all {
		if p, err := netip.ParsePrefix(at.String()); err == nil {
			o.addrs = append(o.addrs, p.Addr().Unmap())
		}
	}
	return o
}

// check names the first relay that is a door.
func (o *ourselves) check(doors []door, relays []string) error {
	for _, relay := range relays {
		host, port, err := net.SplitHostPort(relay)
		if err != nil {
			continue // told by config
		}
		var to []netip.Addr // looked up only for a port of ours
		known := false
		for _, d := range doors {
			listens, at, err := net.SplitHostPort(d.addr)
			if err != nil || number(at) != number(port) || number(port) == 0 {
				continue // off, a unix socket, or another port
			}
			if !known {
				to, known = o.find(host), true
			}
			if o.reaches(host, to, listens) {
				return fault.New(fault.Invalid, "outbound.relay %s is Plenary's own %s (%s), which would refuse the copies; set outbound.relay to your mail server, or %s to another port",
					relay, d.name, d.addr, d.name)
			}
		}
	}
	return nil
}

// mailHost gives the names and addresses under which a mail host that listens on
// this port is our own SMTP door; none where the port is another program's.
func (o *ourselves) mailHost(listen, port string) (names []string, addrs []netip.Addr) {
	host, at, err := net.SplitHostPort(listen)
	if err != nil || number(at) == 0 || number(at) != number(port) {
		return nil, nil
	}
	for _, a := range append(o.find(host), o.addrs...) {
		if !a.IsUnspecified() && !slices.Contains(addrs, a) && o.reaches("", []netip.Addr{a}, host) {
			addrs = append(addrs, a)
		}
	}
	for _, n := range o.names {
		names = append(names, plainName(n))
	}
	return names, addrs
}

// isLocal reports whether our SMTP door takes mail for a domain. While the
// database does not tell, it does: then the door refuses what it does not take.
func (a *App) isLocal(ctx context.Context, domain string) bool {
	all, err := a.Store.Domains(ctx)
	return err != nil || domain == plainName(a.Config.Hostname) || slices.Contains(all, domain)
}

// number is a port as a number; 0 when it is none, or any.
func number(port string) int {
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return 0
	}
	return n
}

// find gives the addresses of a host; none when nobody knows them.
func (o *ourselves) find(host string) []netip.Addr {
	if at, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{at.WithZone("").Unmap()}
	}
	name := plainName(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 6.3
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, _ := o.lookup(ctx, host)
	for i := range found {
		found[i] = found[i].WithZone("").Unmap()
	}
	return found
}

// reaches tells whether a connection to the host, which has these addresses,
// comes out at a door that listens on listens.
func (o *ourselves) reaches(host string, to []netip.Addr, listens string) bool {
	doors := o.find(listens)
	every := listens == "" // all addresses of this machine
	four := false          // those of IPv4
	for _, d := range doors {
		every = every || d == netip.IPv6Unspecified() // Go listens for IPv4 there too
		four = four || d == netip.IPv4Unspecified()
	}
	for _, at := range to {
		switch {
		case (every || four && at.Is4()) && o.local(at):
			return true
		case at.IsUnspecified(): // a connection to 0.0.0.0 goes to the loopback address
			for _, d := range doors {
				if d.IsLoopback() && d.Is4() == at.Is4() {
					return true
				}
			}
		}
		for _, d := range doors {
			if d == at {
				return true
			}
		}
	}
	if (every || four) && len(to) == 0 { // our own name, and no resolver knows it
		for _, n := range o.names {
			if plainName(n) == plainName(host) {
				return true
			}
		}
	}
	return false
}

// local tells an address of this machine.
func (o *ourselves) local(at netip.Addr) bool {
	for _, own := range o.addrs {
		if own == at {
			return true
		}
	}
	return at.IsLoopback() || at.IsUnspecified()
}

func plainName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
