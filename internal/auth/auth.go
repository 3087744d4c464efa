// Package auth says who is asking: it makes app passwords and checks them.
//
// A person has an account, made when first needed, that owns one or more
// addresses; any of them is a user name. A mail client gets an app password of
// its own: 100 random bits in 20 letters, shown once, revoked by itself. There is
// no other password. Because the secret is random and nobody chooses it, one
// SHA-256 over salt and secret is enough: slow hashes (bcrypt, argon2) make up
// for passwords people can think of, and 2^100 guesses need no slowing down,
// while a mail client that opens twenty connections should not cost twenty times
// a slow hash.
//
// The answer to a wrong pair is the same whether the account, the password or
// both do not exist, and the same work is done for it. Failures are counted for
// each user name. Beyond the limit only secrets that were right before in this
// process are still looked at: guessing ends, and nobody can lock a person out by
// failing in her name.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"log/slog"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
)

// Limits.
const (
	secretLetters = 20 // of 32: 100 bits
	saltSize      = 16 // octets
	maxPasswords  = 50 // app passwords of one account that are not revoked
	maxSecret     = 200
	maxLabel      = 100
)

// Store keeps accounts and the hashes of app passwords.
type Store interface {
	EnsureAccount(ctx context.Context, email, key, name string) (*model.Account, error)
	FindAccount(ctx context.Context, key string) (*model.Account, error)
	AddressesOf(ctx context.Context, accountID int64) ([]string, error)
	SaveAppPassword(ctx context.Context, p *model.AppPassword) error
	AppPasswords(ctx context.Context, accountID int64) ([]model.AppPassword, error)
	TouchAppPassword(ctx context.Context, id int64) error
	RevokeAppPassword(ctx context.Context, accountID, id int64) error
}

// Deps is what the service stands on.
type Deps struct {
	Store Store
	Now   func() time.Time // nil: time.Now
	Rand  io.Reader        // nil: crypto/rand
	Log   *slog.Logger     // nil: silent
}

// Service checks who is asking. It is safe for use by many goroutines.
type Service struct {
	Deps
	throttle *throttle
}

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d, throttle: newThrottle()}
}

// Anonymous is who has not said who she is.
func (s *Service) Anonymous() model.Actor { return model.Actor{Anonymous: true} }

// Authenticate finds who this user name and app password belong to. A wrong pair
// is Unauthenticated, too many of them TooMany; what the database could not
// answer is Temporary.
func (s *Service) Authenticate(ctx context.Context, user, password string) (model.Actor, error) {
	a, parseErr := address.Parse(strings.TrimSpace(user))
	key, secret := a.Key(), normal(password)
	if !s.throttle.mayTry(key, secret, s.Now()) {
		return model.Actor{}, fault.New(fault.TooMany, "there were too many wrong passwords for this address, please try again later")
	}
	account, match, err := s.lookup(ctx, key, secret)
	if err != nil {
		return model.Actor{}, err
	}
	if account == nil || match == nil || parseErr != nil {
		s.throttle.failed(key, s.Now())
		return model.Actor{}, fault.New(fault.Unauthenticated, "that address and app password do not belong together")
	}
	s.throttle.good(key, secret)
	if err := s.Store.TouchAppPassword(ctx, match.ID); err != nil { // not worth refusing for
		s.Log.Warn("cannot note the use of an app password", "err", err)
	}
	who, err := s.actor(ctx, account)
	who.Password = match.ID
	return who, err
}

