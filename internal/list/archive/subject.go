package archive

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
)

// baseSubject is RFC 5256 2.1 to the letter, for SORT and THREAD, whose answers
// a mail client may work out for itself. (message.BaseSubject, which knows more
// languages and the list's tag, is for people.) reply tells whether the subject
// is that of an answer or of something forwarded.
func baseSubject(decoded string) (base string, reply bool) {
	s := strings.Join(strings.Fields(decoded), " ")
	for {
		for { // (2)
			rest := strings.TrimRight(s, " ")
			if n := len(rest) - len("(fwd)"); n >= 0 && strings.EqualFold(rest[n:], "(fwd)") {
				s, reply = rest[:n], true
				continue
			}
			s = rest
			break
		}
		var was bool
		s, was = withoutLeaders(s)
		reply = reply || was
		if len(s) < len("[fwd:]") || !strings.EqualFold(s[:5], "[fwd:") || s[len(s)-1] != ']' { // (6)
			return s, reply
		}
		s, reply = s[5:len(s)-1], true
	}
}

// withoutLeaders does steps (3) to (5): one walk, however many there are.
func withoutLeaders(s string) (rest string, reply bool) {
	for {
		s = strings.TrimLeft(s, " ")
		at := 0
		for n := subjectBlob(s); n > 0; n = subjectBlob(s[at:]) {
			at += n
		}
		if n := replyLeader(s[at:]); n > 0 { // (3)
			s, reply = s[at+n:], true
			continue
		}
		// (4): blobs go as long as something is left behind them.
		if at < len(s) {
			return s[at:], reply
		}
		for n := subjectBlob(s); n > 0 && n < len(s); n = subjectBlob(s) {
			s = s[n:]
		}
		return s, reply
	}
}

// subjectBlob gives the length of "[...]" and the spaces behind it, or 0.
func subjectBlob(s string) int {
	if s == "" || s[0] != '[' {
		return 0
	}
	n := strings.IndexAny(s[1:], "[]")
	if n < 0 || s[1+n] == '[' {
		return 0
	}
	n += 2
	return n + len(s[n:]) - len(strings.TrimLeft(s[n:], " "))
}

// replyLeader gives the length of re, fw or fwd, a blob and a colon, or 0.
func replyLeader(s string) int {
	for _, word := range [...]string{"re", "fwd", "fw"} {
		if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) {
			continue
		}
		at := len(word)
		at += len(s[at:]) - len(strings.TrimLeft(s[at:], " "))
		at += subjectBlob(s[at:])
		if at < len(s) && s[at] == ':' {
			return at + 1
		}
	}
	return 0
}

// casemap makes the form by which i;unicode-casemap compares (RFC 5051):
// titlecase, then decomposed.
func casemap(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError {
			b.WriteRune(r)
			continue
		}
		b.WriteRune(unicode.ToTitle(r))
	}
	return norm.NFKD.String(b.String())
}

// subjectKey is what SORT SUBJECT compares.
func subjectKey(field []byte) (key, shown string, reply bool) {
	base, reply := baseSubject(decodedForm(field))
	return casemap(base), "", reply
}

// decodedForm gives the decoded form of the first value of a kept field.
func decodedForm(field []byte) string {
	first, _, _ := strings.Cut(string(field), instanceMark)
	if _, decoded, ok := strings.Cut(first, decodedMark); ok {
		return decoded
	}
	return first
}

// mailboxKey is what SORT FROM, TO and CC compare: the mailbox name of the first
// address (RFC 5256 section 3), without its domain. shown is what DISPLAYFROM and
// DISPLAYTO compare: its name as people read it, else the whole address (RFC 5957).
func mailboxKey(field []byte) (key, shown string, reply bool) {
	first, _, _ := strings.Cut(string(field), instanceMark)
	raw, _, _ := strings.Cut(first, decodedMark)
	if n := strings.IndexByte(raw, '>'); n > 0 && strings.IndexByte(raw[:n], '<') >= 0 && !strings.ContainsAny(raw[:n], `",;:(`) {
		raw = raw[:n+1] // the usual form: the rest cannot matter
	}
	entries := address.Scan(raw, 1)
	if len(entries) == 0 {
		return "", "", false
	}
	e := entries[0]
	shown = message.DecodeWords(e.Name)
	if e.Kind == address.GroupStart { // its name is the mailbox (RFC 9051 7.5.2)
		return casemap(e.Name), casemap(shown), false
	}
	if shown == "" {
		if shown = e.Local; e.Domain != "" {
			shown += "@" + e.Domain
		}
	}
	return casemap(e.Local), casemap(shown), false
}
