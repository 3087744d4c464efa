package archive

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"plenary/internal/model"
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

	seq  int64 // of told
	told []told
}

// told is a place in the threads that a guess or a moderator gave.
type told struct {
	self, parent place // the zero parent is none
	link         model.Link
}

// place names a post, or the Message-ID that would be its.
type place struct {
	key  int64
	post model.PostID
	name uint32 // of the key; 0 when no header has it
}

func (l *linkStore) clear() {
	l.names, l.self, l.refs, l.refEnd = nil, nil, nil, nil
	l.seq, l.told = 0, nil
}

// linkSet is a snapshot: one entry for each row of the index it was asked for.
type linkSet struct {
	self, refs, refEnd []uint32
	names              int // numbers are below
	told               []told
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
	set := &linkSet{self: l.self[:len(rows):len(rows)], refs: l.refs, refEnd: l.refEnd[:len(rows):len(rows)]}
	if err := r.tell(ctx, ix, l); err != nil {
		return nil, err
	}
	set.told = slices.Clone(l.told)
	for i := range set.told {
		t := &set.told[i]
		t.self.name, t.parent.name = l.names[t.self.key], l.names[t.parent.key]
	}
	set.names = len(l.names) + 1
	return set, nil
}

// tell reads what guesses and moderators say of the list's threads, when it is
// not what it was.
func (r *Reader) tell(ctx context.Context, ix *Index, l *linkStore) error {
	s, ok := r.store.(Linked)
	if !ok {
		return nil
	}
	var fresh []told
	seq, err := s.ThreadLinks(ctx, ix.list, l.seq, func(n *model.ThreadNode, parent model.PostID) {
		fresh = append(fresh, told{place{key: n.Key, post: n.PostID}, place{key: n.ParentKey, post: parent}, n.Link})
	})
	if err == nil && seq != l.seq {
		l.seq, l.told = seq, fresh
	}
	return err
}
