package archive

import (
	"sync/atomic"
	"time"

	"plenary/internal/model"
)

// How long what nobody asks for stays in memory. What is let go is read again
// when it is wanted: frames in no time, the columns and references of a million
// posts in some seconds each.
const (
	framesIdle  = 15 * time.Second
	columnsIdle = 5 * time.Minute
	indexIdle   = 15 * time.Minute
)

// Held counts what a Reader keeps in memory for those who may ask again.
type Held struct {
	Lists      int // of which the index is there
	Columns    int // of which columns are
	References int // of which references are
	Frames     int // unpacked messages
	Moved      int // posts whose bytes were moved since their list's index was read
}

// Tidy lets go what nobody has asked for for a while. Somebody has to call it now
// and then: when all is quiet, nothing else happens here.
func (r *Reader) Tidy() {
	now := r.Now()
	r.frames.tidy(now.Add(-framesIdle))
	for _, ix := range r.loaded() {
		if ix.used.get().Before(now.Add(-indexIdle)) {
			r.Close(ix.list)
			r.moved.forget(ix.list)
			continue
		}
		ix.tidy(now.Add(-columnsIdle))
	}
}

// Held tells what there is at the moment. What somebody is loading is not counted.
func (r *Reader) Held() (h Held) {
	for _, ix := range r.loaded() {
		h.Lists++
		if c := &ix.cols; c.mu.TryLock() {
			if c.people != nil {
				h.Columns++
			}
			c.mu.Unlock()
		}
		if l := &ix.refs; l.mu.TryLock() {
			if len(l.self) > 0 {
				h.References++
			}
			l.mu.Unlock()
		}
	}
	h.Frames, h.Moved = r.frames.count(), r.moved.count()
	return h
}

// loaded are the indexes that are there.
func (r *Reader) loaded() []*Index {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Index, 0, len(r.indexes))
	for _, ix := range r.indexes {
		all = append(all, ix)
	}
	return all
}

// tidy lets go what is derived of a list and was not used since.
func (ix *Index) tidy(since time.Time) {
	if c := &ix.cols; c.mu.TryLock() { // somebody who holds it uses it
		if c.people != nil && c.used.Before(since) {
			c.rows, c.people, c.subjects = columnRows{}, nil, nil
		}
		c.mu.Unlock()
	}
	if l := &ix.refs; l.mu.TryLock() {
		if l.used.Before(since) {
			l.clear()
		}
		l.mu.Unlock()
	}
}

// lastUse is an instant.
type lastUse struct{ nanos atomic.Int64 }

func (u *lastUse) set(t time.Time) { u.nanos.Store(t.UnixNano()) }
func (u *lastUse) get() time.Time  { return time.Unix(0, u.nanos.Load()) }

func (f *frames) tidy(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.used.Before(since) {
		f.kept = nil
	}
}

func (f *frames) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.kept)
}

// forget is for a list whose index will be read again, with the new places.
func (m *moved) forget(list int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := map[model.PostID]whereabouts{}
	for id, at := range m.at {
		if id.List() != list {
			rest[id] = at
		}
	}
	m.at = rest
}

func (m *moved) count() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.at)
}

// roomFor gives s with room for n elements in all, and a little more where it had
// to be made anew.
func roomFor[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s
	}
	return append(make([]T, 0, n+n/16), s...)
}
