package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

const rfc5322Date = "Mon, 02 Jan 2006 15:04:05 -0700"

// ArchiveInfo is what the fields of our own say of a message's arrival.
type ArchiveInfo struct {
	Trace      []byte    // the Received field, from Trace; empty: none
	ReceivedAt time.Time // when we took the message
	BaseURL    string    // of the web; empty: none
	ArchivedAt string    // URL of the post; empty: none
}

// Arrival is how a message came in, for the Received field.
type Arrival struct {
	Helo     string // what the peer called itself
	Addr     netip.Addr
	Protocol string // RFC 3848: SMTP, ESMTPS, LMTP ...
	Host     string // our own name
	At       time.Time
}

// Trace makes the Received field of a message that came for one of our addresses
// (RFC 5321 4.4). The account of an authenticated author is not in it.
func Trace(to address.Address, a Arrival) []byte {
	var from strings.Builder
	if helo := traceWord(a.Helo); helo != "" {
		from.WriteString("from " + helo)
		if a.Addr.IsValid() {
			from.WriteString(" (" + addressLiteral(a.Addr) + ")")
		}
		from.WriteByte(' ')
	} else if a.Addr.IsValid() {
		from.WriteString("from " + addressLiteral(a.Addr) + " ")
	}
	protocol := traceWord(a.Protocol)
	if protocol == "" {
		protocol = "SMTP"
	}
	host := traceWord(a.Host)
	if host == "" {
		host = to.Domain
	}
	return field("Received", from.String()+"by "+host+" with "+protocol+" for <"+to.Compatible().String()+">; "+a.At.UTC().Format(rfc5322Date))
}

// addressLiteral writes an IP address as RFC 5321 4.1.3 wants it.
func addressLiteral(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		return "[IPv6:" + a.WithZone("").String() + "]"
	}
	return "[" + a.String() + "]"
}

// traceWord keeps of a foreign word what can stand in a domain, a literal or a
// keyword.
func traceWord(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(".-_:[]", r):
			return r
		}
		return -1
	}, s)
	return cut(s, 255)
}

// Archived makes the header fields of our own that the archive keeps in front of
// the received message, so that a mail client can reply to the list from the
// archive. It gives these fields only, without an empty line.
func Archived(l *model.List, raw []byte, info ArchiveInfo) []byte {
	o := Snapshot(l, info.BaseURL, info.ArchivedAt)
	out := append([]byte(nil), info.Trace...)
	for _, f := range listFields(&o) {
		out = append(out, f...)
	}
	out = append(out, field("List-Unsubscribe", mailto(o.head("leave")))...)
	h := message.ParseHeader(raw)
	if lacksMessageID(h) {
		out = append(out, field("Message-ID", "<"+madeID(l, h, raw, info.ReceivedAt)+">")...)
	}
	if !h.Has("Date") {
		out = append(out, field("Date", info.ReceivedAt.UTC().Format(rfc5322Date))...)
	}
	return append(out, guard(raw)...)
}

// MessageID is the Message-ID of a post, without brackets: its own, or the one
// Archived gives it.
func MessageID(l *model.List, h message.Header, raw []byte, receivedAt time.Time) string {
	if lacksMessageID(h) {
		return madeID(l, h, raw, receivedAt)
	}
	return h.MessageID()
}

// madeID names a message by its bytes, so that a client that did not see our 250
// and offers it again is recognised. The same words on another day are another
// post: with neither Message-ID nor Date, the day counts.
func madeID(l *model.List, h message.Header, raw []byte, receivedAt time.Time) string {
	sum := sha256.New()
	sum.Write(raw)
	if !h.Has("Date") {
		sum.Write([]byte(receivedAt.UTC().Format("2006-01-02")))
	}
	return "plenary." + hex.EncodeToString(sum.Sum(nil)[:16]) + "@" + l.Domain
}
