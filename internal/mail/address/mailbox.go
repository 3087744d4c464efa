package address

import (
	"strings"

	"plenary/internal/mail/message/word"
)

// maxName bounds a display name on the way out, in octets: a longer one is cut
// at a character, so that a field of one mailbox stays under the 998 octets a
// line may have (RFC 5322 2.1.1) even as encoded words.
const maxName = 192

// Mailbox is an address with the name shown beside it (RFC 5322 3.4).
type Mailbox struct {
	Name    string // decoded, one line; may be empty
	Address Address
}

// String gives the header form: name and address in brackets, or the bare
// address. The name is quoted or encoded (RFC 2047) as needed; CR, LF and
// control characters cannot get out. Encoded words are parted by single spaces;
// whoever writes the field folds there.
func (m Mailbox) String() string {
	name := word.EncodePhrase(cut(word.Line(m.Name), maxName))
	if name == "" || name == `""` {
		return m.Address.String()
	}
	return name + " <" + m.Address.String() + ">"
}

// cut shortens s to at most max octets without splitting a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && s[max]&0xC0 == 0x80 {
		max--
	}
	return strings.TrimRight(s[:max], " ")
}

// maxEntries bounds the mailboxes taken from one field; a field with more is abuse.
const maxEntries = 2000

// ParseList reads the mailboxes of a To, Cc, From or similar field. Groups are
// opened, comments serve as names, encoded words are decoded wherever they
// stand, and entries that hold no usable address are skipped. At most 2000
// entries and 256 KiB are read.
func ParseList(headerValue string) []Mailbox {
	var boxes []Mailbox
	for _, e := range Scan(headerValue, maxEntries) {
		if e.Kind != Box {
			continue
		}
		a, err := build(strings.TrimPrefix(e.Local, "mailto:"), strings.TrimSuffix(e.Domain, "."))
		if err != nil {
			continue
		}
		boxes = append(boxes, Mailbox{Name: word.Line(word.Decode(e.Name)), Address: a})
	}
	return boxes
}
