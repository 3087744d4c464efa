// Package transfer brings archives in and takes them out.
//
// A Format reads one kind of file as a stream of messages; formats.go is the
// table. An imported message is kept exactly: the bytes between the separators
// of its file, with line ends as mail on the wire has them (a lone LF becomes
// CRLF; CRLF and a lone CR stay), and quoting undone only where the format says
// how (mboxrd). Nothing is added, folded, decoded or sent to anybody; "a at b"
// of a Mailman archive stays "a at b".
//
// Importing is idempotent: a message whose exact bytes the list has already is
// left out, also under another file name. It can be resumed: how far a file was
// read is stored in the transaction of each batch, under the file's path and a
// fingerprint of its beginning, so that a grown file goes on where it ended.
// Memory is bounded: a batch is read while the one before is parsed and packed
// and the one before that is written; one more may wait between. A file that ends in the middle of a message gives what
// is whole, and the report says so.
package transfer

import (
	"context"
	"time"

	"plenary/internal/model"
)

// Limits of an import.
const (
	MaxMessage   = 100 << 20 // octets of one message unless set; larger ones are left out and counted
	batchPosts   = 1024      // of one transaction: fewer, larger pieces of the index to merge
	batchOctets  = 12 << 20
	firstBatch   = 128  // posts; batches grow, so that all three begin to work soon
	fingerprints = 4096 // octets of a file's beginning that tell it from others
)

// Store is what importing stands on; store.Store has it.
type Store interface {
	Workers() int
	PackPosts(listID int64, posts []*model.NewPost) (*model.Parcel, error)
	ImportParcel(ctx context.Context, p *model.Parcel, source string, position int64) (added int, err error)
	ImportPosition(ctx context.Context, listID int64, source string) (position int64, err error)
}

// Message is one message of a file.
type Message struct {
	Raw        []byte    // as it will be archived; nil when TooLarge
	ReceivedAt time.Time // as the file says, else zero
	End        int64     // where reading goes on after it, in octets of the unpacked file
	TooLarge   bool      // more than the limit: its bytes were not kept
}

// Reader reads the messages of one file in order. Next gives io.EOF after the
// last one, *CutError when the file ends in the middle of one.
type Reader interface {
	Next() (Message, error)
}

// CutError says that a file ends in the middle of a message.
type CutError struct {
	At    int64 // where the unfinished message begins, in octets of the unpacked file
	Cause error // why reading ended; nil for a plain end of file
}

// Error says what is wrong and what to do.
func (e *CutError) Error() string {
	text := "the file ends in the middle of its last message, which was left out; " +
		"if the message is whole, end the file with a line break and import it again"
	if e.Cause != nil {
		text += " (" + e.Cause.Error() + ")"
	}
	return text
}

// Unwrap gives the cause.
func (e *CutError) Unwrap() error { return e.Cause }

// Progress is how far an import or export is.
type Progress struct {
	File     string // the file in work
	Octets   int64  // read of the file as it lies on disk
	Total    int64  // octets of the file as it lies on disk, 0 when unknown
	Messages int    // read so far, of all files
	Added    int    // of these, new to the list
}

// Report is what became of an import.
type Report struct {
	Messages int      `json:"messages"`  // read
	Added    int      `json:"added"`     // new to the list
	Known    int      `json:"known"`     // the list has them already
	TooLarge int      `json:"too_large"` // left out for their size
	Cut      []string `json:"cut"`       // a sentence for each file that ended in the middle of a message
	Resumed  []string `json:"resumed"`   // files that were begun by an earlier import
}
