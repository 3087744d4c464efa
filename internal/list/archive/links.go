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
	keys   []int64    // of the numbers, from 1 on
	names  numbers    // of keys
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
	l.keys, l.names, l.self, l.refs, l.refEnd = nil, numbers{}, nil, nil, nil
	l.seq, l.told = 0, nil
}

// nameOf gives the number of a key, 0 when it has none.
func (l *linkStore) nameOf(key int64) uint32 {
	n, ok := l.names.find(hashOfKey(key), func(n uint32) bool { return l.keys[n-1] == key })
	if !ok {
		return 0
	}
	return n
}

// name gives the number of a key, a new one when it had none.
func (l *linkStore) name(key int64) uint32 {
	if key == 0 {
		return 0
	}
	n := l.nameOf(key)
	if n == 0 {
		l.keys = append(l.keys, key)
		n = uint32(len(l.keys))
		l.names.add(n, func(n uint32) uint64 { return hashOfKey(l.keys[n-1]) })
	}
	return n
}

// hashOfKey: keys are hashes of 63 bits.
func hashOfKey(key int64) uint64 { return uint64(key) << 1 }

// linkSet is a snapshot: one entry for each row of the index it was asked for.
type linkSet struct {
	self, refs, refEnd []uint32
	names              int // numbers are below
	keys               []int64
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

// key gives the key of a number, 0 when it is none.
func (l *linkSet) key(n int32) int64 {
	if n < 1 || int(n) >= l.names {
		return 0
	}
	return l.keys[n-1]
}

// links gives the references of rows, which begin at the first row of the index.
func (r *Reader) links(ctx context.Context, ix *Index, rows []Row) (*linkSet, error) {
	l := &ix.refs
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = r.Now()
	if n := len(l.self); n < len(rows) {
		// What stands behind the length is free to be written: nobody looks there.
		self, refs, ends := roomFor(l.self, len(rows)), l.refs, roomFor(l.refEnd, len(rows))
		err := r.eachRecord(ctx, ix, rows[n:], func(_ int, rec *record) {
			self = append(self, l.name(rec.self))
			for at := 0; at < len(rec.refs); at += 8 {
				refs = append(refs, l.name(int64(binary.BigEndian.Uint64(rec.refs[at:]))))
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
		t.self.name, t.parent.name = l.nameOf(t.self.key), l.nameOf(t.parent.key)
	}
	set.names, set.keys = len(l.keys)+1, l.keys
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
