// Package mailauth signs outgoing mail with DKIM (RFC 6376, RFC 8301, RFC 8463).
// It is pure: bytes and keys in, header fields out; no storage, no DNS.
//
// A list sends one post in many copies that differ in a few words. Prepare does
// once what is the same for all: it finds the header, makes it canonical, hashes
// the body, and hashes the signed fields up to the first that differs. Sign
// then clones that SHA-256 state, adds the personal fields of one copy, which
// therefore stand last in h=, and the signature field itself. What is left for a
// copy is some 600 octets to hash and the arithmetic of the signature: RSA-2048
// takes 95 % and more of the time, which is the limit of a server that signs
// each copy. Copies that are equal share one signature.
//
// Signatures are relaxed/relaxed, without l=. The fields of the table in
// fields.go are oversigned: h= names each of them once more than it is there, so
// that nobody can put a second Subject or List-Unsubscribe in front of a signed
// one (RFC 6376 8.15). RFC 8058 wants List-Unsubscribe and List-Unsubscribe-Post
// covered; both are.
//
// The header ends where mail servers let it end: at the first empty line, or at
// a line that is neither field nor continuation, before which they put the empty
// line that is missing. Signed is the message as it leaves such a server. Lines
// end in CRLF; a lone LF counts as one, because servers repair it.
//
// Everything is linear in the size of the message and nothing recurses over it.
// Nothing is left unsigned in silence: what cannot be signed is an error.
package mailauth

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"plenary/internal/fault"
)

// Limits.
const (
	minRSA      = 1024 // bits; RFC 8301 3.2: signers must not use less, and should use 2048
	maxDomain   = 253  // octets of a name in the DNS, RFC 1035 2.3.4
	maxKeys     = 4    // signatures of one message; two are usual (RFC 8463 3)
	maxPersonal = 16   // names of personal fields
	foldAt      = 76   // octets after which the signature field is folded
)

// Key is what one signature is made with. Signer holds an RSA key of at least
// 1024 bits (rsa-sha256) or an Ed25519 key (ed25519-sha256); it must be safe for
// use by many goroutines, as those of the standard library are. Domain (d=) and
// Selector (s=) are names in ASCII.
type Key struct {
	Domain, Selector string
	Signer           crypto.Signer
}

// Piece is a stretch of a message: constant octets, or, when Personal is set, a
// hole whose octets are given for each copy. Data of a hole is ignored.
type Piece struct {
	Data     []byte
	Personal bool
}

// Options says how to sign. The zero value signs without a time.
type Options struct {
	// Time is t=, the time of the signature, to the second; zero leaves it out.
	// With the time at which the post was accepted, rather than the present one,
	// a repeated copy is the same octet for octet.
	Time time.Time
	// Expire is how long after Time the signature stands (x=); zero is for ever.
	// It must outlast every retry.
	Expire time.Duration
	// Personal names the header fields that holes in the header may bring. They
	// are always oversigned.
	Personal []string
}

// Prepared is a message ready to be signed in all its copies. It does not change
// any more and may be used by many goroutines.
type Prepared struct {
	stamps   []stamp
	inHeader int // holes in the header; they come first
	holes    int // all holes
	personal []slot
	header   hash.Cloner // over the signed fields up to the first personal one
	body     *body       // up to its first hole, or to the end
	bodySum  string      // base64, when the body has no hole
	tail     []Piece     // the body from its first hole on

	once   sync.Once // for messages without a hole
	shared []byte
	err    error
	last   atomic.Pointer[memo]
}

// slot is the place of a personal field among what is signed.
type slot struct {
	name  string // lower case
	below []byte // constant fields of that name, canonical; they stand below the hole
}

// memo is the signature made last.
type memo struct {
	sum [sha256.Size]byte
	out []byte
}

// Prepare reads a message once, for signatures by all keys, in their order. The
// pieces in order are the message; their octets must not change afterwards. A
// hole in the header brings whole fields, a hole in the body any octets. Time
// and memory do not depend on the body beyond reading it; only what stands after
// the body's first hole is read again for each copy.
//
// Invalid: no key or one that cannot sign, a message that begins with white
// space, a hole inside a header field, or a constant field with the name of a personal one above the last hole of the
// header, where the order of the two would be unclear.
func Prepare(pieces []Piece, keys []Key, o Options) (*Prepared, error) {
	m, err := split(pieces)
	if err != nil {
		return nil, err
	}
	p := &Prepared{inHeader: len(m.holes), holes: len(m.holes)}
	names, err := p.prepareHeader(m, o.Personal)
	if err != nil {
		return nil, err
	}
	if p.stamps, err = stamps(keys, names, o); err != nil {
		return nil, err
	}
	p.prepareBody(m.body)
	return p, nil
}

// prepareHeader hashes the constant fields and gives the names for h=.
func (p *Prepared) prepareHeader(m *parts, personal []string) (names []string, err error) {
	if len(personal) > maxPersonal {
		return nil, fault.New(fault.Invalid, "more than %d personal fields", maxPersonal)
	}
	own := map[string]bool{}
	for _, n := range personal {
		n = lower([]byte(n))
		if !isName(n) || own[n] {
			return nil, fault.New(fault.Invalid, "%q is no name of a personal field, or stands twice", n)
		}
		own[n] = true
		p.personal = append(p.personal, slot{name: n})
	}
	h := sha256.New()
	var line []byte
	for _, s := range signedFields {
		if own[s.name] {
			continue
		}
		for _, f := range m.fields[s.name] {
			line = appendField(line[:0], s.name, f.value)
			h.Write(line)
			names = append(names, s.name)
		}
		if s.over {
			names = append(names, s.name)
		}
	}
	for i := range p.personal {
		s := &p.personal[i]
		for _, f := range m.fields[s.name] {
			if n := len(m.holes); n > 0 && f.at < m.holes[n-1] {
				return nil, fault.New(fault.Invalid, "the header has a field %s above the personal one", s.name)
			}
			s.below = appendField(s.below, s.name, f.value)
			names = append(names, s.name)
		}
		if p.inHeader > 0 {
			names = append(names, s.name)
		}
		names = append(names, s.name)
	}
	if p.inHeader == 0 { // nothing personal will come
		for _, s := range p.personal {
			h.Write(s.below)
		}
		p.personal = nil
	}
	p.header = h.(hash.Cloner) //nolint:forcetypeassert // crypto/sha256 promises it
	return names, nil
}

// prepareBody hashes the body up to its first hole.
func (p *Prepared) prepareBody(pieces []Piece) {
	p.body = newBody()
	for i, piece := range pieces {
		if piece.Personal {
			p.tail = pieces[i:]
			break
		}
		p.body.write(piece.Data)
	}
	for _, piece := range p.tail {
		if piece.Personal {
			p.holes++
		}
	}
	if p.tail == nil {
		p.bodySum = base64.StdEncoding.EncodeToString(p.body.sum())
	}
}

// Holes is the number of holes, which Sign wants filled.
func (p *Prepared) Holes() int { return p.holes }
