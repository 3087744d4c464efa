package message

import (
	"strconv"
	"strings"

	"plenary/internal/mail/address"
)

// maxQuoted is the longest string written in quotes; longer ones go as
// literals, which no client's line buffer limits.
const maxQuoted = 1000

// appendString writes an IMAP string (RFC 9051 4.3): quoted when it is plain
// ASCII, a synchronised literal otherwise, because a client that did not enable
// UTF-8 may not be sent 8-bit octets in quotes. NUL, which no literal may hold,
// becomes 0x80 as in Dovecot.
func appendString(dst []byte, s string) []byte {
	quoted := len(s) <= maxQuoted
	nul := false
	for i := 0; i < len(s) && (quoted || !nul); i++ {
		switch c := s[i]; {
		case c == 0:
			quoted, nul = false, true
		case c >= 0x80, c == '\r', c == '\n':
			quoted = false
		}
	}
	if !quoted {
		if nul {
			s = strings.ReplaceAll(s, "\x00", "\x80")
		}
		dst = append(dst, '{')
		dst = strconv.AppendInt(dst, int64(len(s)), 10)
		dst = append(dst, "}\r\n"...)
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// appendNString writes a string, or NIL for the empty one.
func appendNString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}

// Envelope gives the ENVELOPE of a message as IMAP writes it, brackets included
// (RFC 9051 7.5.2). Values are as they stand in the header, unfolded and not
// decoded; white space in the subject and in names is made single. Several fields of one kind are read as one, so that a client cannot
// be shown an author whom nobody checked. Sender and Reply-To default to From;
// a mailbox without its local part or domain says MISSING_MAILBOX or
// MISSING_DOMAIN, as Dovecot has it.
func Envelope(h Header) []byte {
	dst := make([]byte, 0, 512)
	dst = append(dst, '(')
	dst = appendField(dst, h, "Date")
	dst = append(dst, ' ')
	if f, ok := h.find("Subject"); ok {
		dst = appendString(dst, single(h.value(f)))
	} else {
		dst = append(dst, "NIL"...)
	}
	from := appendAddresses(nil, strings.Join(h.All("From"), ", "))
	dst = append(append(dst, ' '), from...)
	for _, name := range []string{"Sender", "Reply-To", "To", "Cc", "Bcc"} {
		dst = append(dst, ' ')
		n := len(dst)
		dst = appendAddresses(dst, strings.Join(h.All(name), ", "))
		if (name == "Sender" || name == "Reply-To") && string(dst[n:]) == "NIL" {
			dst = append(dst[:n], from...)
		}
	}
	dst = append(dst, ' ')
	dst = appendField(dst, h, "In-Reply-To")
	dst = append(dst, ' ')
	dst = appendField(dst, h, "Message-ID")
	return append(dst, ')')
}

// appendField writes an unstructured field: NIL when absent, "" when empty.
func appendField(dst []byte, h Header, name string) []byte {
	f, ok := h.find(name)
	if !ok {
		return append(dst, "NIL"...)
	}
	return appendString(dst, h.value(f))
}

// single makes runs of spaces and tabs one space.
func single(s string) string {
	if !strings.Contains(s, "  ") && strings.IndexByte(s, '\t') < 0 {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' }), " ")
}

// maxEnvelope bounds the addresses of one field in an envelope.
const maxEnvelope = 2000

// appendAddresses writes an address list (RFC 9051 7.5.2), or NIL when it holds
// nothing. Groups have their own two forms.
func appendAddresses(dst []byte, value string) []byte {
	entries := address.Scan(value, maxEnvelope)
	if len(entries) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	open := false
	for _, e := range entries {
		switch e.Kind {
		case address.GroupStart:
			dst = append(dst, "(NIL NIL "...)
			dst = appendString(dst, single(e.Name))
			dst = append(dst, " NIL)"...)
			open = true
		case address.GroupEnd:
			dst = append(dst, "(NIL NIL NIL NIL)"...)
			open = false
		default:
			dst = appendMailbox(dst, e)
		}
	}
	if open {
		dst = append(dst, "(NIL NIL NIL NIL)"...)
	}
	return append(dst, ')')
}

func appendMailbox(dst []byte, e address.Entry) []byte {
	if e.Local == "" {
		e.Local = "MISSING_MAILBOX"
	}
	if e.Domain == "" {
		e.Domain = "MISSING_DOMAIN"
	}
	dst = append(dst, '(')
	dst = appendNString(dst, single(e.Name))
	dst = append(dst, ' ')
	dst = appendNString(dst, e.Route)
	dst = append(dst, ' ')
	dst = appendString(dst, e.Local)
	dst = append(dst, ' ')
	dst = appendString(dst, e.Domain)
	return append(dst, ')')
}
