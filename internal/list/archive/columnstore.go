package archive

import (
	"context"
	"sync"
	"time"

	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// columnRows is what the memory keeps of posts' headers, each field by itself: who
// seeks in one field goes through that alone.
type columnRows struct {
	fields [columnFields][]uint32 // numbers of values
	dates  []int64                // RFC 5256 sent dates, seconds
}

// first gives the first n rows; nobody can append to them.
func (c *columnRows) first(n int) columnRows {
	out := columnRows{dates: c.dates[:n:n]}
	for f, all := range c.fields {
		out.fields[f] = all[:n:n]
	}
	return out
}

// grown has room for n rows. What stands behind the length is free to be
// written: nobody looks there.
func (c *columnRows) grown(n int) columnRows {
	out := columnRows{dates: roomFor(c.dates, n)}
	for f, all := range c.fields {
		out.fields[f] = roomFor(all, n)
	}
	return out
}

// columnSet is a snapshot: a row for each row of the index it was asked for.
type columnSet struct {
	columnRows
	people, subjects *dictionary
}

func (c *columnSet) dictionary(column int) *dictionary {
	if column == inSubject {
		return c.subjects
	}
	return c.people
}

// columnStore holds a list's columns once somebody searched a header or sorted.
type columnStore struct {
	mu               sync.Mutex // held while loading
	rows             columnRows
	people, subjects *dictionary
	used             time.Time
}

// columns gives the columns of rows, which begin at the first row of the index.
func (r *Reader) columns(ctx context.Context, ix *Index, rows []Row) (*columnSet, error) {
	c := &ix.cols
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = r.Now()
	if c.people == nil {
		c.people, c.subjects = newDictionary(",", mailboxKey), newDictionary(" ", subjectKey)
	}
	if n := len(c.rows.dates); n < len(rows) {
		all := c.rows.grown(len(rows))
		err := r.eachRecord(ctx, ix, rows[n:], func(i int, rec *record) {
			for f, field := range rec.fields {
				d := c.people
				if f == inSubject {
					d = c.subjects
				}
				all.fields[f] = append(all.fields[f], d.add(field))
			}
			all.dates = append(all.dates, rec.sentSeconds(rows[n+i].ReceivedAt))
		})
		if err != nil {
			return nil, err
		}
		c.rows = all
	}
	return &columnSet{c.rows.first(len(rows)), c.people.snapshot(), c.subjects.snapshot()}, nil
}

// eachRecord gives what is kept of the header of each of rows, in order. Where
// the store has nothing it is made of the usual header fields. The record is
// good until yield returns.
func (r *Reader) eachRecord(ctx context.Context, ix *Index, rows []Row, yield func(i int, rec *record)) error {
	at, missing := 0, make([][]byte, 0)
	fill := func(to int) error { // makes the records of rows[at:to]
		if at == to {
			return nil
		}
		missing = append(missing[:0], make([][]byte, to-at)...)
		err := r.store.PostHeaders(ctx, ix.list, rows[at].UID, rows[to-1].UID, func(uid model.UID, hdr []byte) error {
			if i, ok := find(rows, uid); ok && i >= at && i < to {
				missing[i-at] = Columns(message.ParseHeader(hdr))
			}
			return nil
		})
		for i, b := range missing {
			rec, _ := readColumns(b)
			yield(at+i, &rec)
		}
		at = to
		return err
	}
	if kept, ok := r.store.(Columned); ok && len(rows) > 0 {
		err := kept.PostColumns(ctx, ix.list, rows[at].UID, rows[len(rows)-1].UID, func(uid model.UID, b []byte) error {
			i, ok := find(rows[at:], uid)
			if !ok {
				return nil
			}
			if err := fill(at + i); err != nil {
				return err
			}
			rec, ok := readColumns(b)
			if !ok {
				return fill(at + 1)
			}
			yield(at, &rec)
			at++
			return nil
		})
		if err != nil {
			return err
		}
	}
	for at < len(rows) {
		if err := fill(min(at+maxFill, len(rows))); err != nil {
			return err
		}
	}
	return nil
}

// maxFill bounds how many headers are made into records at once.
const maxFill = 1000

// column answers a substring of a header field that is kept in columns.
func (s *searcher) column(column int, text string) (conj, error) {
	if len(s.rows) == 0 {
		return s.where(func(*Row) bool { return false }), nil
	}
	cols, err := s.r.columns(s.ctx, s.ix, s.rows)
	if err != nil {
		return conj{}, err
	}
	return conj{tests: []test{columnTest(cols, column, text)}}, nil
}
