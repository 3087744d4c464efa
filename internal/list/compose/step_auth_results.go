package compose

import (
	"strings"

	"plenary/internal/mail/message"
)

// stepAuthResults takes out Authentication-Results fields that claim to be ours
// (RFC 8601 5): whoever wrote them, we did not, and a program that trusts our name
// would believe them. Those of other servers stay, and so do the sealed ones of an
// ARC chain, which carry their own proof. The archive keeps what was received, as
// it was received.
func stepAuthResults(d *Draft) {
	for _, f := range forgedResults(d.header, d.options.Host) {
		d.edits = append(d.edits, edit{start: f.Start, end: f.End})
	}
}

// WithoutForgedResults gives a message that is passed on to people without the
// results of sender checks that somebody wrote in the name of host; else it is as
// it was.
func WithoutForgedResults(raw []byte, host string) []byte {
	at, out := 0, []byte(nil)
	for _, f := range forgedResults(message.ParseHeader(raw), host) {
		out, at = append(out, raw[at:f.Start]...), f.End
	}
	if at == 0 && out == nil {
		return raw
	}
	return append(out, raw[at:]...)
}

// forgedResults finds the Authentication-Results fields that claim to be of host;
// none when host is not known.
func forgedResults(h message.Header, host string) []message.Field {
	var out []message.Field
	for _, f := range h.Fields() {
		if host == "" || !strings.EqualFold(f.Name, "Authentication-Results") {
			continue
		}
		_, value, _ := strings.Cut(string(h.Raw(f)), ":")
		if id := authservID(value); id == "" || strings.EqualFold(id, host) {
			out = append(out, f)
		}
	}
	return out
}

// authservID reads who an Authentication-Results field says it is from: the
// first word, which may be quoted and stand behind comments; "" when there is
// none, as then any reader may take it for his own server's.
func authservID(value string) string {
	depth := 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case depth > 0 && c == '\\':
			i++
		case c == '(':
			depth++
		case depth > 0 && c == ')':
			depth--
		case depth > 0 || c <= ' ':
		case c == '"':
			return quotedWord(value[i+1:])
		default:
			word := value[i:]
			if end := strings.IndexFunc(word, func(r rune) bool { return r <= ' ' || r == ';' || r == '(' || r == '/' }); end >= 0 {
				word = word[:end]
			}
			return strings.TrimSuffix(word, ".")
		}
	}
	return ""
}

// quotedWord reads up to the closing quote.
func quotedWord(s string) string {
	var out strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		if s[i] > ' ' { // folding white space inside quotes is no part of a name
			out.WriteByte(s[i])
		}
	}
	return strings.TrimSuffix(out.String(), ".")
}
