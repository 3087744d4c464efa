package mailauth

// signedField is one line of the table of what is signed.
type signedField struct {
	name string // lower case
	over bool   // named once more than it is there, so that none can be added
}

// signedFields are the fields that are signed, in the order of h=. Oversigned is
// what a reader or his program acts on. The others may be added later with good
// reason (a nested list, a resender), and are signed as often as they are there.
//
// Not signed are what servers on the way may change: Received, Return-Path,
// Authentication-Results and the like (RFC 6376 5.4.1).
var signedFields = [...]signedField{ //nolint:gochecknoglobals // a constant table
	{"from", true},
	{"sender", false},
	{"reply-to", true},
	{"to", true},
	{"cc", true},
	{"subject", true},
	{"date", true},
	{"message-id", true},
	{"in-reply-to", true},
	{"references", true},
	{"mime-version", true},
	{"content-type", true},
	{"content-transfer-encoding", true},
	{"resent-from", false},
	{"resent-to", false},
	{"resent-cc", false},
	{"resent-date", false},
	{"resent-message-id", false},
	{"auto-submitted", false},
	{"feedback-id", false},  // Gmail counts complaints by it only when it is signed
	{"cfbl-address", false}, // RFC 9477 3.1.4 wants it signed
	{"list-id", true},
	{"list-post", true},
	{"list-help", true},
	{"list-subscribe", true},
	{"list-owner", true},
	{"list-archive", true},
	{"archived-at", true},
	{"list-unsubscribe-post", true}, // RFC 8058 4 wants both signed
	{"list-unsubscribe", true},      // last, because it differs from copy to copy
}
