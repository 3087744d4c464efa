package mailauth

import (
	"bytes"

	"plenary/internal/fault"
)

// parts are the header and the body of a message in pieces.
type parts struct {
	fields map[string][]field // by name in lower case, the lowest first
	holes  []int              // offsets of the holes in the header
	body   []Piece
}

// field is one header field.
type field struct {
	value []byte // what follows the colon, line ends included
	at    int    // offset in the header
}

// split finds the header of a message and where the body begins.
func split(pieces []Piece) (*parts, error) {
	head, holes, rest, err := gather(pieces)
	if err != nil {
		return nil, err
	}
	m := &parts{fields: map[string][]field{}}
	end, body, err := m.read(head, holes)
	if err != nil {
		return nil, err
	}
	n := 0
	for n < len(holes) && holes[n] <= end {
		n++
	}
	m.holes = holes[:n]
	// What was gathered beyond the end belongs to the body.
	for _, at := range holes[n:] {
		m.body = append(m.body, Piece{Data: head[body:at]}, Piece{Personal: true})
		body = at
	}
	if body < len(head) {
		m.body = append(m.body, Piece{Data: head[body:]})
	}
	m.body = append(m.body, rest...)
	for _, f := range m.fields {
		for i, j := 0, len(f)-1; i < j; i, j = i+1, j-1 {
			f[i], f[j] = f[j], f[i]
		}
	}
	return m, nil
}

// gather copies the pieces up to the first empty line, so that the header is one
// stretch of octets; holes are the places of the holes between them.
func gather(pieces []Piece) (head []byte, holes []int, rest []Piece, err error) {
	var s seeker
	for i, p := range pieces {
		if p.Personal {
			if s.inside {
				return nil, nil, nil, fault.New(fault.Invalid, "a hole stands inside a header field")
			}
			holes = append(holes, len(head))
			continue
		}
		n, found := s.find(p.Data)
		head = append(head, p.Data[:n]...)
		if found {
			rest = append([]Piece{{Data: p.Data[n:]}}, pieces[i+1:]...)
			return head, holes, rest, nil
		}
	}
	return head, holes, nil, nil
}

// seeker looks for the empty line that ends a header.
type seeker struct {
	inside bool // a line has begun
	cr     bool // with a CR, and nothing else
}

// find gives the offset after the empty line, if there is one.
func (s *seeker) find(data []byte) (n int, found bool) {
	for at := 0; at < len(data); {
		switch c := data[at]; {
		case c == '\n' && (!s.inside || s.cr):
			return at + 1, true
		case c == '\r' && !s.inside:
			s.inside, s.cr = true, true
			at++
			continue
		}
		s.inside, s.cr = true, false
		lf := bytes.IndexByte(data[at:], '\n')
		if lf < 0 {
			return len(data), false
		}
		s.inside = false
		at += lf + 1
	}
	return len(data), false
}

// read takes the fields out of a header. The last field ends at end, the body
// begins at body.
func (m *parts) read(head []byte, holes []int) (end, body int, err error) {
	var name string // of the field that may be continued
	for at := 0; at < len(head); {
		next := len(head)
		if n := bytes.IndexByte(head[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		line := head[at:next]
		for len(holes) > 0 && holes[0] < at {
			holes = holes[1:]
		}
		switch {
		case isEmpty(line):
			return at, next, nil
		case line[0] == ' ' || line[0] == '\t':
			if len(holes) > 0 && holes[0] == at {
				return 0, 0, fault.New(fault.Invalid, "the line after a hole in the header begins with white space")
			}
			if name == "" {
				return 0, 0, fault.New(fault.Invalid, "the message begins with white space, which would continue the signature field")
			}
			all := m.fields[name]
			f := &all[len(all)-1]
			f.value = f.value[:len(f.value)+len(line)] // they lie side by side in head
		default:
			var value []byte
			if name, value = fieldOf(line); name == "" {
				return at, at, nil
			}
			m.fields[name] = append(m.fields[name], field{value: value, at: at})
		}
		at = next
	}
	return len(head), len(head), nil
}

func isEmpty(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// fieldOf parts the first line of a field at its colon; name is in lower case,
// and empty when the line is no field. White space before the colon is forgiven
// (RFC 5322 4.5).
func fieldOf(line []byte) (name string, value []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "", nil
	}
	name = lower(bytes.TrimRight(line[:colon], " \t"))
	if !isName(name) {
		return "", nil
	}
	return name, line[colon+1:]
}

// isName tells a field name (RFC 5322 3.6.8).
func isName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// lower is ASCII lower case; other octets stay.
func lower(s []byte) string {
	out := make([]byte, len(s))
	for i, c := range s {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return string(out)
}

// appendField appends a field in relaxed form (RFC 6376 3.4.2): unfolded, each
// run of white space one space, none at the ends, then CRLF.
func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(append(dst, name...), ':')
	return append(appendRelaxed(dst, value), '\r', '\n')
}

func appendRelaxed(dst, value []byte) []byte {
	start, space := len(dst), false
	for i, c := range value {
		switch {
		case c == '\n', c == '\r' && i+1 < len(value) && value[i+1] == '\n':
		case c == ' ' || c == '\t':
			space = true
		default:
			if space && len(dst) > start {
				dst = append(dst, ' ')
			}
			space = false
			dst = append(dst, c)
		}
	}
	return dst
}
