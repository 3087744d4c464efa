package smtpin

// vetter watches the octets of one message go by. It finds the end of DATA
// and notes every CR and LF that is not part of a CRLF (RFC 5321 2.3.8), which
// is what SMTP smuggling is made of.
type vetter struct {
	state vetState
	bare  bool // a lone CR or LF was seen
	cr    bool // chunks only: the last octet was a CR
}

type vetState uint8

const (
	vetLineStart vetState = iota // the safe zero: nothing seen yet
	vetInLine
	vetCR
	vetDot   // a dot at the start of a line
	vetDotCR // and a CR after it
)

// data looks at octets of a DATA transfer, in place: a lone CR or LF is noted
// and overwritten with a space, so that go-smtp, which mistakes the CRLF in
// CR CR LF for text and then never finds the final dot, sees the same lines as
// we do. The message is refused anyway.
//
// It gives the number of octets that may go on; a CR at the very end stays
// behind until its successor is known and must be offered again. end reports
// that they close with CRLF "." CRLF.
func (v *vetter) data(b []byte) (n int, end bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if v.state == vetDotCR && c == '\n' {
			v.state = vetLineStart
			return i + 1, true
		}
		if v.state == vetCR && c == '\n' {
			v.state = vetLineStart
			continue
		}
		if v.state == vetCR || v.state == vetDotCR {
			b[i-1], v.bare, v.state = ' ', true, vetInLine
		}
		switch {
		case c == '\r' && v.state == vetDot:
			v.state = vetDotCR
		case c == '\r':
			v.state = vetCR
		case c == '\n':
			b[i], v.bare, v.state = ' ', true, vetInLine
		case c == '.' && v.state == vetLineStart:
			v.state = vetDot
		default:
			v.state = vetInLine
		}
	}
	switch v.state {
	case vetCR:
		v.state = vetInLine
		return len(b) - 1, false
	case vetDotCR:
		v.state = vetDot
		return len(b) - 1, false
	}
	return len(b), false
}

// chunk looks at octets of a BDAT transfer. They are counted, not parsed, so
// nothing needs overwriting.
func (v *vetter) chunk(b []byte) {
	for _, c := range b {
		if (c == '\n') != v.cr {
			v.bare = true
		}
		v.cr = c == '\r'
	}
}

// broken reports, at the end of the message, whether it holds a lone CR or LF.
func (v *vetter) broken() bool { return v.bare || v.cr }