// lookup finds the account and the app password that fits; the same steps are
// taken whatever is absent.
func (s *Service) lookup(ctx context.Context, key, secret string) (*model.Account, *model.AppPassword, error) {
	account, err := s.Store.FindAccount(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	id := int64(0)
	if account != nil {
		id = account.ID
	}
	all, err := s.Store.AppPasswords(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	var match *model.AppPassword
	matches([]byte(strings.Repeat("x", saltSize+sha256.Size)), secret) // as much work where there is none
	for i := range all {
		if p := &all[i]; p.RevokedAt.IsZero() && matches(p.Hash, secret) && match == nil {
			match = p
		}
	}
	return account, match, nil
}

func (s *Service) actor(ctx context.Context, a *model.Account) (model.Actor, error) {
	keys, err := s.Store.AddressesOf(ctx, a.ID)
	if err != nil {
		return model.Actor{}, err
	}
	return model.Actor{AccountID: a.ID, Email: a.Email, Keys: keys}, nil
}

// NewAppPassword makes an app password for the account that owns the address,
// made now when there is none, and gives it in groups of five letters. It is not
// kept: only its hash is.
func (s *Service) NewAppPassword(ctx context.Context, a address.Address, label string) (secret string, err error) {
	if a.IsZero() {
		return "", fault.New(fault.Invalid, "whose app password shall it be?")
	}
	account, err := s.Store.EnsureAccount(ctx, a.String(), a.Key(), "")
	if err != nil {
		return "", err
	}
	all, err := s.Store.AppPasswords(ctx, account.ID)
	if err != nil {
		return "", err
	}
	if valid(all) >= maxPasswords {
		return "", fault.New(fault.TooMany, "this account has %d app passwords already, revoke some first", maxPasswords)
	}
	raw := make([]byte, secretLetters+saltSize)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return "", fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	letters := make([]byte, secretLetters)
	for i := range letters {
		letters[i] = alphabet[raw[i]&31]
	}
	p := &model.AppPassword{AccountID: account.ID, Hash: hash(raw[secretLetters:], string(letters)), Label: cutLabel(label)}
	if err := s.Store.SaveAppPassword(ctx, p); err != nil {
		return "", err
	}
	return grouped(string(letters)), nil
}

func valid(all []model.AppPassword) (n int) {
	for i := range all {
		if all[i].RevokedAt.IsZero() {
			n++
		}
	}
	return n
}

func cutLabel(s string) string {
	s = word.Line(s)
	if len(s) > maxLabel {
		s = strings.ToValidUTF8(s[:maxLabel], "")
	}
	return s
}

// AppPasswords lists the app passwords of the account that owns the address,
// without anything secret; revoked ones are left out.
func (s *Service) AppPasswords(ctx context.Context, a address.Address) ([]model.AppPassword, error) {
	account, err := s.Store.FindAccount(ctx, a.Key())
	if err != nil || account == nil {
		return nil, err
	}
	all, err := s.Store.AppPasswords(ctx, account.ID)
	var out []model.AppPassword
	for _, p := range all {
		if p.Hash = nil; p.RevokedAt.IsZero() {
			out = append(out, p)
		}
	}
	return out, err
}

// Revoke ends one app password of the account that owns the address; NotFound
// when it has no such one.
func (s *Service) Revoke(ctx context.Context, a address.Address, id int64) error {
	account, err := s.Store.FindAccount(ctx, a.Key())
	if err != nil {
		return err
	}
	if account == nil {
		return fault.New(fault.NotFound, "there is no such app password")
	}
	return s.Store.RevokeAppPassword(ctx, account.ID, id)
}

// RevokeAll ends all app passwords of the account that owns the address and
// tells how many there were.
func (s *Service) RevokeAll(ctx context.Context, a address.Address) (n int, err error) {
	all, err := s.AppPasswords(ctx, a)
	for _, p := range all {
		if err := s.Store.RevokeAppPassword(ctx, p.AccountID, p.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, err
}

// alphabet is Crockford's base32 in lower case: nothing that looks like
// something else.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// grouped writes a secret in groups of five letters.
func grouped(s string) string {
	var groups []string
	for ; len(s) > 5; s = s[5:] {
		groups = append(groups, s[:5])
	}
	return strings.Join(append(groups, s), "-")
}

// normal undoes what people do to a secret when they copy it: spaces, dashes,
// capitals, o for 0, i and l for 1.
func normal(s string) string {
	if len(s) > maxSecret {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-' || r == '\t':
			return -1
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		}
		switch r {
		case 'o':
			return '0'
		case 'i', 'l':
			return '1'
		}
		return r
	}, s)
}

// hash gives salt and SHA-256 of salt and secret.
func hash(salt []byte, secret string) []byte {
	sum := sha256.Sum256(append(append([]byte{}, salt...), secret...))
	return append(append([]byte{}, salt...), sum[:]...)
}

// matches compares in constant time; an empty secret matches nothing.
func matches(stored []byte, secret string) bool {
	if len(stored) != saltSize+sha256.Size {
		return false
	}
	return subtle.ConstantTimeCompare(hash(stored[:saltSize], secret), stored) == 1 && len(secret) == secretLetters
}
