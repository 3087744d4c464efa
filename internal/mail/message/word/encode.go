package word

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// EncodeText writes one line of text as the value of an unstructured field:
// as it stands when it is ASCII, as RFC 2047 encoded words otherwise. Control
// characters, CR and LF among them, are dropped or become spaces, so a value
// can never begin a new field. Encoded words are parted by single spaces; the
// caller folds there (lines of at most 76 octets, RFC 2047 2).
func EncodeText(s string) string {
	s = Line(s)
	if isASCII(s) && !strings.Contains(s, "=?") {
		return s
	}
	return encode(s, false)
}

// EncodePhrase writes one line of text as a phrase (RFC 5322 3.2.5), the name
// before an address: bare words, a quoted string, or encoded words with the
// narrower alphabet of RFC 2047 5 (3).
func EncodePhrase(s string) string {
	s = Line(s)
	switch {
	case !isASCII(s) || strings.Contains(s, "=?"):
		return encode(s, true)
	case isAtoms(s):
		return s
	}
	return Quote(s)
}

// Quote writes ASCII text as a quoted string (RFC 5322 3.2.4).
func Quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	out.WriteByte('"')
	return out.String()
}

// encode splits text at character borders into encoded words of at most 75 octets.
func encode(s string, phrase bool) string {
	room := maxEncoded - len("=?utf-8?q?") - len("?=")
	quotedLen := 0
	for _, r := range s {
		quotedLen += qLen(r, phrase)
	}
	useB := quotedLen > base64.StdEncoding.EncodedLen(len(s))+2
	if useB {
		room = room / 4 * 3 // octets before encoding
	}
	var words []string
	for start, used, i := 0, 0, 0; i <= len(s); {
		if i == len(s) {
			words = append(words, encodeWord(s[start:], useB, phrase))
			break
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		cost := n
		if !useB {
			cost = qLen(r, phrase)
		}
		if used+cost > room {
			words = append(words, encodeWord(s[start:i], useB, phrase))
			start, used = i, 0
		}
		used += cost
		i += n
	}
	return strings.Join(words, " ")
}

func encodeWord(s string, useB, phrase bool) string {
	if useB {
		return "=?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
	}
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	out.WriteString("=?utf-8?q?")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			out.WriteByte('_')
		case isQ(c, phrase):
			out.WriteByte(c)
		default:
			out.WriteByte('=')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		}
	}
	out.WriteString("?=")
	return out.String()
}

// qLen is the length of one character in the Q encoding.
func qLen(r rune, phrase bool) int {
	if r == ' ' || r < 0x80 && isQ(byte(r), phrase) {
		return 1
	}
	return 3 * utf8.RuneLen(r)
}

// isQ tells the characters the Q encoding leaves as they are.
func isQ(c byte, phrase bool) bool {
	if isAlnum(c) || strings.IndexByte("!*+-/", c) >= 0 {
		return true
	}
	return !phrase && c > ' ' && c < 0x7F && c != '=' && c != '?' && c != '_'
}

// isAtoms tells a phrase of plain atoms parted by single spaces.
func isAtoms(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != ' ' && !IsAtext(c) {
			return false
		}
	}
	return s != ""
}

// IsAtext tells the characters of an atom (RFC 5322 3.2.3); octets above 0x7F
// belong to it in the sense of RFC 6532.
func IsAtext(c byte) bool {
	return isAlnum(c) || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
