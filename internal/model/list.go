// Package model holds the nouns of Plenary: plain values without behaviour
// beyond naming themselves, shared by services, doors and the store.
//
// The store maps each struct to the table of the same name (snake case); the
// SQL in migrations/ is the schema, and a test holds the two against each
// other. Enumerations are typed and their zero value is the safe choice. Times
// are Instant (microseconds UTC) in both dialects. A post's ID is its list and
// its IMAP UID in one number, so that one key serves archive, index and IMAP.
package model

import "strings"

// ListKind is the preset a list was made from.
type ListKind uint8

// The kinds of lists.
const (
	Discussion   ListKind = iota // subscribers post
	Announcement                 // only editors, moderators and owners post
	Newsletter                   // issues made by editors
)

// JoinPolicy says what joining takes.
type JoinPolicy uint8

// The join policies. Confirm, the zero value, is the safe one: the address
// itself must answer.
const (
	JoinConfirm         JoinPolicy = iota // the address answers a confirmation
	JoinConfirmModerate                   // and then a moderator agrees
	JoinClosed                            // only owners add
)

// Access says who may read an archive.
type Access uint8

// The archive policies.
const (
	AccessMembers Access = iota // subscribers, moderators, owners
	AccessPublic                // anyone, also anonymously by IMAP
)

// ReplyTo says where a plain reply to a post goes.
type ReplyTo uint8

// The reply policies.
const (
	ReplyToAuthor ReplyTo = iota // the message is left as the author wrote it
	ReplyToList                  // Reply-To names the list
)

// List is one mailing list: its address, its policies, its texts.
type List struct {
	ID          int64  `gorm:"primaryKey"`
	Local       string // local part, lower case, NFC
	Domain      string // domain, lower case, A-labels
	Kind        ListKind
	Name        string // display name for people, may be empty
	Description string // one line, goes into List-Id and LISTS
	Info        string // the INFO letter, free text
	Language    string // BCP 47 tag of the letters to its people
	Closed      bool   // no posts, no joining; leaving and reading work
	Advertised  bool   // shown by LISTS and on public pages

	JoinPolicy          JoinPolicy
	ArchiveAccess       Access
	SubscriberAction    Action // Accept unless changed
	NonsubscriberAction Action // Hold unless changed
	Emergency           bool   // hold everything
	HoldSize            int64  // octets above which a post is held; 0 none
	MaxSize             int64  // octets above which a post is refused; 0 the server's limit
	MaxRecipients       int    // addresses in To and Cc above which a post is held; 0 none
	RequireDestination  bool   // the list must stand in To or Cc
	AcceptableAliases   string // other addresses, one a line, that count as the list in To and Cc
	Administrivia       bool   // catch commands sent to the posting address
	HeldDays            int    // days until a held post expires

	SubjectTag string // put before the subject, e.g. "[talk]"; empty: none
	Footer     string // added below each post; empty: none
	ReplyTo    ReplyTo
	Welcome    string // added to the welcome letter

	UIDValidity uint32  // IMAP UIDVALIDITY, never changes in normal life
	CreatedAt   Instant `gorm:"autoCreateTime:false"`
	Version     int64   // grows with every change of settings
}

// ListsMark tells one state of all lists' settings from another: a list made, changed
// or removed gives another mark.
type ListsMark struct{ Count, LastID, IDs, Versions int64 }

// Address is the posting address with an A-label domain.
func (l *List) Address() string { return l.Local + "@" + l.Domain }

// Sub is the address of one of the list's functions: Sub("owner") is
// L-owner@domain.
func (l *List) Sub(function string) string { return l.Local + "-" + function + "@" + l.Domain }

// ListID is the identifier of RFC 2919 without angle brackets: local part, a
// dot, domain.
func (l *List) ListID() string { return l.Local + "." + l.Domain }

// Title is the display name, or the local part when there is none.
func (l *List) Title() string {
	if t := strings.TrimSpace(l.Name); t != "" {
		return t
	}
	return l.Local
}

// Joinable reports whether who asks can join, perhaps with a moderator's consent.
func (l *List) Joinable() bool { return !l.Closed && l.JoinPolicy != JoinClosed }
