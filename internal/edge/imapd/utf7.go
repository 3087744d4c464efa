package imapd

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// firstAString reads an atom or a quoted string (RFC 9051 9, astring) at the
// beginning of s.
func firstAString(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " ()")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], end > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// decodeUTF7 reads a mailbox name in modified UTF-7 (RFC 3501 5.1.3). UTF-8 as
// it is, which UTF8=ACCEPT allows, passes.
func decodeUTF7(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	var b strings.Builder
	for {
		before, after, shift := strings.Cut(s, "&")
		b.WriteString(before)
		if !shift {
			return b.String(), true
		}
		code, rest, closed := strings.Cut(after, "-")
		if !closed {
			return "", false
		}
		if s = rest; code == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(code, ",", "/"))
		if err != nil || len(raw)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
}
