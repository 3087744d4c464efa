package smtpin

import (
	"strings"
	"unicode"

	"github.com/emersion/go-smtp"
	"golang.org/x/text/unicode/norm"

	"plenary/internal/fault"
)

type replyCode struct {
	code     int
	enhanced smtp.EnhancedCode // RFC 3463
}

// replyCodes is the one table from what went wrong to what the peer reads.
var replyCodes = [...]replyCode{
	fault.Internal:        {451, smtp.EnhancedCode{4, 3, 0}},
	fault.Temporary:       {451, smtp.EnhancedCode{4, 3, 0}},
	fault.StorageFull:     {452, smtp.EnhancedCode{4, 3, 1}},
	fault.Invalid:         {550, smtp.EnhancedCode{5, 6, 0}},
	fault.NotFound:        {550, smtp.EnhancedCode{5, 1, 1}},
	fault.Conflict:        {550, smtp.EnhancedCode{5, 7, 0}},
	fault.Forbidden:       {550, smtp.EnhancedCode{5, 7, 1}},
	fault.Unauthenticated: {530, smtp.EnhancedCode{5, 7, 0}},
	fault.TooLarge:        {552, smtp.EnhancedCode{5, 3, 4}},
	fault.TooMany:         {452, smtp.EnhancedCode{4, 5, 3}},
	fault.Expired:         {550, smtp.EnhancedCode{5, 7, 0}},
}

// codeOf gives the reply of a kind; a kind without a row is Internal.
func codeOf(kind fault.Kind) replyCode {
	if int(kind) < len(replyCodes) {
		return replyCodes[kind]
	}
	return replyCodes[fault.Internal]
}

// replyTo makes the reply for kind. beside is the number of octets that
// go-smtp puts on the same line (LMTP names the recipient); utf8 says that the
// client asked for SMTPUTF8, and may read it.
//
// It must be a bare *smtp.SMTPError: go-smtp does not look through wrapped
// errors and would show their text in a permanent 554.
func replyTo(kind fault.Kind, text string, beside int, utf8 bool) *smtp.SMTPError {
	row := codeOf(kind)
	if text == "" {
		text = fault.Text(nil)
	}
	return &smtp.SMTPError{Code: row.code, EnhancedCode: row.enhanced, Message: wireText(text, beside, utf8)}
}

func reply(code int, enhanced smtp.EnhancedCode, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

const (
	replyOverhead  = len("250-5.7.11 \r\n") + 2
	shortestText   = 80 // even beside a very long recipient
	textCutSign    = " ..."
	typographyFrom = "‘’‚‛“”„‟‹›«»–—―−•"
	typographyTo   = "''''\"\"\"\"''\"\"----*"
)

// wireText makes a text fit for one reply line of 512 octets in all (RFC 5321
// 4.5.3.1.5). With SMTPUTF8 it may hold UTF-8 (RFC 6531 3.7.1), else printable
// ASCII only (RFC 5321 4.2): accents fall off, typographic marks become plain
// ones, what has no ASCII form becomes a question mark.
func wireText(text string, beside int, utf8 bool) string {
	var b strings.Builder
	form := norm.NFKD
	if utf8 {
		form = norm.NFC
	}
	for _, r := range form.String(text) {
		switch at := strings.IndexRune(typographyFrom, r); {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			b.WriteByte(' ')
		case utf8 && mayBeSaid(r):
			b.WriteRune(r)
		case at >= 0:
			b.WriteByte(typographyTo[len([]rune(typographyFrom[:at]))])
		case unicode.Is(unicode.Mn, r):
		case r > '~':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	line := strings.Join(strings.Fields(b.String()), " ")
	room := max(maxReplyLine-replyOverhead-beside, shortestText)
	if len(line) <= room {
		return line
	}
	line = strings.ToValidUTF8(line[:room-len(textCutSign)], "")
	if at := strings.LastIndexByte(line, ' '); at > 0 {
		line = line[:at]
	}
	return line + textCutSign
}

// mayBeSaid tells what a reply may hold where UTF-8 is allowed.
func mayBeSaid(r rune) bool { return r != unicode.ReplacementChar && unicode.IsGraphic(r) }
