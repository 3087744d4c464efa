// Package address holds e-mail addresses: reading them strictly when somebody
// gives one, reading them tolerantly out of header fields, and writing them so
// that nothing can be smuggled into a header or an SMTP command.
//
// An Address is a value with a normal form: the domain in lower-case A-labels,
// the local part in Unicode NFC and otherwise as typed. Key is its identity for
// look-ups. Dots and +tags are never folded: only the receiving site knows what
// they mean. Domain literals and source routes are refused: a list serves
// mailboxes of domains, and a literal would let a stranger point the sender at
// any machine. Nothing here touches the network or keeps state; reading is
// linear in its input.
package address

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"plenary/internal/fault"
	"plenary/internal/mail/message/word"
)

// Limits, with what the RFC demands beside each.
const (
	maxLocal  = 64  // octets, RFC 5321 4.5.3.1.1
	maxDomain = 253 // octets as A-labels; RFC 5321 4.5.3.1.2 says 255, DNS allows 253 in text form
	maxLabel  = 63  // octets, RFC 1035 2.3.4
	maxPath   = 254 // octets of the whole address; RFC 5321 4.5.3.1.3 says 256 with the brackets
	maxTyped  = 4 * maxPath
)

// Address is one mailbox. The zero value is no address.
type Address struct {
	Local  string // unquoted, as typed, Unicode NFC
	Domain string // lower-case A-labels
}

// Parse reads one address as a person or a peer gives it: a@b or <a@b>, with
// quoted local parts (RFC 5321 4.1.2) and UTF-8 (RFC 6531). White space around
// it is dropped. Display names, comments, source routes, domain literals and
// control characters are refused. The error is a fault of kind Invalid whose
// text can be shown.
func Parse(s string) (Address, error) {
	if len(s) > maxTyped {
		return Address{}, invalid("It is too long.")
	}
	s = strings.TrimSpace(s)
	if n := len(s); n >= 2 && s[0] == '<' && s[n-1] == '>' {
		s = s[1 : n-1]
	}
	local, domain, err := split(s)
	if err != nil {
		return Address{}, err
	}
	return build(local, domain)
}

// split parts an address at the right @ and unquotes the local part.
func split(s string) (local, domain string, err error) {
	if strings.HasPrefix(s, `"`) {
		local, rest, ok := unquote(s)
		if !ok || !strings.HasPrefix(rest, "@") {
			return "", "", invalid("The quoted part is not closed before the @ sign.")
		}
		return local, rest[1:], nil
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", "", invalid("The @ sign is missing.")
	}
	local = s[:at]
	for i := 0; i < len(local); i++ {
		if c := local[i]; c != '.' && !word.IsAtext(c) {
			return "", "", invalid("It contains a character that is not allowed there.")
		}
	}
	return local, s[at+1:], nil
}

// unquote reads the quoted string at the start of s.
func unquote(s string) (text, rest string, ok bool) {
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return out.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		out.WriteByte(s[i])
	}
	return "", "", false
}

// build checks and normalises the two halves.
func build(local, domain string) (Address, error) {
	local = norm.NFC.String(local)
	switch {
	case local == "":
		return Address{}, invalid("The part before the @ sign is missing.")
	case len(local) > maxLocal:
		return Address{}, invalid("The part before the @ sign is longer than %d octets.", maxLocal)
	case !utf8.ValidString(local) || strings.ContainsFunc(local, forbidden):
		return Address{}, invalid("It contains a character that is not allowed.")
	}
	ascii, err := toASCII(domain)
	if err != nil {
		return Address{}, err
	}
	if len(local)+1+len(ascii) > maxPath {
		return Address{}, invalid("It is longer than %d octets.", maxPath)
	}
	return Address{Local: local, Domain: ascii}, nil
}

// forbidden tells characters no local part may hold: controls, line breaks,
// spaces other than U+0020, and invisible marks that make two addresses look
// alike. The two joiners are needed to write Persian and Indic names.
func forbidden(r rune) bool {
	switch {
	case r == ' ', r == 0x200C, r == 0x200D:
		return false
	case r < 0x80:
		return r < ' ' || r == 0x7F
	}
	return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == utf8.RuneError
}

// toASCII gives the A-label form of a domain.
func toASCII(domain string) (string, error) {
	if domain == "" {
		return "", invalid("The domain after the @ sign is missing.")
	}
	ascii := strings.ToLower(domain)
	if !isASCII(ascii) || strings.Contains(ascii, "xn--") {
		var err error
		if ascii, err = idna.Lookup.ToASCII(domain); err != nil || !utf8.ValidString(domain) || !stable(ascii) {
			return "", invalid("The domain after the @ sign is not valid.")
		}
	}
	if len(ascii) > maxDomain {
		return "", invalid("The domain after the @ sign is too long.")
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", invalid("The domain after the @ sign is not valid.")
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" { // an IP number, not a domain
		return "", invalid("The domain after the @ sign is a number.")
	}
	return ascii, nil
}

// stable tells a domain in A-labels that stands for itself.
func stable(ascii string) bool {
	again, err := idna.Lookup.ToASCII(ascii)
	return err == nil && again == ascii
}

// isLabel tells one label of a host name (RFC 1123 2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// String gives the address as it goes into SMTP commands and header fields,
// without brackets; the local part is quoted when it is no dot-atom. A zero
// Address gives "".
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	return quoteLocal(a.Local) + "@" + a.Domain
}

// Key is the identity of the address for look-ups and unique indexes: local
// part in lower case and NFC, domain in A-labels.
func (a Address) Key() string {
	if a.IsZero() {
		return ""
	}
	return norm.NFC.String(strings.ToLower(a.Local)) + "@" + a.Domain
}

// Unicode is String with the domain in U-labels, for people to read. Never use
// it to compare or to send.
func (a Address) Unicode() string {
	if a.IsZero() {
		return ""
	}
	domain, err := idna.Lookup.ToUnicode(a.Domain)
	if err != nil {
		domain = a.Domain
	}
	return quoteLocal(a.Local) + "@" + domain
}

// ForPeople is Unicode of an address, or a domain, that is text; what is neither
// stays as it is.
func ForPeople(text string) string {
	if a, err := Parse(text); err == nil {
		return a.Unicode()
	}
	if a, err := Parse("x@" + text); err == nil {
		return strings.TrimPrefix(a.Unicode(), "x@")
	}
	return text
}

// NeedsUTF8 tells whether the address can only travel with SMTPUTF8 (RFC 6531).
func (a Address) NeedsUTF8() bool { return !isASCII(a.Local) }

// IsZero tells the Address that is none.
func (a Address) IsZero() bool { return a.Local == "" && a.Domain == "" }

// quoteLocal quotes a local part that is no dot-atom.
func quoteLocal(local string) string {
	for i := 0; i < len(local); i++ {
		c := local[i]
		edge := i == 0 || i == len(local)-1 || local[i-1] == '.'
		if c == '.' && edge || c != '.' && !word.IsAtext(c) {
			return word.Quote(local)
		}
	}
	return local
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "This is not a usable e-mail address. "+format, args...)
}
