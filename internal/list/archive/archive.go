// Package archive keeps posts for good and finds them again.
//
// Writing: Make turns received bytes into a model.NewPost, everything the
// archive will ever be asked for, before the transaction begins: light row,
// ENVELOPE and BODYSTRUCTURE as IMAP sends them, the usual header fields, the
// words for the index, identities, references. The store only writes it down.
//
// Reading: a Reader serves IMAP, web and command line. Listing opens no message
// and decodes nothing; the order, sizes and dates of a list's posts are in
// memory (Index), shared by all sessions and only ever appended to; wire forms
// are streamed by ranges of UIDs; bytes come from frames of consecutive posts.
//
// Searching: a Query is a postfix program of conditions. Words are asked of the
// full-text index, dates and sizes of the Index; a message is opened only for a
// header field that is not among the usual ones. IMAP's TEXT and BODY are words
// and beginnings of words (RFC 9051 6.4.4 leaves the matching open), header
// fields are true substrings.
//
// Substrings of From, To, Cc and Subject are sought in memory: each different
// value stands once in a dictionary, cut at its commas into tokens that stand
// once too, and a post has the number of its value. Loaded at the first such
// question, that takes about 100 octets a post and answers a million posts in some
// milliseconds. A trigram index would have taken more room on disk than the
// messages do, and found no text of two characters; reading the header fields took
// a quarter of a second for 100,000 posts. What goes into the dictionary is made
// once, when a post is stored (Columns), and is what SORT and THREAD work on as
// well.
//
// What a list takes in memory is in few large pieces without pointers: 50 octets
// a post for the index, 100 for the columns, 30 for the references that THREAD
// follows. Tidy lets go what nobody has used for some minutes.
//
// Threads: Thread builds the forest of a list from nothing, by References and
// In-Reply-To with ghosts (JWZ, RFC 5256 REFERENCES without its grouping by bare
// subject), independent of the order of arrival; the store keeps the same graph
// as posts come, and Arrange draws the tree of either. An answer that names
// nobody goes below the post with its subject whose words it quotes, if there is
// exactly one not long before (model.ThreadHint): hidden references are found
// again for two in three, and wrong in one of a hundred. An answer that names one
// message alone, which is not here (a private copy), may be guessed as well: the
// missing message is hung there, as a guess, as long as no other post answers it and
// nobody says what it answers. Who names several stays where they put him, for one
// of them is usually here. What a moderator says (Threader) counts more than all of
// that.
package archive

import (
	"context"

	"plenary/internal/model"
)

// Lists is what a Reader asks about lists and people.
type Lists interface {
	Lists(ctx context.Context) ([]model.List, error)
	GetList(ctx context.Context, id int64) (*model.List, error)
	SubscriptionsOf(ctx context.Context, emailKeys []string) ([]model.Subscriber, error)
	Watch(topic string) (wake <-chan struct{}, cancel func())
}

// Brief is a store that answers in a word what a Reader asks whenever a mailbox is
// opened. Without it whole rows are read each time.
type Brief interface {
	// ListsMark gives the mark of all lists, and those on which any of these
	// addresses has a role. g, when it is not nil, is looked at along with that where
	// there are addresses.
	ListsMark(ctx context.Context, emailKeys []string, g *model.Glance) (m model.ListsMark, memberOf []int64, err error)
}

// Posts is what a Reader asks about posts. Ranges are inclusive and come in the
// order of UIDs; what yield is given is good until it returns.
type Posts interface {
	PostPlaces(ctx context.Context, listID int64, from, to model.UID, yield func(*model.Post) error) error
	PostEnvelopes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	PostStructures(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	PostHeaders(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	Bytes(ctx context.Context, bytesID int64) ([]byte, error)
	FindPostByKey(ctx context.Context, listID int64, kind int, key []byte) (model.PostID, error)
	FindPosts(ctx context.Context, ids []model.PostID) ([]model.Post, error)
	ThreadNodes(ctx context.Context, listID int64, yield func(*model.ThreadNode) error) error
	// NextUID is the UID the list's next post will get.
	NextUID(ctx context.Context, listID int64) (model.UID, error)
}

// Columned is a store that keeps Columns beside the posts. Without it they are
// made of the usual header fields.
type Columned interface {
	PostColumns(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
}

// Framed is a store that decodes frames into memory of the caller, and the
// headers in one alone. Without it the whole messages are read.
type Framed interface {
	// ReadFrames decodes a frame into each of out, and gives the error of each.
	ReadFrames(ctx context.Context, bytesIDs []int64, headers bool, out []model.Frame) []error
}

// Threaded is a store that finds the posts of a thread at once. Without it the
// graph of the list is read.
type Threaded interface {
	PostsOfThread(ctx context.Context, thread model.PostID) ([]model.PostID, error)
}

// Linked is a store that knows which posts hang where they do by a guess or by a
// moderator's word, in the order of their keys. Nothing is yielded when that did
// not change since seq.
type Linked interface {
	ThreadLinks(ctx context.Context, listID, since int64, yield func(n *model.ThreadNode, parent model.PostID)) (seq int64, err error)
}

// Words is the full-text index.
type Words interface {
	MatchPosts(ctx context.Context, listID int64, m model.Match, yield func(model.UID) bool) error
}

// Marks are personal flags, as bitmaps of 8192 UIDs.
type Marks interface {
	FlagPages(ctx context.Context, account, listID int64, yield func(flag string, page int64, bits []byte)) error
	SetFlag(ctx context.Context, m model.Mark, uids []model.UID, on bool) error
}

// Store is what a Reader stands on; store.Store has it.
type Store interface {
	Lists
	Posts
	Words
	Marks
}
