package compose

import (
	"strings"
	"unicode/utf8"
)

// field writes a header field of our own, folded at spaces. Control characters
// cannot get into it, so no setting can smuggle a line in.
func field(name, value string) []byte {
	out := append(make([]byte, 0, len(name)+len(value)+8), name...)
	return append(folded(append(out, ':'), value), "\r\n"...)
}

// folded appends the words of value to the start of a field, with a line break
// before a word that would make a line longer than foldAt.
func folded(start []byte, value string) []byte {
	out, column, empty := start, len(start), true
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7F }) {
		if !empty && column+1+len(w) > foldAt {
			out, column = append(out, "\r\n"...), 0
		}
		out = append(append(out, ' '), w...)
		column += 1 + len(w)
		empty = false
	}
	return out
}

// cut shortens s to at most max octets, at a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return strings.TrimSpace(s[:max])
}

// pathEscape percent-encodes what may not stand in one segment of a URL's path
// or in a mailto URL (RFC 3986 3.3, RFC 6068 2). The @ stays, for people.
func pathEscape(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~@+", c) >= 0:
			out.WriteByte(c)
		default:
			out.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return out.String()
}
