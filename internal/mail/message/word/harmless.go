package word

import (
	"strings"
	"unicode"
)

// linkLeftOut stands where a web address was.
const linkLeftOut = "[…]"

// Harmless makes a stranger's words fit for a letter to somebody who may not have
// written them: one line of at most max characters, and nothing in it that mail
// programs make a link of. Web addresses go; mail addresses and names of hosts come
// apart ("ann at example. org"), so that people can still read them.
func Harmless(s string, max int) string {
	words := strings.Fields(Line(s))
	for i, w := range words {
		lower := strings.ToLower(w)
		if strings.Contains(lower, "http") || strings.Contains(lower, "www.") || strings.Contains(w, "//") {
			words[i] = linkLeftOut
		} else if strings.ContainsAny(w, "@＠.") {
			words[i] = apart(w)
		}
	}
	out := []rune(strings.Join(words, " "))
	if len(out) > max {
		out = append(out[:max-1], '…')
	}
	return string(out)
}

// apart takes a word apart at its at signs, and at each dot before a letter.
func apart(w string) string {
	var out strings.Builder
	runes := []rune(w)
	for i, r := range runes {
		switch {
		case r == '@' || r == '＠':
			out.WriteString(" at ")
		case r == '.' && i > 0 && i+1 < len(runes) && unicode.IsLetter(runes[i+1]):
			out.WriteString(". ")
		default:
			out.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}
