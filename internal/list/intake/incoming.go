package intake

import (
	"net/netip"

	"plenary/internal/fault"
)

// Peer is who handed a message in, as the door saw it.
type Peer struct {
	Addr     netip.Addr
	Helo     string
	TLS      bool
	Protocol string // the "with" word of the Received field (RFC 3848): SMTP, ESMTP, ESMTPS, LMTP ...
	Account  string // address of the authenticated account, or empty
}

// Incoming is one SMTP or LMTP transaction after the final dot.
type Incoming struct {
	ReversePath  string // MAIL FROM without brackets; empty is the null reverse-path
	Recipients   []string
	Raw          []byte // the message as received, CRLF lines, dot-unstuffed
	Peer         Peer
	PerRecipient bool // LMTP: each recipient gets its own reply
}

// Outcome is what became of a message for one recipient.
type Outcome struct {
	Recipient string
	Accepted  bool       // committed; the reply may be 250
	Kind      fault.Kind // why not, when not accepted
	Text      string     // one sentence for a human; never empty when not accepted
}
