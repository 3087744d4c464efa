// Package word reads and writes the text of header fields: RFC 2047 encoded
// words, raw 8-bit text, and the charsets behind both.
//
// Reading is tolerant, because half of all encoded words in old archives break
// a rule: spaces inside the word, characters split between two words, missing
// padding, unknown charsets, words inside quoted strings. Nothing is ever lost:
// what cannot be decoded is shown as it stands. Writing is strict. Everything
// is linear in its input and keeps no state. It stands below mail/address and
// mail/message, which both need it.
package word

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const maxEncoded = 75 // RFC 2047 2: an encoded word has at most 75 octets

// piece is one encoded word found in a text.
type piece struct {
	start, end int // in the text, end after "?="
	charset    string
	octets     []byte
}

// Decode gives the text of an unstructured field or phrase: encoded words
// decoded, white space between two of them dropped (RFC 2047 6.2), raw 8-bit
// octets read by Guess. The result is valid UTF-8; it may hold control
// characters, see Line.
func Decode(s string) string { return DecodeHint(s, "") }

// DecodeHint is Decode with the charset that raw octets which are not UTF-8
// are likely to be in, such as that of the message's body.
func DecodeHint(s, charset string) string {
	last := strings.LastIndex(s, "?=")
	if last < 0 || !strings.Contains(s, "=?") {
		return plain(s, charset)
	}
	var out strings.Builder
	var held []byte // octets of neighbouring words of one charset, decoded together
	var heldCharset string
	flush := func() {
		if held != nil {
			text, _ := FromCharset(held, heldCharset)
			out.WriteString(text)
			held = nil
		}
	}
	at := 0 // everything before is written
	for i := 0; i <= last; {
		j := strings.Index(s[i:], "=?")
		if j < 0 || i+j > last {
			break
		}
		p, ok := readPiece(s, i+j, last)
		if !ok {
			i += j + 2
			continue
		}
		between := s[at:p.start]
		if held == nil || !blank(between) {
			flush()
			out.WriteString(plain(between, charset))
		} else if !strings.EqualFold(heldCharset, p.charset) {
			flush()
		}
		if held == nil {
			held, heldCharset = []byte{}, p.charset
		}
		held = append(held, p.octets...)
		at, i = p.end, p.end
	}
	flush()
	out.WriteString(plain(s[at:], charset))
	return out.String()
}

// readPiece reads the encoded word that may begin at s[start:]; last is where
// the last "?=" of s stands, so that no search runs past all hope.
func readPiece(s string, start, last int) (piece, bool) {
	i := start + 2
	q := strings.IndexByte(s[i:min(len(s), i+maxCharsetName+1)], '?')
	if q <= 0 || i+q+3 > len(s) || s[i+q+2] != '?' {
		return piece{}, false
	}
	charset := s[i : i+q]
	if strings.ContainsAny(charset, " \t\r\n\"()<>") {
		return piece{}, false
	}
	if star := strings.IndexByte(charset, '*'); star >= 0 { // RFC 2231 5: language follows
		charset = charset[:star]
	}
	method, text := s[i+q+1], i+q+3
	if text > last {
		return piece{}, false
	}
	n := strings.Index(s[text:], "?=")
	p := piece{start: start, end: text + n + 2, charset: charset}
	switch method {
	case 'q', 'Q':
		p.octets = decodeQ(s[text : text+n])
	case 'b', 'B':
		p.octets = decodeB(s[text : text+n])
	default:
		return piece{}, false
	}
	return p, true
}

// decodeQ reads the Q encoding (RFC 2047 4.2); a broken =XX stays as it stands.
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// decodeB reads base64 without minding foreign characters or missing padding.
// Padding in the middle (words glued together) begins anew.
func decodeB(s string) []byte {
	out := make([]byte, 0, len(s)*3/4+3)
	letters := make([]byte, 0, len(s))
	flush := func() {
		if len(letters)%4 == 1 {
			letters = letters[:len(letters)-1]
		}
		buf := make([]byte, base64.RawStdEncoding.DecodedLen(len(letters)))
		n, _ := base64.RawStdEncoding.Decode(buf, letters)
		out = append(out, buf[:n]...)
		letters = letters[:0]
	}
	for i := 0; i < len(s); i++ {
		if isBase64(s[i]) {
			letters = append(letters, s[i])
		} else if s[i] == '=' {
			flush()
		}
	}
	flush()
	return out
}

// plain gives raw header text as UTF-8.
func plain(s, charset string) string {
	if utf8.ValidString(s) {
		if charset != "" && strings.IndexByte(s, 0x1B) >= 0 && strings.HasPrefix(strings.ToLower(charset), "iso-2022") {
			text, _ := FromCharset([]byte(s), charset) // raw ISO-2022-JP is 7-bit, and so looks like UTF-8
			return text
		}
		return s
	}
	if charset != "" {
		text, _ := FromCharset([]byte(s), charset)
		return text
	}
	return Guess([]byte(s))
}

func blank(s string) bool { return strings.Trim(s, " \t\r\n") == "" }

// unhex gives the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
