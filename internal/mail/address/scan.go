package address

import (
	"strings"

	"plenary/internal/mail/message/word"
)

// maxValue bounds how much of a field value is read, in octets; no RFC minimum.
const maxValue = 256 << 10

// Kind says what an Entry is.
type Kind uint8

// The kinds of entry.
const (
	Box        Kind = iota // a mailbox
	GroupStart             // "name:" of a group (RFC 5322 3.4)
	GroupEnd               // its ";"
)

// Entry is one element of an address list as it stands in the field: nothing
// is decoded, checked or normalised. Local or Domain is empty when it is missing.
type Entry struct {
	Kind   Kind
	Name   string // the phrase, else the comment; words joined by one space, quotes removed
	Route  string // obsolete source route without the colon (RFC 5322 4.4)
	Local  string // unquoted
	Domain string
}

// Scan reads an address list tolerantly: at most max entries of at most 256 KiB.
// Unclosed quotes and comments are read as ordinary text; a semicolon outside a
// group parts entries as a comma does. Time and memory are linear.
func Scan(value string, max int) []Entry {
	if len(value) > maxValue {
		value = value[:maxValue]
	}
	s := scanner{in: value, max: max}
	for s.at < len(s.in) && len(s.out) < s.max {
		s.step()
	}
	if len(s.out) < s.max {
		s.flush()
	}
	return s.out
}

// token is one word of an entry.
type token struct {
	text   string
	quoted bool
	at     bool // the @ sign itself
}

// scanner is the state of one Scan.
type scanner struct {
	in       string
	at       int
	max      int
	out      []Entry
	words    []token // since the last separator, before any "<"
	angle    []token // between "<" and ">"
	comment  string
	closed   int  // how many words stood before ">"
	hasAt    bool // an @ sign is among words
	inAngle  bool
	seen     bool // "<" was seen in this entry
	inGroup  bool
	noQuote  bool // an unclosed quote was met: no later one can close either
	noParens bool
}

// step reads one token or separator.
func (s *scanner) step() {
	switch c := s.in[s.at]; c {
	case ' ', '\t', '\r', '\n', 0:
		s.at++
	case '"':
		if text, end, ok := s.quoted(); ok {
			s.add(token{text: text, quoted: true})
			s.at = end
		} else {
			s.at++
		}
	case '(':
		if text, end, ok := s.comments(); ok {
			s.comment = text
			s.at = end
		} else {
			s.at++
		}
	case ',':
		s.at++
		if !s.inAngle || !s.isRoute() {
			s.flush()
		}
	case ';':
		s.at++
		s.flush()
		if s.inGroup {
			s.inGroup = false
			s.out = append(s.out, Entry{Kind: GroupEnd})
		}
	case ':':
		s.at++
		s.colon()
	case '<':
		s.at++
		s.openAngle()
	case '>':
		s.at++
		s.inAngle, s.closed = false, len(s.words)
	case '@':
		s.at++
		s.add(token{text: "@", at: true})
	case ')', '\\':
		s.at++
	default:
		s.atom()
	}
}

// atom reads a run of characters that mean nothing special, or a domain literal.
func (s *scanner) atom() {
	start := s.at
	for s.at < len(s.in) && !strings.ContainsRune(" \t\r\n\x00\"(),;:<>@\\", rune(s.in[s.at])) {
		if s.in[s.at] == '[' && s.at == start {
			if n := strings.IndexAny(s.in[s.at:min(len(s.in), s.at+maxPath)], "] ,<>"); n > 0 && s.in[s.at+n] == ']' {
				s.at += n
			}
		}
		s.at++
	}
	s.add(token{text: s.in[start:s.at]})
}

func (s *scanner) add(t token) {
	if s.inAngle {
		s.angle = append(s.angle, t)
		return
	}
	s.words = append(s.words, t)
	s.hasAt = s.hasAt || t.at
}

// openAngle begins an address in brackets. When the entry has one already, the
// comma was forgotten: what stands between the two is the name of the second.
func (s *scanner) openAngle() {
	if s.seen && !s.inAngle && len(s.angle) > 0 {
		name := append([]token(nil), s.words[s.closed:]...)
		s.words = s.words[:s.closed]
		s.flush()
		s.words = append(s.words, name...)
	}
	s.inAngle, s.seen, s.angle = true, true, s.angle[:0]
}

