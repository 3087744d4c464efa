package model

// UID is an IMAP unique identifier within a list (RFC 9051 2.3.1.1).
type UID uint32

// PostID is a post's one key everywhere: list in the upper bits, UID below.
type PostID int64

// MakePostID joins list and UID.
func MakePostID(list int64, uid UID) PostID { return PostID(list<<32 | int64(uid)) }

// List is the list part.
func (p PostID) List() int64 { return int64(p) >> 32 }

// UID is the IMAP part.
func (p PostID) UID() UID { return UID(uint32(p)) }

// PostFlags are facts about a post that listings need.
type PostFlags uint32

// The facts.
const (
	PostHasAttachment PostFlags = 1 << iota
	PostImported                // bytes are exactly the imported message
	PostOpaque                  // structure beyond the limits; parsed as one blob
	PostIsReply                 // subject began with a reply prefix
)

// Post is the light row of an archived post: what a listing needs, and where
// the bytes are. It opens no message.
type Post struct {
	ID         PostID  `gorm:"primaryKey"`
	Size       int64   // octets of the archived form (RFC822.SIZE)
	HeaderLen  int64   // octets of its header, the empty line included
	OwnLen     int64   // octets of our own header fields in front; 0 when imported
	ReceivedAt Instant // INTERNALDATE
	SentAt     Instant // the Date field, or ReceivedAt when it makes no sense
	Flags      PostFlags
	ThreadID   PostID // the id of the thread's first post to arrive, kept when threads join
	BytesID    int64  // message_bytes row
	BytesOff   int64  // offset within that row, decoded
	Author     string // display name or address, decoded
	AuthorKey  string // identity of the author's address
	Subject    string // decoded, one line
	// BodyStructure is the wire form of RFC 9051 BODYSTRUCTURE.
	BodyStructure []byte
}

// Frame is a row of message bytes, decoded into memory that is used again.
type Frame struct {
	Data  []byte
	Heads []FrameHead // Data holds headers only, these; empty: whole posts
}

// FrameHead is where the header of a post is in Frame.Data; Off is the post's
// BytesOff.
type FrameHead struct {
	Off        int64
	Start, End int
}

// PostEnvelope is the wire form of a post's ENVELOPE.
type PostEnvelope struct {
	ID  PostID `gorm:"primaryKey"`
	Env []byte
}

// PostHeader holds the usual header fields verbatim, for HEADER.FIELDS.
type PostHeader struct {
	ID  PostID `gorm:"primaryKey"`
	Hdr []byte
}

// ThreadNode is one place in the reference graph of a list: a post, or a ghost
// that others refer to. Keys are 63-bit hashes of Message-IDs.
type ThreadNode struct {
	ListID    int64  `gorm:"primaryKey"`
	Key       int64  `gorm:"primaryKey"`
	PostID    PostID // 0: a ghost
	ParentKey int64  // 0: a root
	Claim     int64  // the parent by what messages say; another counts where Link says so
	Link      Link
	ThreadID  PostID // 0 while no post of the thread has arrived
	MessageID string // without angle brackets
}

// SearchText is what the full-text index is fed for one post, already decoded.
type SearchText struct {
	Subject    string
	Author     string
	Recipients string
	Body       string // without quoted lines
	Quoted     string
	Files      string // attachment names
}

// Held waits for a human.
type Held struct {
	ID          int64 `gorm:"primaryKey"`
	ListID      int64
	MessageKey  string // identity of the Message-ID, for duplicates
	ReversePath string
	Author      string
	AuthorKey   string
	Subject     string
	Size        int64
	BytesID     int64
	Reasons     string // JSON of []Reason
	Trace       string // JSON of []Answer
	TokenHash   []byte // of the moderators' token
	State       HeldState
	CreatedAt   Instant `gorm:"autoCreateTime:false"`
	ExpiresAt   Instant
	DecidedAt   Instant
	DecidedBy   string
	Comment     string // the moderator's reason
	UID         UID    // in the mailbox of what waits on the list
}

// HeldState is what became of a held post.
type HeldState uint8

// The states.
const (
	HeldPending HeldState = iota
	HeldReleased
	HeldRejected
	HeldDiscarded
	HeldExpired
)

var heldNames = [...]string{"pending", "released", "rejected", "discarded", "expired"}

// String is the state's keyword.
func (s HeldState) String() string {
	if int(s) < len(heldNames) {
		return heldNames[s]
	}
	return "unknown"
}

// Who names an actor to people: "cli" is whoever has the commands of the server.
func Who(actor string) string {
	if actor == "cli" {
		return "the postmaster"
	}
	return actor
}

// Event is one line of the trace: who did what to which message or person, and
// why.
type Event struct {
	ID         int64 `gorm:"primaryKey"`
	At         Instant
	ListID     int64
	Kind       string // "post.accepted", "post.held", "member.joined" ...
	Actor      string // who decided: an address, "rule", "cli"
	MessageKey string
	EmailKey   string
	Detail     string // JSON or a sentence
}
