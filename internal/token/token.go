// Package token makes the secrets that stand in links, reply addresses and
// reverse-paths, and recognises its own.
//
// Three kinds, all HMAC-SHA256 over the scope and the content, under one secret
// of the installation: random tokens, of which the database keeps only the hash;
// one-click tokens, which carry what they mean and need no row, because every
// copy of every post has one; and VERP ids, short enough for a local part. The
// scope is part of every MAC, so a token to leave a list is worth nothing where
// one to read its archive is asked for.
//
// The MAC of a random token is checked before anything is looked up: guessing
// costs no database query. It does not tell a wrong token from an expired or
// used one; the store does, by the hash. All are written in Crockford's base32,
// lower case, read in any case and with O for 0 and I or L for 1, because people
// copy them from paper and some systems change the case of a local part.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// Sizes in octets.
const (
	randomSize   = 12 // 96 bits nobody guesses
	randomMAC    = 4  // only keeps guesses away from the database
	oneClickMAC  = 10 // stands alone, so 80 bits
	verpMAC      = 5  // 40 bits: forging one bounce takes a trillion mails, and scores one address once
	maxToken     = 128
	scopeVerp    = "verp"
	scopeOneShot = "one-click unsubscribe"
)

// Keyring makes and checks tokens. It is safe for use by many goroutines.
type Keyring struct {
	// Rand is where random tokens come from; New sets crypto/rand. A test may
	// replace it before first use.
	Rand io.Reader

	inner, outer []byte // states of SHA-256 after the padded key
	states       sync.Pool
}

// New derives a Keyring from the secret of the installation, 32 octets or more
// of randomness. All nodes must have the same secret. An empty one is replaced
// by a random one: tokens are then good only as long as this process lives.
func New(secret []byte) *Keyring {
	k := &Keyring{Rand: rand.Reader}
	var key [sha256.Size]byte
	if len(secret) == 0 {
		rand.Read(key[:]) // never fails
	} else {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("plenary token key 1"))
		mac.Sum(key[:0])
	}
	k.use(key)
	return k
}

// Random makes a new token for scope: 26 characters. The token goes to the
// person, the hash (32 octets) into the database.
func (k *Keyring) Random(scope string) (token string, hash []byte) {
	raw := make([]byte, randomSize, randomSize+randomMAC)
	if _, err := io.ReadFull(k.Rand, raw); err != nil {
		rand.Read(raw) // a broken test source must not give a guessable token
	}
	raw = k.sign(raw, scope, randomMAC)
	return encode(raw), k.hashOf(scope, raw)
}

// Check tells whether token was made by Random for scope, and gives its hash to
// look it up by.
func (k *Keyring) Check(scope, token string) (hash []byte, ok bool) {
	raw, ok := decode(token)
	if !ok || len(raw) != randomSize+randomMAC {
		return nil, false
	}
	if !k.signed(raw, scope, randomMAC) {
		return nil, false
	}
	return k.hashOf(scope, raw), true
}

// OneClick makes the token by which one subscriber leaves one list (RFC 8058).
// It needs no row. at is kept to the second; whoever parses it decides how long
// it is good.
func (k *Keyring) OneClick(list, subscriber int64, at time.Time) string {
	raw := numbers(list, subscriber, at.Unix())
	return encode(k.sign(raw, scopeOneShot, oneClickMAC))
}

// ParseOneClick reads a token made by OneClick; ok is false for anything else.
func (k *Keyring) ParseOneClick(s string) (list, subscriber int64, at time.Time, ok bool) {
	n, ok := k.open(scopeOneShot, s, oneClickMAC, 3)
	if !ok {
		return 0, 0, time.Time{}, false
	}
	return n[0], n[1], time.Unix(n[2], 0).UTC(), true
}

// Verp makes the id that stands in the reverse-path of one copy: at most 40
// characters of a-z and 0-9, about 20 in practice, so that it fits a local part
// of 64 octets (RFC 5321 4.5.3.1.1) together with the list's name.
func (k *Keyring) Verp(distribution, recipient int64) string {
	raw := numbers(distribution, recipient)
	return encode(k.sign(raw, scopeVerp, verpMAC))
}

// ParseVerp reads an id made by Verp, in any case.
func (k *Keyring) ParseVerp(s string) (distribution, recipient int64, ok bool) {
	n, ok := k.open(scopeVerp, s, verpMAC, 2)
	if !ok {
		return 0, 0, false
	}
	return n[0], n[1], true
}

// open checks the MAC at the end of s and reads the count numbers before it.
func (k *Keyring) open(scope, s string, macSize, count int) ([]int64, bool) {
	raw, ok := decode(s)
	if !ok || len(raw) <= macSize {
		return nil, false
	}
	if !k.signed(raw, scope, macSize) {
		return nil, false
	}
	body := raw[:len(raw)-macSize]
	out := make([]int64, 0, count)
	for range count {
		v, n := binary.Uvarint(body)
		if n <= 0 {
			return nil, false
		}
		out, body = append(out, int64(v)), body[n:]
	}
	return out, len(body) == 0
}

// numbers packs numbers as varints.
func numbers(values ...int64) []byte {
	raw := make([]byte, 0, 32)
	for _, v := range values {
		raw = binary.AppendUvarint(raw, uint64(v))
	}
	return raw
}

// sign appends the first size octets of the MAC of raw.
func (k *Keyring) sign(raw []byte, scope string, size int) []byte {
	sum := k.mac(scope, "token", raw)
	return append(raw, sum[:size]...)
}

// signed reports whether the last size octets of raw are what sign appends.
func (k *Keyring) signed(raw []byte, scope string, size int) bool {
	sum := k.mac(scope, "token", raw[:len(raw)-size])
	return hmac.Equal(raw[len(raw)-size:], sum[:size])
}

func (k *Keyring) hashOf(scope string, raw []byte) []byte {
	sum := k.mac(scope, "hash", raw)
	return sum[:]
}

// mac gives the MAC of body for a use within a scope.
func (k *Keyring) mac(scope, use string, body []byte) [sha256.Size]byte {
	return k.hmac(func(text []byte) []byte {
		text = append(append(text, use...), 0)
		text = binary.AppendUvarint(text, uint64(len(scope)))
		return append(append(text, scope...), body...)
	})
}
