package mailauth

import (
	"crypto/sha256"
	"hash"
)

// body makes a body canonical in relaxed form (RFC 6376 3.4.4) while it comes,
// and hashes it: white space at line ends goes, each other run of it is one
// space, empty lines at the end go, and the last line ends in CRLF.
type body struct {
	hash  hash.Hash
	lines int  // line ends that are written once something follows
	space bool // white space, likewise
	cr    bool // a CR that may belong to a line end
	some  bool // something was written
	n     int
	buf   [1024]byte // canonical octets not hashed yet
}

func newBody() *body { return &body{hash: sha256.New()} }

// clone goes on from the same state, apart from b. b must not be written to
// meanwhile.
func (b *body) clone() (*body, error) {
	h, err := b.hash.(hash.Cloner).Clone() //nolint:forcetypeassert // crypto/sha256 promises it
	if err != nil {
		return nil, err
	}
	c := *b
	c.hash = h
	return &c, nil
}

// write takes the next octets; line ends and runs of white space may span calls.
func (b *body) write(p []byte) {
	for len(p) > 0 {
		if b.cr {
			b.cr = false
			if p[0] != '\n' {
				b.octet('\r') // a CR alone is an octet like others
			}
		}
		n := 0 // octets that stay as they are; a single space between two others is one
		for n < len(p) && (!isSpace(p[n]) || p[n] == ' ' && n > 0 && n+1 < len(p) && !isSpace(p[n+1])) {
			n++
		}
		if n > 0 {
			b.text(p[:n])
			p = p[n:]
			continue
		}
		switch p[0] {
		case '\n':
			b.lines++
			b.space = false
		case '\r':
			b.cr = true
		default:
			b.space = true
		}
		p = p[1:]
	}
}

// text writes octets that stay as they are, after what waited for them.
func (b *body) text(p []byte) {
	b.pending()
	if len(p) > len(b.buf)-b.n {
		b.flush()
	}
	if len(p) > len(b.buf) {
		b.hash.Write(p)
		return
	}
	b.n += copy(b.buf[b.n:], p)
}

// octet writes one that is not white space.
func (b *body) octet(c byte) {
	b.pending()
	b.put(c)
}

// pending writes the line ends and the space that waited for something to follow.
func (b *body) pending() {
	b.some = true
	for ; b.lines > 0; b.lines-- {
		b.put('\r')
		b.put('\n')
	}
	if b.space {
		b.space = false
		b.put(' ')
	}
}

func (b *body) put(c byte) {
	if b.n == len(b.buf) {
		b.flush()
	}
	b.buf[b.n] = c
	b.n++
}

func (b *body) flush() {
	b.hash.Write(b.buf[:b.n])
	b.n = 0
}

// sum ends the body and gives its hash. An empty one is hashed as nothing.
func (b *body) sum() []byte {
	if b.cr {
		b.cr = false
		b.octet('\r')
	}
	if b.some {
		b.put('\r')
		b.put('\n')
	}
	b.flush()
	return b.hash.Sum(nil)
}

func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n') }
