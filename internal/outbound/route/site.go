package route

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Site is a set of hosts that take the same mail. It does not change once it
// is found; two with the same Key are interchangeable.
type Site struct {
	Key      string // identity, for maps; may be long
	Domain   string // one of the domains whose mail goes there
	Provider string // registered domain of its best hosts, for people and metrics
	Hosts    []Host // best first, equals by name
	Limits   *Limits

	required bool    // TLS with a valid certificate at every host
	anyway   bool    // whatever becomes of TLS, which is not counted
	policy   *Policy // MTA-STS of Domain, in any mode; nil: none
}

// Host is one host of a site.
type Host struct {
	Name       string // the domain itself when it has no MX; a literal in brackets
	Preference uint16
	Addrs      []netip.Addr
	dane       bool   // it has TLSA records: TLS or nothing
	tlsa       []TLSA // those of them that can be used (RFC 7672 3.1)
}

// PaceKey is the identity of what shares the site's limits: the row of the
// table of providers, or the site.
func (s *Site) PaceKey() string {
	if s.Limits.PerSite {
		return s.Key
	}
	return "@" + s.Limits.Name
}

// testing reports whether MTA-STS is only tried out for Domain.
func (s *Site) testing() bool { return s.policy != nil && s.policy.Mode == ModeTesting }

// finish sorts the hosts and derives what follows from them.
func (s *Site) finish(t *Table) {
	slices.SortFunc(s.Hosts, func(a, b Host) int {
		if a.Preference != b.Preference {
			return int(a.Preference) - int(b.Preference)
		}
		return strings.Compare(a.Name, b.Name)
	})
	var best []string
	for i := range s.Hosts {
		if s.Hosts[i].Preference == s.Hosts[0].Preference {
			best = append(best, s.Hosts[i].Name)
		}
	}
	s.Provider = registered(best[0])
	s.Limits = t.For(best, s.Domain)
	s.required = !s.anyway && (s.required || s.Limits.TLS == tlsRequired)
	s.Key = s.key()
}

// key writes the hosts, "," between equals and ">" before the next preference,
// and what is demanded of the connection, or would be.
func (s *Site) key() string {
	tested := s.testing() && !s.required // its certificates are looked at
	if len(s.Hosts) == 1 && !s.Hosts[0].dane && !s.Limits.Share && !s.required && !s.anyway && !tested {
		return s.Hosts[0].Name // of most; the name is kept anyway
	}
	var b strings.Builder
	dane := false
	for i, h := range s.Hosts {
		switch {
		case i == 0:
		case h.Preference == s.Hosts[i-1].Preference:
			b.WriteByte(',')
		default:
			b.WriteByte('>')
		}
		b.WriteString(h.Name)
		dane = dane || h.dane
	}
	if s.Limits.Share {
		b.Reset()
		b.WriteString("@" + s.Limits.Name)
	}
	if s.required {
		b.WriteString("+tls")
	}
	if tested {
		b.WriteString("+testing")
	}
	if s.anyway {
		b.WriteString("+anyway")
	}
	if dane {
		b.WriteString("+dane")
	}
	return b.String()
}

// registered is the domain under which a host was registered: the provider's
// name as far as it can be told.
func registered(host string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}
