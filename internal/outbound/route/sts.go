package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Mode is what a policy demands (RFC 8461 3.2).
type Mode string

// The modes.
const (
	ModeEnforce Mode = "enforce" // only its hosts, only with a valid certificate
	ModeTesting Mode = "testing" // the same is counted for reports, nothing is enforced
	ModeNone    Mode = "none"    // the domain wants no policy any more
)

// Limits of RFC 8461.
const (
	maxPolicyText = 64 << 10               // octets; 3.3 suggests 64 kB
	maxPolicyAge  = 31557600 * time.Second // 3.2: about a year
	maxPatterns   = 200                    // mx lines, the RFC names no figure
	maxPolicyID   = 32                     // characters, 3.1
	maxPolicies   = 20000                  // remembered
	fetchAgain    = 5 * time.Minute        // after a failure, 3.3
	fetchTimeout  = 20 * time.Second       // 3.3 suggests a minute; a letter waits for it
	refreshAfter  = 24 * time.Hour         // 3.3 suggests daily; or half of max_age
)

// Policy is the MTA-STS policy of a domain.
type Policy struct {
	Domain  string
	ID      string // of the TXT record it was fetched for
	Mode    Mode
	MX      []string // patterns, lower case
	MaxAge  time.Duration
	Fetched time.Time
}

// Valid reports whether the policy may still be applied.
func (p *Policy) Valid(now time.Time) bool {
	return p != nil && now.Before(p.Fetched.Add(p.MaxAge))
}

// Allows reports whether a host may take the domain's mail: a pattern *.x
// stands for exactly one label (RFC 8461 4.1).
func (p *Policy) Allows(host string) bool {
	host = plainName(host)
	for _, m := range p.MX {
		if m == host {
			return true
		}
		if rest, ok := strings.CutPrefix(m, "*."); ok {
			if label, under, found := strings.Cut(host, "."); found && label != "" && under == rest {
				return true
			}
		}
	}
	return false
}

// Fetcher gets the policy file of a domain, from
// https://mta-sts.DOMAIN/.well-known/mta-sts.txt with a valid certificate,
// without following redirects (RFC 8461 3.3).
type Fetcher interface {
	Policy(ctx context.Context, domain string) ([]byte, error)
}

// PolicyStore keeps policies over restarts: without it somebody who can break
// DNS for a moment takes the protection away (RFC 8461 10.2).
type PolicyStore interface {
	// LoadPolicy gives the policy saved last, or nil.
	LoadPolicy(ctx context.Context, domain string) (*Policy, error)
	SavePolicy(ctx context.Context, p *Policy) error
}

// STS finds policies. DNS and Fetcher must be set; the fields must not change
// once it is used.
type STS struct {
	DNS     DNS
	Fetcher Fetcher
	Store   PolicyStore // nil: policies are remembered in memory only
	Reports Reports     // nil: failures to get a policy are not counted
	Log     *slog.Logger
	Now     func() time.Time

	mu    sync.Mutex
	known map[string]*stsEntry
}

type stsEntry struct {
	policy *Policy
	failed time.Time // of the last fetch
}

// Find gives the policy to apply to a domain, nil when there is none. A policy
// that was fetched is applied until it is too old, also when DNS or its host do
// not answer any more (RFC 8461 5.1). Callers ask once for a domain at a time.
func (s *STS) Find(ctx context.Context, domain string) *Policy {
	now := s.now()
	e := s.entry(ctx, domain)
	have := e.policy
	if !have.Valid(now) {
		have = nil
	}
	id, err := s.id(ctx, domain)
	switch {
	case err != nil || id == "":
		return have
	case have != nil && have.ID == id && now.Sub(have.Fetched) < min(refreshAfter, have.MaxAge/2):
		return have
	case now.Sub(e.failed) < fetchAgain:
		return have
	}
	fresh, err := s.fetch(ctx, domain)
	if err != nil {
		if ctx.Err() == nil {
			s.logger().Warn("an MTA-STS policy cannot be fetched", "domain", domain, "err", err, "older_one_applies", have != nil)
		}
		s.note(domain, have, now)
		return have
	}
	fresh.Domain, fresh.ID, fresh.Fetched = domain, id, now
	s.note(domain, fresh, time.Time{})
	if s.Store != nil {
		if err := s.Store.SavePolicy(ctx, fresh); err != nil {
			s.logger().Warn("an MTA-STS policy was not saved", "domain", domain, "err", err)
		}
	}
	return fresh
}

