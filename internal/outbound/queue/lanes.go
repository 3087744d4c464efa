package queue

import (
	"math"
	"sync"
	"sync/atomic"

	"plenary/internal/model"
)

const laneCount = int(model.LaneLetters) + 1

// lane holds the jobs of one priority; their distributions take turns, each with
// its oldest job first: so a range is soon over, and a commit of the recorder
// concerns few of them.
type lane struct {
	jobs   []*job // all in hand, oldest first
	slim   int    // of them, slim
	turn   int    // units handed out so far
	queued int
	pass   float64 // weighted copies so far; the lane furthest behind is next
}

// lanes is what is leased and what of it waits to be handed out.
type lanes struct {
	mu   sync.Mutex
	all  [laneCount]lane
	pass float64      // of the lane chosen last
	hand atomic.Int64 // connections that share what waits; 0: it is not for them directly
	most int          // ranges of a lane, and as many batches of retries
	// together: there is one bound for all kinds of jobs, with a Router. Else what waits
	// of one kind keeps out no other.
	together bool
	dropped  map[int64]int // copies left out because they are another's, by distribution
	more     chan struct{} // there is something to hand out
	room     chan struct{} // some distribution has little left in hand
}

func newLanes() *lanes {
	return &lanes{most: maxJobs, dropped: map[int64]int{}, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func hint(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func laneOf(l model.Lane) int { return min(int(l), laneCount-1) }

// add takes a job with its units into its lane.
func (l *lanes) add(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := &l.all[laneOf(j.source.d.Lane)]
	ln.jobs = append(ln.jobs, j)
	j.source.jobs++
	if ln.queued == 0 {
		ln.pass = max(ln.pass, l.pass) // no credit for having been away
	}
	ln.queued += j.queued
	j.source.queued += j.queued
	if j.queued > 0 {
		hint(l.more)
	}
}

// next takes the unit whose turn it is, from lanes that were not tried; nil when
// nothing waits there. Jobs whose lease is over by now are left out until it is
// prolonged: they may be another's. What was put aside comes when all else is out.
func (l *lanes) next(now model.Instant, tried [laneCount]bool) *Unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, aside := l.turn(now, tried, false)
	if u == nil && aside {
		u, _ = l.turn(now, tried, true)
	}
	return u
}

// turn is next, with what was put aside or without; it reports whether there is some.
func (l *lanes) turn(now model.Instant, tried [laneCount]bool, with bool) (u *Unit, aside bool) {
	for {
		best := -1
		for i := range l.all {
			if !tried[i] && l.all[i].queued > 0 && (best < 0 || l.all[i].pass < l.all[best].pass) {
				best = i
			}
		}
		if best < 0 {
			return nil, aside
		}
		tried[best] = true
		ln := &l.all[best]
		var j *job
		for _, other := range ln.jobs {
			switch {
			case len(other.units) == 0 || other.until <= now:
			case other.units[0].aside > now && !with:
				aside = true
			case j == nil || other.source.served < j.source.served:
				j = other
			}
		}
		if j != nil {
			ln.turn++
			j.source.served = ln.turn
			return l.handOut(ln, j, l.share()), aside
		}
	}
}

// handOut takes the first unit of a job, or n copies of it when it has more.
func (l *lanes) handOut(ln *lane, j *job, n int) *Unit {
	u := j.units[0]
	if n < len(u.to) {
		first, rest := *u, *u
		first.to, rest.to = u.to[:n:n], u.to[n:]
		u, j.units[0] = &first, &rest
	} else {
		j.units[0] = nil
		j.units = j.units[1:]
	}
	before := j.source.queued
	l.move(j, -len(u.to))
	j.out += len(u.to)
	l.pass = ln.pass
	ln.pass += float64(len(u.to)) / weight(j.source.d.Lane)
	if j.source.more && before >= lowWater && j.source.queued < lowWater {
		hint(l.room)
	}
	return u
}

// share is one connection's part of what waits: when little is left all of them
// end together.
func (l *lanes) share() int {
	hands := int(l.hand.Load())
	if hands == 0 {
		return math.MaxInt
	}
	n := 0
	for i := range l.all {
		n += l.all[i].queued
	}
	return max(1, (n+hands-1)/hands)
}

// setMore notes whether a distribution has ranges to lease.
func (l *lanes) setMore(s *source, more bool) {
	l.mu.Lock()
	s.more = more
	l.mu.Unlock()
}

// thirsty gives the open distributions that have ranges to lease and little in
// hand.
func (l *lanes) thirsty() []*source {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*source
	seen := map[*source]bool{}
	for i := range l.all {
		if l.count(&l.all[i], aRange) >= l.most {
			continue
		}
		for _, j := range l.all[i].jobs {
			if s := j.source; s.more && s.queued < lowWater && !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}

// move changes the number of waiting copies of a job.
func (l *lanes) move(j *job, n int) {
	j.queued += n
	j.source.queued += n
	l.all[laneOf(j.source.d.Lane)].queued += n
}

// back returns a unit nobody has touched, to the front or, one that is not for every
// outlet, to the end. It reports false when
// its job was halted: then the copies are dropped.
func (l *lanes) back(u *Unit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := u.job
	j.out -= len(u.to)
	if j.halted {
		return false
	}
	if u.aside != 0 || u.not != 0 {
		j.units = append(j.units, u)
	} else {
		j.units = append([]*Unit{u}, j.units...)
	}
	l.move(j, len(u.to))
	l.all[laneOf(j.source.d.Lane)].pass -= float64(len(u.to)) / weight(j.source.d.Lane)
	if u.aside == 0 { // else who puts it back chooses next
		hint(l.more)
	}
	return true
}

// queued counts the copies that wait to be handed out.
func (l *lanes) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := range l.all {
		n += l.all[i].queued
	}
	return n
}

// load is the number of jobs of a kind in a lane, without slim ones.
func (l *lanes) load(lane model.Lane, k kind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count(&l.all[laneOf(lane)], k)
}

// count is load; l.mu is held.
func (l *lanes) count(ln *lane, k kind) (n int) {
	if l.together {
		return len(ln.jobs) - ln.slim
	}
	for _, j := range ln.jobs {
		if j.kind() == k {
			n++
		}
	}
	return n
}

// held gives every lease in hand that is ours.
func (l *lanes) held() (jobs []*job, chunks []model.Chunk, claims []model.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		for _, j := range l.all[i].jobs {
			if j.lost || j.ended {
				continue
			}
			jobs = append(jobs, j)
			if j.chunk != nil {
				chunks = append(chunks, *j.chunk)
			}
			claims = append(claims, j.rows()...)
		}
	}
	return jobs, chunks, claims
}

// distributions lists the distributions in hand.
func (l *lanes) distributions() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[int64]bool{}
	var ids []int64
	for i := range l.all {
		for _, j := range l.all[i].jobs {
			if !j.halted && !seen[j.source.d.ID] {
				seen[j.source.d.ID] = true
				ids = append(ids, j.source.d.ID)
			}
		}
	}
	return ids
}
