package smtpin

import (
	"sync"
	"time"
)

// budget is the memory that the messages at this door may take together. The
// last eighth of it is for small messages, of which one client can have no more
// than connections. Of the rest a client may take three times what it leaves to
// the others: alone that is three quarters, and the more there are the less it is
// for each, so whoever holds most is refused first.
type budget struct {
	max int64

	mu   sync.Mutex
	held int64
	by   map[string]int64 // countKey -> octets
	told time.Time        // when the log heard last that something was refused
}

// holder is the part of one message in a budget.
type holder struct {
	budget *budget
	peer   string // countKey
	n      int64
}

func newBudget(limit int64) *budget { return &budget{max: limit, by: map[string]int64{}} }

// take counts n octets more for the message, or nothing when it may not have them.
func (h *holder) take(n int64) bool {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.max - b.held - n
	if h.n+n > smallMessage {
		left -= b.max / 8
		if b.by[h.peer]+n > 3*left {
			return false
		}
	}
	if left < 0 {
		return false
	}
	b.add(h, n)
	return true
}

// release counts the message out.
func (h *holder) release() {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.budget.add(h, -h.n)
}

func (b *budget) add(h *holder, n int64) {
	h.n += n
	b.held += n
	if b.by[h.peer] += n; b.by[h.peer] == 0 {
		delete(b.by, h.peer)
	}
}

// burdens tells that the message is one of those that leave others too little:
// more than half is taken, and not by small messages.
func (h *holder) burdens() bool {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	return h.n > smallMessage && h.budget.held > h.budget.max/2
}

// total is what all messages hold.
func (b *budget) total() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// most names the client that holds most, for the log, which hears it once in a
// while only: tell says whether now.
func (b *budget) most(now time.Time) (peer string, octets int64, tell bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.told) < tellEach {
		return "", 0, false
	}
	b.told = now
	for p, n := range b.by {
		if n > octets {
			peer, octets = p, n
		}
	}
	return peer, octets, true
}

// pace is how much a connection brings in a minute. A message that burdens others
// has more octets than it must bring, so none has begun too late in its minute.
type pace struct {
	since  time.Time // begin of the minute that is counted
	octets int64     // since then
}

// next begins another minute when one is over, and tells whether it brought too little.
func (p *pace) next(now time.Time) (slow bool) {
	if p.since.IsZero() {
		*p = pace{since: now}
	}
	if now.Sub(p.since) < paceOver {
		return false
	}
	slow = p.octets < leastPace
	*p = pace{since: now}
	return slow
}
