package imapd

import (
	"context"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// Archive is what the door reads. Over makes one from an archive.Reader.
// Ranges of UIDs are inclusive; yield is called in the order of UIDs with
// bytes that are good until it returns.
type Archive interface {
	// SiteLists are all lists of the site, and those whose archive who may read. g may be
	// looked at by the way; nil: it is not wanted.
	SiteLists(ctx context.Context, who model.Actor, g *model.Glance) (all, may []model.List, err error)
	// MayRead says whether who may read the archive of one list now.
	MayRead(ctx context.Context, who model.Actor, listID int64) (bool, error)
	// MayReadEach is MayRead for many at once.
	MayReadEach(ctx context.Context, who []model.Actor, listID int64) ([]bool, error)
	// NextUID is the UID the list's next post will get.
	NextUID(ctx context.Context, listID int64) (model.UID, error)
	// Open gives the list's index, fresh, shared by all sessions. next is what the
	// list's next UID was a moment ago; 0: it is asked for; 1: what is known will do.
	Open(ctx context.Context, listID int64, next model.UID) (Index, error)
	Envelopes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	Structures(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	Headers(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	// Bytes is one message as archived.
	Bytes(ctx context.Context, row archive.Row) ([]byte, error)
	// AllBytes are all messages of a range.
	AllBytes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	// AllHeaders are their headers, whole.
	AllHeaders(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error
	// Search gives the posts that match, in any order.
	Search(ctx context.Context, listID int64, q archive.Query) ([]model.UID, error)
	// Newest gives the newest that match up to UID last, newest first, at most limit.
	Newest(ctx context.Context, listID int64, q archive.Query, last model.UID, limit int) ([]model.UID, error)
	// Sort gives the UIDs in the order of the keys (RFC 5256).
	Sort(ctx context.Context, listID int64, keys []archive.SortKey, uids []model.UID) ([]model.UID, error)
	// ThreadForest draws the threads of the UIDs as REFERENCES does (RFC 5256).
	ThreadForest(ctx context.Context, listID int64, uids []model.UID) ([]archive.Branch, error)
	// SubjectForest draws them as ORDEREDSUBJECT does (RFC 5256).
	SubjectForest(ctx context.Context, listID int64, uids []model.UID) ([]archive.Branch, error)
	// Flags are the person's flags on the list as they are now.
	Flags(ctx context.Context, account, listID int64) (Flags, error)
	SetFlag(ctx context.Context, m model.Mark, uids []model.UID, on bool) error
	// Watch gives a channel that receives after something changed on the list;
	// WatchFlags after the account's flags on it changed, in whatever session.
	Watch(listID int64) (<-chan struct{}, func())
	WatchFlags(account, listID int64) (<-chan struct{}, func())
}

// Index is the order of one list's posts.
type Index interface {
	// Refresh takes in what has arrived since; next as in Open.
	Refresh(ctx context.Context, next model.UID) error
	// Rows is a snapshot sorted by UID; nobody may change it.
	Rows() []archive.Row
	// Snapshot is Rows and a UID above them that the next post will have at
	// least; it never falls.
	Snapshot() ([]archive.Row, model.UID)
	UIDValidity() uint32
}

// Flags are one person's marks on one list: a snapshot.
type Flags interface {
	// Names are the flags that any post has, in a stable order.
	Names() []string
	Has(flag string, uid model.UID) bool
	// Count says how many posts have the flag.
	Count(flag string) int
	// Octets is what the snapshot takes in memory, about.
	Octets() int
}

// Over makes an Archive of a reader.
func Over(r *archive.Reader) Archive { return reader{r} }

type reader struct{ *archive.Reader }

// Open gives the list's index.
func (r reader) Open(ctx context.Context, listID int64, next model.UID) (Index, error) {
	ix, err := r.OpenAt(ctx, listID, next)
	if err != nil {
		return nil, err
	}
	return ix, nil
}

// Flags gives the account's flags on the list.
func (r reader) Flags(ctx context.Context, account, listID int64) (Flags, error) {
	f, err := r.Reader.Flags(ctx, account, listID)
	if err != nil {
		return nil, err
	}
	return f, nil
}
