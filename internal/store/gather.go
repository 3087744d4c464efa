package store

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Group commit. SQLite has one writer; on PostgreSQL the posts of one list wait
// for each other, because their UIDs come in the order of commits. So posts
// gather in lines, one for the database or one a list. Who stands first in a
// line writes, in one transaction, for all that stand in it at the moment the
// transaction begins; the next group gathers meanwhile. A post costs half of itself
// with the commit of SQLite, and with what PostgreSQL is asked once a group: so the
// first waits a moment for posts that are being judged (ExpectPost), unless they
// stand in other lines by now, and for those of clients that had an answer just now:
// who brings many brings the next at once. So four connections make groups of four,
// not of two, for a quarter less of the processor. A post alone is written at once.
//
// When the transaction of a group fails, each of its posts is tried alone: one
// that cannot be stored, or a client that gave up, fails for itself. A group
// that was committed although it seemed to fail meets itself by its Message-IDs.

// Limits of a group: other writers wait for it.
const (
	maxGathered       = 16 // posts
	maxGatheredOctets = 4 << 20
	gatherFor         = 4 * time.Millisecond // who leads waits so long for what is expected
	comesAgain        = 4 * time.Millisecond // so long after its answer a client may bring the next
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
	mu       sync.Mutex
	lines    map[int64]*line
	expected int           // posts that are judged, wait or are written
	placed   int           // those of all lines that wait or are written
	answered []time.Time   // when clients were answered that have not come again, the oldest first
	stir     chan struct{} // closed when any of this changes; nil: nobody waits for that
	patience time.Duration // in tests: instead of gatherFor
}

// ExpectPost says that a post is being judged that SavePost may soon get: posts
// that are ready wait for it, up to 4 ms, to share a commit. done must be called
// when its client is answered, once however many lists it was for, stored or not.
func (s *Store) ExpectPost() (done func()) {
	g := &s.gather
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected++
	if len(g.answered) > 0 { // perhaps of another client: then that one is not waited for
		g.answered = slices.Delete(g.answered, 0, 1)
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.expected--
		if len(g.answered) == maxGathered {
			g.answered = slices.Delete(g.answered, 0, 1)
		}
		g.answered = append(g.answered, time.Now())
		g.stirred()
	}
}

// stirred wakes a leader that waits for others; g.mu is held.
func (g *gatherer) stirred() {
	if g.stir != nil {
		close(g.stir)
		g.stir = nil
	}
}

// await lets the leader of a line wait until all that are expected stand in it.
func (g *gatherer) await(ctx context.Context, key int64) {
	end := time.Now().Add(cmp.Or(g.patience, gatherFor))
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; now = time.Now() {
		stir, at, complete := g.look(key, now)
		if complete {
			return
		}
		timer := time.NewTimer(min(at.Sub(now), end.Sub(now)))
		select {
		case <-stir:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// look reports whether all that are expected stand in a line; else what is closed
// when that changes, and when it changes by itself.
func (g *gatherer) look(key int64, now time.Time) (stir <-chan struct{}, at time.Time, complete bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = slices.DeleteFunc(g.answered, func(t time.Time) bool { return now.Sub(t) > comesAgain })
	// Who waits in another line or is written there does not come here.
	if n := len(g.lines[key].waiting); n >= maxGathered || n >= g.expected-(g.placed-n)+len(g.answered) {
		return nil, at, true
	}
	if g.stir == nil {
		g.stir = make(chan struct{})
	}
	at = now.Add(cmp.Or(g.patience, gatherFor))
	if len(g.answered) > 0 {
		at = g.answered[0].Add(comesAgain + 1)
	}
	return g.stir, at, false
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
		s.gather.handOn(key, len(group))
		for _, o := range group {
			if o != m {
				o.turn <- told
			}
		}
	}()
	s.gather.await(ctx, key)
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
	g.placed++
	g.stirred()
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
	g.placed--
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

// handOn ends the turn of a line's leader, who took so many out of it.
func (g *gatherer) handOn(key int64, took int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[key]
	if len(l.waiting) > 0 && l.waiting[0] == l.leader { // its transaction never began
		l.waiting = slices.Delete(l.waiting, 0, 1)
		took++
	}
	g.placed -= took
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
