// Package keys keeps the DKIM keys of the domains we send for: it makes them,
// replaces them with overlap, and gives the signer those that sign now.
//
// A key is of use only once its record stands in the DNS, and a signature by a
// key nobody can look up is worth nothing. So a new key waits: it signs when
// somebody says Activate, which asks the DNS first, or when the time given at
// its making has passed. Of a domain's keys of one algorithm the one that became
// active last signs. The older one stays, and so must its record, because mail
// it signed is still on its way; removing a key says until when the record is
// needed.
//
// Private keys are in the database, because every node needs them and one backup
// is to hold everything. They are PKCS #8, sealed with AES-256-GCM under a key
// derived from a secret of the installation, bound to domain and selector: who
// sees the table alone, in a dump or a support copy, cannot sign, and a row
// cannot be passed off as another's. That secret, unless Deps names one kept
// elsewhere, is in the same database: whoever has the whole database or a whole
// backup has the keys, as he has the mail and the secret of all tokens. Rotate
// after a backup was lost.
//
// A signature says that a domain answers for a message. Whoever asks For the
// domain of an author must know that the author is who he says he is; for posts
// that is the list's own domain, which answers for what its list sends.
package keys

import (
	"context"
	"crypto"
	"sync"
	"time"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/mailauth"
	"plenary/internal/model"
)

const (
	// Refresh is how long For may answer from memory: after this time every node
	// knows what another has changed.
	Refresh = 30 * time.Second
	// Overlap is how long the record of a replaced key is still needed: longer
	// than mail is tried again (RFC 5321 4.5.4.1: 4 to 5 days) and read by slow
	// verifiers.
	Overlap = 7 * 24 * time.Hour

	rsaBits     = 2048 // RFC 8301 3.2; a longer record often does not fit
	maxParents  = 5    // domains above the one asked for that may have the key
	maxSelector = 63   // octets of a label, RFC 1035 2.3.4
	secretName  = "dkim"
	lookupTime  = 10 * time.Second
)

// Store keeps the keys.
type Store interface {
	Secret(ctx context.Context, name string) ([]byte, error)
	SaveDKIMKeys(ctx context.Context, keys ...*model.DKIMKey) error
	DKIMKeys(ctx context.Context) ([]model.DKIMKey, error)
	ActivateDKIMKey(ctx context.Context, id int64, at model.Instant) error
	RemoveDKIMKey(ctx context.Context, id int64) error
}

// Deps is what the service stands on.
type Deps struct {
	Store  Store
	Secret []byte           // seals the private keys; empty: a secret of the Store
	Now    func() time.Time // nil: time.Now
	// LookupTXT asks the DNS, before a key is activated; nil: it is not asked.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// Service makes and finds keys. It is safe for use by many goroutines.
type Service struct {
	Deps

	mu      sync.Mutex
	loaded  time.Time // zero: not, or no longer true
	keys    map[string][]model.DKIMKey
	signers map[int64]crypto.Signer // by key id, kept over reloads: opening an RSA key takes a while
}

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, signers: map[int64]crypto.Signer{}}
}

// For gives the keys that sign mail of the first of these domains that has any,
// or whose parent has: one for each algorithm, RSA first, as mailauth.Prepare
// wants them. None at all is no error: the mail goes unsigned. It answers from
// memory, at most Refresh old.
func (s *Service) For(ctx context.Context, domains ...string) ([]mailauth.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	now := model.At(s.Now())
	for _, d := range domains {
		d, ok := normal(d)
		for range maxParents {
			if !ok {
				break
			}
			if found, err := s.signing(ctx, s.keys[d], now); err != nil || len(found) > 0 {
				return found, err
			}
			d, ok = parent(d)
		}
	}
	return nil, nil
}

// load reads all keys when what is known is too old. They are few: one or two a
// domain.
func (s *Service) load(ctx context.Context) error {
	if age := s.Now().Sub(s.loaded); !s.loaded.IsZero() && age >= 0 && age < Refresh {
		return nil
	}
	all, err := s.Store.DKIMKeys(ctx)
	if err != nil {
		return err
	}
	s.keys, s.loaded = map[string][]model.DKIMKey{}, s.Now()
	here := map[int64]bool{}
	for _, k := range all {
		s.keys[k.Domain] = append(s.keys[k.Domain], k)
		here[k.ID] = true
	}
	for id := range s.signers {
		if !here[id] {
			delete(s.signers, id)
		}
	}
	return nil
}

// signing opens the keys of a domain that sign now.
func (s *Service) signing(ctx context.Context, keys []model.DKIMKey, now model.Instant) ([]mailauth.Key, error) {
	var out []mailauth.Key
	for _, a := range algorithms {
		k := current(keys, a, now)
		if k == nil {
			continue
		}
		signer := s.signers[k.ID]
		if signer == nil {
			var err error
			if signer, err = s.open(ctx, k); err != nil {
				return nil, err
			}
			s.signers[k.ID] = signer
		}
		out = append(out, mailauth.Key{Domain: k.Domain, Selector: k.Selector, Signer: signer})
	}
	return out, nil
}

var algorithms = [...]model.DKIMAlgorithm{model.DKIMRSA, model.DKIMEd25519} //nolint:gochecknoglobals // a constant table

// current finds the key of an algorithm that signs now, or nil.
func current(keys []model.DKIMKey, a model.DKIMAlgorithm, now model.Instant) *model.DKIMKey {
	var found *model.DKIMKey
	for i := range keys {
		k := &keys[i]
		if k.Algorithm == a && !k.ActiveAt.IsZero() && k.ActiveAt <= now && (found == nil || !before(k, found)) {
			found = k
		}
	}
	return found
}

// before orders keys by the time they became or become active.
func before(k, other *model.DKIMKey) bool {
	if k.ActiveAt != other.ActiveAt {
		return k.ActiveAt < other.ActiveAt
	}
	return k.ID < other.ID
}

// forget makes the next question go to the database.
func (s *Service) forget() {
	s.mu.Lock()
	s.loaded = time.Time{}
	s.mu.Unlock()
}

// normal writes a domain as keys are stored: lower case, A-labels.
func normal(domain string) (string, bool) {
	a, err := address.Parse("x@" + domain)
	if err != nil {
		return "", false
	}
	return a.Domain, true
}

func checked(domain string) (string, error) {
	d, ok := normal(domain)
	if !ok || len(d) == 0 || d[0] == '[' {
		return "", fault.New(fault.Invalid, "%q is no domain", domain)
	}
	return d, nil
}

// parent is the domain above, down to two labels: a key for com would be
// nobody's.
func parent(domain string) (string, bool) {
	for i := range len(domain) {
		if domain[i] != '.' {
			continue
		}
		up := domain[i+1:]
		for j := range len(up) {
			if up[j] == '.' {
				return up, true
			}
		}
		return "", false
	}
	return "", false
}
