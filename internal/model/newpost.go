package model

// Reference names another message: the 63-bit key of its Message-ID, and the
// id itself without angle brackets.
type Reference struct {
	Key       int64
	MessageID string
}

// NewPost is everything the archive keeps of a message, made ready by
// list/archive before the transaction: storing it parses nothing.
type NewPost struct {
	Post       Post // ID, ThreadID, BytesID and BytesOff are set by the store
	ListID     int64
	Bytes      []byte // the archived form: own header fields, then the message
	Envelope   []byte
	Header     []byte
	Columns    []byte // what searching, sorting and threading keep of the header (archive.Columns)
	Text       SearchText
	Vector     []byte      // Text as the store writes it, where it made that before the transaction
	Self       Reference   // the post's place in the reference graph
	References []Reference // oldest first; the last is the parent
	Quotes     bool        // the parent is no reference but the article of a digest that it quotes
	Hint       ThreadHint  // its ListID and Key are set by the store

	MessageKey []byte // identity of the Message-ID; a second post with it is not stored
	BodyKey    []byte // author and normalised body, for the duplicate rule; may be nil
	RawKey     []byte // identity of the exact bytes, for imports; may be nil

	Distribution *Distribution // fan-out made in the same transaction; nil when imported
	Event        *Event        // trace line of the same transaction; may be nil
	HeldID       int64         // the held post this releases; 0 none
	DecidedBy    string        // who released it
}

// Offering names a post that is offered to a list.
type Offering struct {
	ListID     int64
	MessageKey []byte  // identity of the Message-ID
	AuthorKey  string  // address key of the author; empty: nobody
	BodyKey    []byte  // author and normalised body; may be nil
	Since      Instant // how far back the same body counts
}

// Offered is what a list knows of a post that is offered to it.
type Offered struct {
	Version    int64       // of the list's settings; 0: there is no such list
	Duplicate  bool        // the list has its Message-ID
	SeenBody   bool        // the list has had its body since
	Subscriber *Subscriber // the author's current row; nil for an outsider
	Bans       []Ban       // that hold on the list
}

// Parcel is posts of an old archive, in order, made ready for the transaction
// that stores them.
type Parcel struct {
	ListID int64
	Posts  []*NewPost
	Packed any // the store's own
}

// Actor is who is asking right now.
type Actor struct {
	AccountID int64    // 0: nobody in particular
	Email     string   // the account's main address
	Keys      []string // identities of all addresses the account owns
	Anonymous bool     // an anonymous login
	Site      bool     // the postmaster: the command line, the site admin
	Password  int64    // the app password she logged in with; 0: none
}
