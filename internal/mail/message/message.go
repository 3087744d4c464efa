// Package message reads Internet messages: header fields, MIME structure, text
// for people and for search, and the wire forms IMAP wants.
//
// The raw bytes are the truth and stay untouched: a Header and a Structure hold
// offsets into them, exact to the octet, for CRLF and for LF lines. Parsing
// never fails. It cannot: a list server has to keep and show what it accepted
// thirty years ago. What is damaged is read as far as it goes, and a message
// beyond the limits below is Opaque, one leaf that nobody looks into.
//
// All of it is meant for hostile input: everything is linear in the size of the
// message, nothing recurses over it, and every count has a limit. The third-party
// parser, enmime, needs time 2^depth for unterminated multiparts and quadratic
// time for many parts, so it never sees a multipart at all: Scan finds the parts,
// and enmime gets single text parts whose transfer encoding is damaged.
package message

// Limits of what is looked at. They bound work and memory, not what is accepted.
const (
	MaxDepth     = 50        // levels of multipart and message/rfc822; RFC 2045 knows no limit, real mail stays under 8
	MaxParts     = 1000      // parts of one message
	MaxHeader    = 256 << 10 // octets of one header, the message's or a part's
	MaxFields    = 2000      // fields of one header that are looked at
	maxName      = 256       // octets of a field name; RFC 5322 2.1.1 lets a line have 998
	maxBoundary  = 998       // octets; RFC 2046 5.1.1 says 70
	maxParams    = 100       // parameters of one field
	maxRefs      = 100       // message ids kept of References
	maxID        = 512       // octets of one message id; a line of 998 would have room for more
	maxLanguages = 20        // of Content-Language
)
