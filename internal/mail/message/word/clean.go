package word

import (
	"strings"
	"unicode/utf8"
)

// Clean makes s fit for any database and page: invalid UTF-8 becomes U+FFFD,
// CRLF becomes LF, a lone CR becomes LF, form feed and vertical tab, which part words,
// become a space, and NUL and all other control characters but LF and TAB go, those of
// direction too.
func Clean(s string) string {
	if s = strings.ReplaceAll(s, "\r\n", "\n"); isClean(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r':
			out.WriteByte('\n')
		case r == '\f', r == '\v':
			out.WriteByte(' ')
		case r == '\n', r == '\t', !isControl(r):
			out.WriteRune(r)
		}
		i += n
	}
	return out.String()
}

// Line is Clean for one line: runs of white space, line and paragraph
// separators included, become one space, and the ends are trimmed.
func Line(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	space := false
	for _, r := range s { // invalid UTF-8 gives U+FFFD
		switch {
		case r == ' ', r == '\t', r == '\r', r == '\n', r == '\f', r == '\v', r == 0x2028, r == 0x2029, r == 0x85:
			space = out.Len() > 0
		case isControl(r):
		default:
			if space {
				out.WriteByte(' ')
				space = false
			}
			out.WriteRune(r)
		}
	}
	return out.String()
}

// isClean tells whether Clean has nothing to do.
func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= ' ' && c < 0x7F, c == '\n', c == '\t':
		case c < 0x80, c == 0xC2 && i+1 < len(s) && s[i+1] < 0xA0, c == 0xEF && strings.HasPrefix(s[i:], "\uFEFF"):
			return false
		case c == 0xE2 && i+2 < len(s) && (s[i+1] == 0x80 && s[i+2] >= 0xAA && s[i+2] <= 0xAE || s[i+1] == 0x81 && s[i+2] >= 0xA6 && s[i+2] <= 0xA9):
			return false // U+202A to U+202E, U+2066 to U+2069
		}
	}
	return utf8.ValidString(s)
}

// isControl tells the characters of class Cc, the byte order mark, which means
// nothing inside a text, and what turns the direction of all that follows, by which
// "gpj.exe" is shown as "exe.jpg" and a name as another one. The marks of scripts that
// run from right to left (U+200E, U+200F) and joiners stay: people write with them.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7F && r < 0xA0 || r == 0xFEFF || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
