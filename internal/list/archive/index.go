package archive

import (
	"context"
	"sort"
	"sync"

	"plenary/internal/model"
)

// Row is what the memory keeps of a post.
type Row struct {
	UID        model.UID
	Size       uint32 // octets (RFC822.SIZE)
	HeaderLen  uint32 // octets of the header, empty line included
	Flags      model.PostFlags
	ReceivedAt model.Instant
	SentAt     model.Instant
	BytesID    int64 // where the bytes were when the row was read
	BytesOff   int64

	list int64
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
}

// Refresh takes in the posts that came since the last time. It is cheap when
// there are none.
func (ix *Index) Refresh(ctx context.Context) error {
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
	given, err := ix.posts.NextUID(ctx, ix.list)
	if err != nil || given == ix.read {
		return err
	}
	// Rows behind the length of any snapshot are free to be written: nobody
	// looks there.
	err = ix.posts.PostPlaces(ctx, ix.list, from, 1<<32-1, func(p *model.Post) error {
		rows = append(rows, Row{
			UID: p.ID.UID(), Size: uint32(p.Size), HeaderLen: uint32(p.HeaderLen), Flags: p.Flags, ReceivedAt: p.ReceivedAt, SentAt: p.SentAt,
			BytesID: p.BytesID, BytesOff: p.BytesOff, list: ix.list,
		})
		return nil
	})
	if err != nil {
		return err
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