func (s *STS) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *STS) logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// entry gives what is known of a domain, from memory or the store.
func (s *STS) entry(ctx context.Context, domain string) stsEntry {
	s.mu.Lock()
	e := s.known[domain]
	s.mu.Unlock()
	if e != nil {
		return *e
	}
	if s.Store == nil {
		return stsEntry{}
	}
	p, err := s.Store.LoadPolicy(ctx, domain)
	if err != nil {
		s.logger().Warn("a saved MTA-STS policy cannot be read", "domain", domain, "err", err)
	}
	if p == nil {
		return stsEntry{}
	}
	s.note(domain, p, time.Time{})
	return stsEntry{policy: p}
}

func (s *STS) note(domain string, p *Policy, failed time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]*stsEntry{}
	}
	if _, have := s.known[domain]; !have && len(s.known) >= maxPolicies {
		for k := range s.known { // any; the store has them all
			if delete(s.known, k); len(s.known) <= maxPolicies-maxPolicies/8 {
				break
			}
		}
	}
	s.known[domain] = &stsEntry{policy: p, failed: failed}
}

// id reads the TXT record (RFC 8461 3.1); empty: the domain has no policy.
func (s *STS) id(ctx context.Context, domain string) (string, error) {
	a, err := s.DNS.TXT(ctx, "_mta-sts."+domain)
	if err != nil {
		return "", err
	}
	found := ""
	for _, txt := range a.Records {
		if !strings.HasPrefix(txt, "v=STSv1;") {
			continue
		}
		if found != "" {
			return "", nil // several are none
		}
		found = txt
	}
	for _, field := range strings.Split(found, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(field), "="); ok && k == "id" {
			if v == "" || len(v) > maxPolicyID || strings.ContainsFunc(v, notAlnum) {
				return "", nil
			}
			return v, nil
		}
	}
	return "", nil
}

func notAlnum(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}

func (s *STS) fetch(ctx context.Context, domain string) (*Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	text, err := s.Fetcher.Policy(ctx, domain)
	result := resultFetch
	if err == nil {
		var p *Policy
		if p, err = ParsePolicy(text); err == nil {
			return p, nil
		}
		result = resultPolicy
	}
	if s.Reports != nil && ctx.Err() == nil {
		s.Reports.Count(TLSSession{Day: day(s.now()), Domain: domain, Policy: PolicySTS, Result: result})
	}
	return nil, err
}

var errPolicy = errors.New("the MTA-STS policy is not valid")

// ParsePolicy reads a policy file (RFC 8461 3.2). Unknown fields are ignored;
// of a field that stands twice the first counts, but for mx.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicyText {
		return nil, fmt.Errorf("%w: it is longer than %d octets", errPolicy, maxPolicyText)
	}
	fields := map[string]string{}
	p := &Policy{}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		key, value = strings.TrimRight(key, " \t"), strings.Trim(value, " \t")
		switch _, have := fields[key]; {
		case !ok:
		case key == "mx":
			m := plainName(value)
			if !pattern(m) || len(p.MX) >= maxPatterns {
				return nil, fmt.Errorf("%w: mx %.60q", errPolicy, value)
			}
			if !slices.Contains(p.MX, m) {
				p.MX = append(p.MX, m)
			}
		case !have:
			fields[key] = value
		}
	}
	seconds, err := strconv.ParseInt(fields["max_age"], 10, 64)
	p.Mode = Mode(fields["mode"])
	switch {
	case fields["version"] != "STSv1":
		return nil, fmt.Errorf("%w: version %.20q", errPolicy, fields["version"])
	case p.Mode != ModeEnforce && p.Mode != ModeTesting && p.Mode != ModeNone:
		return nil, fmt.Errorf("%w: mode %.20q", errPolicy, fields["mode"])
	case err != nil || seconds < 0 || seconds > int64(maxPolicyAge/time.Second):
		return nil, fmt.Errorf("%w: max_age %.20q", errPolicy, fields["max_age"])
	case len(p.MX) == 0 && p.Mode != ModeNone:
		return nil, fmt.Errorf("%w: it names no mx", errPolicy)
	}
	p.MaxAge = time.Duration(seconds) * time.Second
	return p, nil
}

// pattern reports whether s is a host name or *. and one.
func pattern(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > maxName {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return notAlnum(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}
