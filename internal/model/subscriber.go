package model

// Role is what a person may do on a list; a subscriber row carries a set.
type Role uint8

// The roles, as bits.
const (
	RoleSubscriber Role = 1 << iota // receives posts
	RoleModerator                   // decides held things
	RoleOwner                       // configures, and decides held things
	RoleEditor                      // may post to announcement lists and newsletters
)

// DeliveryStatus says whether mail is sent, and who turned it off.
type DeliveryStatus uint8

// The delivery states.
const (
	DeliveryEnabled DeliveryStatus = iota
	DeliveryOffBySubscriber
	DeliveryOffByBounces
	DeliveryOffByModerator // or an owner, or the postmaster
)

// Mode is how posts reach a subscriber.
type Mode uint8

// The modes.
const (
	ModeEach Mode = iota
	ModeDigestMIME
	ModeDigestPlain
	ModeIndex
)

// Options are a subscriber's switches, as bits. They are named so that zero is
// the usual choice.
type Options uint32

// The options.
const (
	OptNoCopyOfOwn Options = 1 << iota // LISTSERV NOREPRO: no copy of own posts
	OptAck                             // a note when a post was distributed
	OptConceal                         // not shown in rosters
	OptNoDuplicate                     // no copy when already in To or Cc
)

// Subscriber is one address on one list with its roles and options. A row is
// never reused: leaving ends it, joining again makes a new one, so that a
// distribution's sequence says who was meant (BeganSeq <= seq < EndedSeq).
type Subscriber struct {
	ID             int64 `gorm:"primaryKey"` // grows over all lists; distributions walk it
	ListID         int64
	Email          string // as typed, domain in A-labels
	EmailKey       string // identity: address.Address.Key
	Name           string
	Roles          Role
	DeliveryStatus DeliveryStatus
	Mode           Mode
	Moderation     Action // Defer: the list's SubscriberAction decides
	Options        Options
	Language       string
	Consent        string  // how and from where the person joined
	BeganSeq       int64   // the list's subscription sequence at the start
	EndedSeq       int64   // and at the end; 0 while it lasts
	BeganAt        Instant // joined
	EndedAt        Instant // left; 0 while it lasts
	EndReason      string
}

// Has reports whether the subscriber has any of the roles.
func (s *Subscriber) Has(r Role) bool { return s != nil && s.Roles&r != 0 }

// Account is a person who can log in and owns addresses.
type Account struct {
	ID        int64 `gorm:"primaryKey"`
	Email     string
	EmailKey  string
	Name      string
	CreatedAt Instant `gorm:"autoCreateTime:false"`
}

// AppPassword lets a mail client in; only its hash is kept.
type AppPassword struct {
	ID        int64 `gorm:"primaryKey"`
	AccountID int64
	Hash      []byte // auth package's hash of the secret
	Label     string
	CreatedAt Instant `gorm:"autoCreateTime:false"`
	UsedAt    Instant
	RevokedAt Instant
}

// PendingKind is what a confirmation will do.
type PendingKind uint8

// The kinds of pending requests.
const (
	PendingJoin    PendingKind = iota + 1 // join a list
	PendingLeave                          // leave a list
	PendingApprove                        // a moderator agrees to a join
)

// Pending waits for a confirmation. Only the token's hash is kept.
type Pending struct {
	ID        int64 `gorm:"primaryKey"`
	Kind      PendingKind
	ListID    int64
	Email     string
	EmailKey  string
	Name      string
	Source    string // how the request came: "mail", "web", "cli"; kept as consent
	TokenHash []byte
	CreatedAt Instant `gorm:"autoCreateTime:false"`
	ExpiresAt Instant
	UsedAt    Instant // set once; the second use of a token is told apart from a wrong one
}

// Ban keeps an address, a domain ("@domain") or a glob off one list, or off
// all when ListID is 0.
type Ban struct {
	ID        int64 `gorm:"primaryKey"`
	ListID    int64
	Pattern   string // lower case; may hold *
	Reason    string
	CreatedBy string
	CreatedAt Instant `gorm:"autoCreateTime:false"`
	ExpiresAt Instant // 0: never
}
