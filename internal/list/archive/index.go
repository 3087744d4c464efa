package archive

import (
	"context"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"plenary/internal/model"
)

// Row is what the memory keeps of a post: 48 octets.
type Row struct {
	UID        model.UID
	Size       uint32 // octets (RFC822.SIZE)
	HeaderLen  uint32 // octets of the header, empty line included
	Flags      model.PostFlags
	ReceivedAt model.Instant
	SentAt     model.Instant
	BytesID    int64  // where the bytes were when the row was read
	BytesOff   uint32 // a frame is far smaller than that

	list uint32 // as in a model.PostID
}

// offset makes an offset fit; one that does not is beyond the end of any frame.
func offset(off int64) uint32 {
	if off < 0 || off > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(off)
}

// Index is the order of one list's posts, in memory, shared by everybody who
// reads the list. Rows are only ever appended.
type Index struct {
	list     int64
	validity uint32
	posts    Posts

	load sync.Mutex // one loads at a time
	mu   sync.RWMutex
	rows []Row
	next model.UID // UIDs below were given out before the rows were read
	read model.UID // what the next UID was when all rows were read; 0: never

	cols columnStore
	refs linkStore

	now  func() time.Time
	used lastUse // by Refresh, which comes before anything else
}

// Refresh takes in the posts that came since the last time. It is cheap when
// there are none. given is what the list's next UID was a moment ago; 0: it is
// asked for.
func (ix *Index) Refresh(ctx context.Context, given model.UID) error {
	ix.used.set(ix.now())
	ix.load.Lock()
	defer ix.load.Unlock()
	ix.mu.RLock()
	rows, next := ix.rows, ix.next
	ix.mu.RUnlock()
	from := model.UID(1)
	if n := len(rows); n > 0 {
		from = rows[n-1].UID + 1
	}
	// Asked first: it is never above the UID of a post that is not read then. A
	// UID is taken in the transaction that stores its post: while none is taken
	// there is nothing to read.
	if given == 0 || ix.read == 0 { // how many there are is worth knowing before the first are read
		var err error
		if given, err = ix.posts.NextUID(ctx, ix.list); err != nil {
			return err
		}
	}
	if given <= ix.read { // below: somebody else asked later and read first
		return nil
	}
	// Rows behind the length of any snapshot are free to be written: nobody
	// looks there.
	rows = roomFor(rows, len(rows)+int(max(given, from)-from))
	err := ix.posts.PostPlaces(ctx, ix.list, from, 1<<32-1, func(p *model.Post) error {
		rows = append(rows, Row{
			UID: p.ID.UID(), Size: uint32(p.Size), HeaderLen: uint32(p.HeaderLen), Flags: p.Flags, ReceivedAt: p.ReceivedAt, SentAt: p.SentAt,
			BytesID: p.BytesID, BytesOff: offset(p.BytesOff), list: uint32(ix.list),
		})
		return nil
	})
	if err != nil {
		return err
	}
	if cap(rows) > 2*len(rows) { // most UIDs are of posts that were taken away
		rows = roomFor(slices.Clip(rows), len(rows)+1)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.rows, ix.next, ix.read = rows, max(next, given), given
	if len(rows) > 0 {
		ix.next = max(ix.next, rows[len(rows)-1].UID+1)
	}
	return nil
}

// Rows gives the posts known, sorted by UID. The slice is a snapshot: nobody
// may change it.
func (ix *Index) Rows() []Row {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.rows[:len(ix.rows):len(ix.rows)]
}

// UIDValidity is the list's UIDVALIDITY (RFC 9051 2.3.1.1).
func (ix *Index) UIDValidity() uint32 { return ix.validity }

// Snapshot gives Rows and, of the same moment, a UID above all of them that the
// next post will have at least. That never falls, whatever was taken away (RFC
// 9051 2.3.1.1).
func (ix *Index) Snapshot() (rows []Row, next model.UID) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.rows[:len(ix.rows):len(ix.rows)], ix.next
}

// find gives the place of uid in rows, or where it would stand.
func find(rows []Row, uid model.UID) (at int, ok bool) {
	// UIDs have few gaps: the place is usually known without a search.
	if n := int(uid) - 1; n >= 0 && n < len(rows) && rows[n].UID == uid {
		return n, true
	}
	at = sort.Search(len(rows), func(i int) bool { return rows[i].UID >= uid })
	return at, at < len(rows) && rows[at].UID == uid
}
