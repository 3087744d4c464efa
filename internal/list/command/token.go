package command

import (
	"strings"

	"plenary/internal/list/notify"
	"plenary/internal/mail/message"
)

// tokenLength is how long tokens of questions are.
const tokenLength = 26

// known tells whether a token was made here for a question.
func (s *Service) known(tok string) bool {
	return s.Membership.Kind(tok) != 0 || s.Moderation.IsToken(tok)
}

// findToken looks for a token of ours where answers carry it: the subject, which
// mail programs keep, and the Message-IDs of what is answered.
func (s *Service) findToken(h message.Header) string {
	for _, word := range strings.FieldsFunc(h.Text("Subject"), notTokenRune) {
		if looksLikeToken(word) && s.known(word) {
			return word
		}
	}
	refs := h.References()
	for i := len(refs) - 1; i >= 0; i-- {
		if tok := notify.TokenOf(refs[i]); tok != "" && s.known(tok) {
			return tok
		}
	}
	return ""
}

func notTokenRune(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// looksLikeToken tells what may be a token, ours or another server's, from words.
func looksLikeToken(s string) bool {
	return len(s) == tokenLength && !strings.ContainsFunc(s, notTokenRune)
}
