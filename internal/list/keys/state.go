package keys

import (
	"context"
	"slices"
	"time"

	"plenary/internal/mail/mailauth"
	"plenary/internal/model"
)

// State is what a key does now.
type State uint8

// The states. The zero value is the harmless one.
const (
	Waiting  State = iota // for its record to be published, then for Activate or its time
	Signing               // signs every mail of its domain
	Replaced              // a newer one signs; its record is needed for Overlap
)

var stateNames = [...]string{"waiting", "signing", "replaced"}

// String names the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Info is a key as people see it.
type Info struct {
	model.DKIMKey
	State State
	Name  string    // of its record in the DNS, without a dot at the end
	Until time.Time // Replaced only: how long the record is needed
}

// List gives the keys of a domain, of all domains when it is empty.
func (s *Service) List(ctx context.Context, domain string) ([]Info, error) {
	if domain != "" {
		return s.of(ctx, domain)
	}
	all, err := s.Store.DKIMKeys(ctx)
	if err != nil {
		return nil, err
	}
	var out []Info
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Domain == all[0].Domain {
			n++
		}
		out = append(out, s.describe(all[:n])...)
		all = all[n:]
	}
	return out, nil
}

// of gives the keys of one domain.
func (s *Service) of(ctx context.Context, domain string) ([]Info, error) {
	domain, err := checked(domain)
	if err != nil {
		return nil, err
	}
	all, err := s.Store.DKIMKeys(ctx)
	if err != nil {
		return nil, err
	}
	return s.describe(slices.DeleteFunc(all, func(k model.DKIMKey) bool { return k.Domain != domain })), nil
}

// describe says what the keys of one domain do now.
func (s *Service) describe(keys []model.DKIMKey) []Info {
	now := model.At(s.Now())
	var out []Info
	for i := range keys {
		k := &keys[i]
		info := Info{DKIMKey: *k, Name: mailauth.RecordName(k.Domain, k.Selector)}
		switch found := current(keys, k.Algorithm, now); {
		case k.ActiveAt.IsZero() || k.ActiveAt > now:
		case found.ID == k.ID:
			info.State = Signing
		default:
			info.State = Replaced
			info.Until = successor(keys, k).ActiveAt.Time().Add(Overlap)
		}
		out = append(out, info)
	}
	return out
}

// successor is the key that took over from k; there is one when k is replaced.
func successor(keys []model.DKIMKey, k *model.DKIMKey) *model.DKIMKey {
	next := k
	for i := range keys {
		c := &keys[i]
		if c.Algorithm == k.Algorithm && !c.ActiveAt.IsZero() && before(k, c) && (next == k || before(c, next)) {
			next = c
		}
	}
	return next
}
