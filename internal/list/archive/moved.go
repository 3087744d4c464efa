package archive

import (
	"context"
	"sync"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// moved remembers where the bytes of posts are that were packed with others since
// the index was read: else each would be sought in vain, whenever it is read.
type moved struct {
	mu sync.RWMutex
	at map[model.PostID]whereabouts
}

// whereabouts is where the bytes of a post are.
type whereabouts struct {
	bytesID int64
	off     uint32
}

const (
	maxMoved  = 200_000 // posts; when there are more all are forgotten
	lookAhead = 256     // posts whose places are looked up at once: neighbours are moved together
)

// now gives the row with the place of its bytes as far as it is known.
func (m *moved) now(row Row) Row {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known(row)
}

func (m *moved) known(row Row) Row {
	if at, ok := m.at[model.MakePostID(int64(row.list), row.UID)]; ok {
		row.BytesID, row.BytesOff = at.bytesID, at.off
	}
	return row
}

// together gives the first of rows and those behind it in the same frame.
func (m *moved) together(rows []Row) []Row {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if len(m.at) == 0 {
		n := 1
		for n < len(rows) && rows[n].BytesID == rows[0].BytesID {
			n++
		}
		return rows[:n:n]
	}
	some := []Row{m.known(rows[0])}
	for _, row := range rows[1:] {
		if row = m.known(row); row.BytesID != some[0].BytesID {
			break
		}
		some = append(some, row)
	}
	return some
}

// look asks the store where the bytes of a row are, and those of its neighbours.
// NotFound says that the post is not there any more.
func (r *Reader) look(ctx context.Context, row Row) (Row, error) {
	found, m := false, &r.moved
	err := r.store.PostPlaces(ctx, int64(row.list), row.UID, row.UID+min(lookAhead-1, 1<<32-1-row.UID), func(p *model.Post) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.at == nil || len(m.at) >= maxMoved {
			m.at = map[model.PostID]whereabouts{}
		}
		m.at[p.ID] = whereabouts{p.BytesID, offset(p.BytesOff)}
		if p.ID.UID() == row.UID {
			found, row.BytesID, row.BytesOff = true, p.BytesID, offset(p.BytesOff)
		}
		return nil
	})
	if err == nil && !found {
		err = fault.New(fault.NotFound, "the message is not in the archive any more")
	}
	return row, err
}
