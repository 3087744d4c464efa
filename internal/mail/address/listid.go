package address

import (
	"strings"

	"plenary/internal/mail/message/word"
)

// maxPhrase bounds the words in front of a list's identifier, in octets.
const maxPhrase = 192

// ListID is the value of a List-Id field (RFC 2919 3), the same in the copies of
// posts and in letters: a phrase for people, the first of those that is not empty,
// and the identifier, in ASCII.
func ListID(local, domain string, phrases ...string) string {
	label := strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7F || strings.ContainsRune(`<>()[],;:\"`, r) {
			return -1
		}
		return r
	}, ASCIIName(local))
	id := "<" + label + "." + domain + ">"
	for _, p := range phrases {
		if p = word.EncodePhrase(cut(word.Line(p), maxPhrase)); p != "" && p != `""` {
			return p + " " + id
		}
	}
	return id
}
