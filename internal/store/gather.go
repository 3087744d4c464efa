package store

import (
	"context"
	"slices"
	"sync"
)

// Group commit. SQLite has one writer; on PostgreSQL the posts of one list wait
// for each other, because their UIDs come in the order of commits. So posts
// gather in lines, one for the database or one a list. Who stands first in a
// line writes, in one transaction, for all that stand in it at the moment the
// transaction begins; the next group gathers meanwhile. Nobody waits for others
// to come: a post alone is written at once.
//
// When the transaction of a group fails, each of its posts is tried alone: one
// that cannot be stored, or a client that gave up, fails for itself. A group
// that was committed although it seemed to fail meets itself by its Message-IDs.

// Limits of a group: other writers wait for it.
const (
	maxGathered       = 16 // posts
	maxGatheredOctets = 4 << 20
)

// turn is what a post that waits is told.
type turn uint8

const (
	turnLead  turn = iota // write, for yourself and all behind you
	turnDone              // it was done for you
	turnAlone             // it failed with others; try it alone
)

// gatherer holds the lines.
type gatherer struct {
	mu    sync.Mutex
	lines map[int64]*line
}

// line is posts that wait. The leader is the first of them, until it has taken
// its group out, and stays the leader until that is written.
type line struct {
	waiting []*saving
	leader  *saving
}

// saveTogether has m written with those that wait beside it, and reports
// whether that settled its fate; otherwise it must be tried alone.
func (s *Store) saveTogether(ctx context.Context, m *saving) bool {
	key := int64(0)
	if s.dialect == Postgres {
		key = m.post.ListID
	}
	told := turnLead
	if !s.gather.join(key, m) {
		select {
		case told = <-m.turn:
		case <-ctx.Done():
			if s.gather.leave(key, m) {
				m.err = s.fault(ctx.Err())
				return true
			}
			told = <-m.turn // it is being written
		}
	}
	if told == turnLead {
		told = s.lead(ctx, key, m)
	}
	return told == turnDone
}

// lead writes the group of a line and tells all in it, and who leads next.
func (s *Store) lead(ctx context.Context, key int64, m *saving) (told turn) {
	var group []*saving
	told = turnAlone
	defer func() { // also after a panic
		s.gather.handOn(key)
		for _, o := range group {
			if o != m {
				o.turn <- told
			}
		}
	}()
	err := s.savePosts(ctx, func() []*saving {
		group = s.gather.take(key)
		return group
	})
	if err == nil || len(group) < 2 {
		m.err, told = err, turnDone
	}
	return told
}

// join puts m into a line and reports whether it leads.
func (g *gatherer) join(key int64, m *saving) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[key]
	if l != nil {
		l.waiting = append(l.waiting, m)
		return false
	}
	if g.lines == nil {
		g.lines = map[int64]*line{}
	}
	g.lines[key] = &line{waiting: []*saving{m}, leader: m}
	return true
}

// leave takes m out of its line, unless it is being written.
func (g *gatherer) leave(key int64, m *saving) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[key]
	if l == nil {
		return false
	}
	at := slices.Index(l.waiting, m)
	if at < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	if l.leader == m {
		g.appoint(key, l)
	}
	return true
}

// take gives the group that is written now.
func (g *gatherer) take(key int64) []*saving {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[key]
	n, octets := 0, 0
	for n < len(l.waiting) && n < maxGathered && (n == 0 || octets+len(l.waiting[n].stored) <= maxGatheredOctets) {
		octets += len(l.waiting[n].stored)
		n++
	}
	group := slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	return group
}

// handOn ends the turn of a line's leader.
func (g *gatherer) handOn(key int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[key]
	if len(l.waiting) > 0 && l.waiting[0] == l.leader { // its transaction never began
		l.waiting = slices.Delete(l.waiting, 0, 1)
	}
	g.appoint(key, l)
}

func (g *gatherer) appoint(key int64, l *line) {
	if len(l.waiting) == 0 {
		delete(g.lines, key)
		return
	}
	l.leader = l.waiting[0]
	l.leader.turn <- turnLead
}
