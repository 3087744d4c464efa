package archive

import (
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// linkStore holds, once somebody asked for THREAD, what each post of a list
// refers to: Message-IDs as numbers, in the order they were met. 0 is no id.
type linkStore struct {
	mu     sync.Mutex // held while loading
	names  map[int64]uint32
	self   []uint32
	refs   []uint32
	refEnd []uint32
	used   time.Time
}

func (l *linkStore) clear() { l.names, l.self, l.refs, l.refEnd = nil, nil, nil, nil }

// linkSet is a snapshot: one entry for each row of the index it was asked for.
type linkSet struct {
	self, refs, refEnd []uint32
	names              int // numbers are below
}

// of gives what the post at a place refers to, the parent last.
func (l *linkSet) of(place uint32) []uint32 {
	start := uint32(0)
	if place > 0 {
		start = l.refEnd[place-1]
	}
	return l.refs[start:l.refEnd[place]]
}

// links gives the references of rows, which begin at the first row of the index.
func (r *Reader) links(ctx context.Context, ix *Index, rows []Row) (*linkSet, error) {
	l := &ix.refs
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = r.Now()
	if l.names == nil {
		l.names = make(map[int64]uint32, len(rows))
	}
	name := func(key int64) uint32 {
		if key == 0 {
			return 0
		}
		n, ok := l.names[key]
		if !ok {
			n = uint32(len(l.names) + 1)
			l.names[key] = n
		}
		return n
	}
	if n := len(l.self); n < len(rows) {
		self, refs, ends := l.self, l.refs, l.refEnd
		err := r.eachRecord(ctx, ix, rows[n:], func(_ int, rec *record) {
			self = append(self, name(rec.self))
			for at := 0; at < len(rec.refs); at += 8 {
				refs = append(refs, name(int64(binary.BigEndian.Uint64(rec.refs[at:]))))
			}
			ends = append(ends, uint32(len(refs)))
		})
		if err != nil {
			return nil, err
		}
		l.self, l.refs, l.refEnd = self, refs, ends
	}
	return &linkSet{l.self[:len(rows):len(rows)], l.refs, l.refEnd[:len(rows):len(rows)], len(l.names) + 1}, nil
}