// isRoute tells whether what stands in the brackets so far is a source route.
func (s *scanner) isRoute() bool { return len(s.angle) > 0 && s.angle[0].at }

// colon ends a group's name, or a source route; elsewhere it is dropped.
func (s *scanner) colon() {
	switch {
	case s.inAngle && s.isRoute():
		s.angle = append(s.angle, token{text: ":"})
	case s.inAngle || s.seen || s.inGroup:
	default:
		if s.hasAt { // an address, not the name of a group
			return
		}
		s.inGroup = true
		s.out = append(s.out, Entry{Kind: GroupStart, Name: join(s.words)})
		s.words, s.comment = s.words[:0], ""
	}
}

// flush ends an entry.
func (s *scanner) flush() {
	if len(s.words) > 0 || s.seen {
		e := Entry{}
		if s.seen {
			e.Name = join(s.words)
			e.Route, s.angle = route(s.angle)
			_, e.Local, e.Domain, _ = addrSpec(s.angle)
		} else {
			e.Name, e.Local, e.Domain, _ = addrSpec(s.words)
		}
		if e.Name == "" {
			e.Name = s.comment
		}
		s.out = append(s.out, e)
	}
	s.words, s.angle, s.comment = s.words[:0], s.angle[:0], ""
	s.seen, s.inAngle, s.hasAt = false, false, false
}

// route takes an obsolete source route off the front.
func route(words []token) (string, []token) {
	if len(words) == 0 || !words[0].at {
		return "", words
	}
	for i, w := range words {
		if w.text == ":" && !w.quoted {
			var out strings.Builder
			for k, r := range words[:i] {
				if r.at && k > 0 {
					out.WriteByte(',')
				}
				out.WriteString(r.text)
			}
			return out.String(), words[i+1:]
		}
	}
	return "", words
}

// addrSpec finds the address in a run of words: the words joined by dots
// around the first @ sign. What stands before is a name; without any @ sign
// the run is a local part, or a name when it has several words.
func addrSpec(words []token) (name, local, domain string, ok bool) {
	at := -1
	for i, w := range words {
		if w.at {
			at = i
			break
		}
	}
	if at < 0 {
		if len(words) == 1 {
			return "", words[0].text, "", false
		}
		return join(words), "", "", false
	}
	start := at
	for start > 0 && (start == at || dotted(words[start-1], words[start])) {
		start--
	}
	end := at + 1
	for end < len(words) && (end == at+1 || words[end].at || words[end-1].at || dotted(words[end-1], words[end])) {
		end++
	}
	return join(words[:start]), glue(words[start:at]), glue(words[at+1 : end]), true
}

// dotted tells two words that a dot holds together, as in "joe . doe".
func dotted(a, b token) bool {
	return !a.quoted && strings.HasSuffix(a.text, ".") || !b.quoted && strings.HasPrefix(b.text, ".")
}

func glue(words []token) string {
	if len(words) == 1 {
		return words[0].text
	}
	var out strings.Builder
	for _, w := range words {
		out.WriteString(w.text)
	}
	return out.String()
}

func join(words []token) string {
	if len(words) == 1 {
		return words[0].text
	}
	var out strings.Builder
	for i, w := range words {
		if i > 0 && !w.at && !words[i-1].at {
			out.WriteByte(' ')
		}
		out.WriteString(w.text)
	}
	return out.String()
}

// quoted reads the quoted string at s.at.
func (s *scanner) quoted() (text string, end int, ok bool) {
	if s.noQuote {
		return "", 0, false
	}
	text, rest, ok := unquote(s.in[s.at:])
	if !ok {
		s.noQuote = true
		return "", 0, false
	}
	return unfold(text), len(s.in) - len(rest), true
}

// comments reads the comment at s.at, nested ones included (RFC 5322 3.2.2).
func (s *scanner) comments() (text string, end int, ok bool) {
	if s.noParens {
		return "", 0, false
	}
	var out strings.Builder
	depth := 0
	for i := s.at; i < len(s.in); i++ {
		c := s.in[i]
		switch {
		case c == '\\' && i+1 < len(s.in):
			i++
			c = s.in[i]
		case c == '(':
			if depth++; depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				return unfold(out.String()), i + 1, true
			}
		}
		out.WriteByte(c)
	}
	s.noParens = true
	return "", 0, false
}

// unfold takes line breaks and the white space around out of a quoted string or comment.
func unfold(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	return word.Line(s)
}
