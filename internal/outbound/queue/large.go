package queue

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	announcedFor  = 5 * time.Minute // then a connection finds out again
	announcedMost = 10_000          // peers remembered
	// sizeSpread: copies of one distribution differ by addresses, links and what a
	// template fills in. When one is less above a limit, each is looked at.
	sizeSpread = 16 << 10 // octets
)

// TooLarge is the outcome of a letter of so many octets for a peer that announced
// to take limit at most (RFC 1870 6.1). It is about the message and not about its
// recipient, and nobody asked the peer.
func TooLarge(size, limit int64) Result {
	return Result{State: Permanent, Code: 552, Local: true, Peer: true,
		Reply: fmt.Sprintf("5.3.4 the message is too large: it has %d octets, and the next hop announced that it takes %d at most", size, limit)}
}

// announced remembers what peers said is the largest message they take. With the
// size of a distribution's first copy it decides for all others: those for a peer
// that does not take them fail without a connection. A peer may be many hosts that
// differ: the largest limit heard holds, until it is old or a person says retry.
// Peers are the numbers of sites, or of outlets.
type announced struct {
	least atomic.Int64 // no limit in by is smaller: almost every message is
	mu    sync.Mutex
	by    map[int64]limit
}

// limit is what one peer said.
type limit struct {
	octets int64 // MaxInt64: none
	until  time.Time
}

func newAnnounced() *announced {
	a := &announced{by: map[int64]limit{}}
	a.least.Store(math.MaxInt64)
	return a
}

// heard takes what a peer says on a new connection; 0: it names no limit.
func (a *announced) heard(peer, octets int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, had := a.by[peer]
	if octets <= 0 {
		octets = math.MaxInt64
	}
	if had && octets < old.octets && now.Before(old.until) {
		return
	}
	if !had && len(a.by) >= announcedMost {
		a.by = map[int64]limit{} // it only spares connections
		a.least.Store(math.MaxInt64)
	}
	a.by[peer] = limit{octets, now.Add(announcedFor)}
	a.least.Store(min(octets, a.least.Load()))
	if had && old.octets == a.least.Load() && octets != old.octets {
		a.least.Store(math.MaxInt64)
		for _, l := range a.by {
			a.least.Store(min(l.octets, a.least.Load()))
		}
	}
}

// forget lets connections find out again.
func (a *announced) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by = map[int64]limit{}
	a.least.Store(math.MaxInt64)
}

// refuses gives the outcome of a distribution's copies for a peer that does not take
// them, by the size of one; 0: it is not known.
func (a *announced) refuses(peer, size int64, now time.Time) (Result, bool) {
	if size <= sizeSpread || size-sizeSpread <= a.least.Load() {
		return Result{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l, known := a.by[peer]
	if !known || !now.Before(l.until) || size-sizeSpread <= l.octets {
		return Result{}, false
	}
	return TooLarge(size, l.octets), true
}

// opened takes what the peer of a new connection announced.
func (e *Engine) opened(peer int64, c Courier) {
	if l, ok := c.(interface{ Largest() int64 }); ok {
		e.announced.heard(peer, l.Largest(), e.Now())
	}
}

// tooLarge gives the outcome of a distribution's copies for a peer that does not take
// so large a message.
func (e *Engine) tooLarge(s *source, peer int64) (Result, bool) {
	size := s.size.Load()
	if size <= sizeSpread {
		return Result{}, false
	}
	return e.announced.refuses(peer, size, e.Now())
}

// warnLarge logs the first time that copies of a distribution fail for its size.
func (e *Engine) warnLarge(s *source, name string, r Result) {
	if s.large.CompareAndSwap(false, true) {
		e.Log.Warn("a message is larger than a peer takes: its copies for those that say so fail", "distribution", s.d.ID, "peer", name, "reply", r.Reply)
	}
}

// unfit gives the outcome of a distribution's copies when none of the outlets takes
// so large a message, also none that is down or rests now.
func (s *outlets) unfit(src *source) (r Result, yes bool) {
	for _, o := range s.all {
		if r, yes = s.e.tooLarge(src, o.number); !yes {
			return Result{}, false
		}
	}
	s.e.warnLarge(src, s.all[len(s.all)-1].Name, r)
	return r, true
}

// unfit records the copies of a unit as failed when none of the outlets takes so
// large a message; it reports whether.
func (e *Engine) unfit(u *Unit) bool {
	r, yes := e.out.unfit(u.job.source)
	if !yes {
		return false
	}
	s := skipped{job: u.job, out: len(u.to)}
	for _, t := range u.to {
		s.rows = append(s.rows, e.row(u.job, t, r, 0))
	}
	e.skips <- s // the recorder outlives this goroutine
	e.budget.give(s.out)
	return true
}

// unfit records what waits at a depot of a parcel whose message its site does not
// take, and reports whether it did; the parcel is taken out by who calls. d.mu is
// held.
func (d *depots) unfit(p *depot, ln *depotLane, c *parcel) bool {
	r, yes := d.e.tooLarge(c.job.source, p.number)
	if !yes {
		return false
	}
	d.e.warnLarge(c.job.source, p.site.Name(), r)
	n := len(c.to)
	ln.n -= n
	p.n -= n
	d.waiting[laneNow(c.job)] -= n
	if !d.halted(c.job, n) {
		for _, t := range c.to {
			d.record(c.job, d.e.row(c.job, t, r, 0))
		}
	}
	hint(d.more)
	return true
}
