package queue

import (
	"time"

	"plenary/internal/model"
)

// perLink is how many waiting copies are worth a connection.
const perLink = 4

// slowMost times as many connections as are allowed may be slow to open.
const slowMost = 4

// kick opens connections for what waits in a depot, or wakes an idle one; d.mu
// is held.
func (d *depots) kick(p *depot) {
	if d.closed || p.n == 0 {
		return
	}
	if p.idle > 0 {
		hint(p.wake)
		return
	}
	for p.live-p.stuck+p.opening < (p.n+perLink-1)/perLink {
		if p.opening > 0 && p.live == 0 {
			return // the first shows whether the site answers at all
		}
		if !d.slotFor(p) {
			if !p.slot {
				p.slot = true
				d.slotless = append(d.slotless, p)
			}
			return
		}
		ok, wait := p.site.Acquire()
		switch {
		case ok:
		case wait > 0:
			d.lookAgain(p, wait)
			return
		default:
			if !p.pool && p.live+p.opening == 0 {
				p.pool = true
				d.poolless[p.site.Pool()] = append(d.poolless[p.site.Pool()], p)
			}
			return
		}
		p.opening++
		d.opening++
		site := p.site // the one that was asked; the depot may get a fresher one meanwhile
		d.couriers.Go(func() { d.serve(p, site) })
	}
}

// lookAgain kicks a depot later.
func (d *depots) lookAgain(p *depot, wait time.Duration) {
	if p.timer {
		return
	}
	p.timer = true
	time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		p.timer = false
		if d.park(p); p.n > 0 {
			d.kick(p)
		}
	})
}

// slotFor reports whether one more connection may be opened. Connections that
// get no answers do not count, up to as many again, nor those that take long to
// open, which cost next to nothing, up to slowMost times as many; a quarter more
// is for mail that people wait for.
func (d *depots) slotFor(p *depot) bool {
	for l := range model.LaneDigest {
		if p.lanes[l].n > 0 {
			return d.slots(true) > 0
		}
	}
	return d.slots(false) > 0
}

// slots is how many more connections may be opened, for mail that people wait for
// or for all.
func (d *depots) slots(awaited bool) int {
	most := d.e.Connections + min(d.stuck, d.e.Connections) + min(d.slow, slowMost*d.e.Connections)
	if awaited {
		most += (d.e.Connections + 3) / 4
	}
	return most - len(d.links) - d.opening
}

// feedSlots lets depots open connections that are free now; d.mu is held.
func (d *depots) feedSlots() {
	defer d.recall()
	if len(d.slotless) == 0 {
		return
	}
	wait, kept := d.slotless, d.slotless[:0]
	d.slotless = nil
	for i, p := range wait {
		if d.slots(true) <= 0 {
			kept = append(kept, wait[i:]...)
			break
		}
		if p.n > 0 && !d.slotFor(p) {
			kept = append(kept, p)
			continue
		}
		p.slot = false
		d.kick(p)
	}
	clear(wait[len(kept):])
	d.slotless = append(kept, d.slotless...)
}

// serve opens one connection and lets its courier work until it ends.
func (d *depots) serve(p *depot, site Site) {
	l := &link{depot: p, site: site, last: d.e.Now()}
	d.mu.Lock()
	d.dialing[l] = struct{}{}
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	d.mu.Unlock()
	c, err := site.Connect(d.ctx)
	d.mu.Lock()
	l.last = d.e.Now()
	delete(d.dialing, l)
	p.opening--
	d.opening--
	if err == nil {
		p.live++
		d.links[l] = struct{}{}
	}
	d.mu.Unlock()
	useful, answered := false, 0
	if err == nil {
		d.e.opened(p.number, c)
		units, done := make(chan *Unit), make(chan error, 1)
		go func() { done <- c.Run(d.work, units, d.e.outcomes) }()
		err = d.feed(l, units, done)
		useful = taken(c) > 0
		d.mu.Lock()
		p.live--
		delete(d.links, l)
		answered = l.answered
		d.mu.Unlock()
	}
	if d.ctx.Err() != nil {
		err = nil // it is us who end
	}
	site.Done(err, useful)
	d.e.refusedUs(site.Name(), err)
	if err != nil {
		d.e.Log.Info("a connection to a site ended", "site", site.Name(), "err", err, "letters", answered)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.park(p)
	pool := site.Pool()
	for len(d.poolless[pool]) > 0 {
		q := d.poolless[pool][0]
		if d.poolless[pool] = d.poolless[pool][1:]; len(d.poolless[pool]) == 0 {
			delete(d.poolless, pool)
		}
		q.pool = false
		d.kick(q)
		if q.opening > 0 || q.pool {
			break
		}
	}
	d.kick(p)
	d.feedSlots()
}

// feed gives a courier units until it ends, or should.
func (d *depots) feed(l *link, units chan<- *Unit, done <-chan error) error {
	p := l.depot
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		u, wait := d.take(l)
		if u != nil {
			if !d.e.refresh(d.ctx, u) || len(u.to) == 0 {
				continue
			}
			select {
			case units <- u:
				d.handed(l, len(u.to))
			case err := <-done:
				d.e.putBack(u)
				return err
			case <-d.ctx.Done():
				d.e.putBack(u)
				close(units)
				return <-done
			}
			continue
		}
		if wait < 0 {
			close(units)
			return <-done
		}
		timer.Reset(wait)
		d.resting(p, 1)
		var ended bool
		var err error
		select {
		case <-p.wake:
		case <-timer.C:
		case err = <-done:
			ended = true
		case <-d.ctx.Done():
			ended = true
			close(units)
			err = <-done
		}
		d.resting(p, -1)
		if ended {
			return err
		}
	}
}

func (d *depots) resting(p *depot, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.idle += n
}

func (d *depots) handed(l *link, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.handed == l.answered {
		l.last = d.e.Now()
	}
	l.handed += n
}

// restLong is the wait of a connection nobody has letters for; the courier ends
// sooner.
const restLong = time.Minute

// take cuts the next unit for a connection. Without one it says how long to
// wait; below 0: the connection should end.
func (d *depots) take(l *link) (*Unit, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := l.depot
	others := len(d.slotless) > 0 || len(d.poolless[p.site.Pool()]) > 0
	if others && (p.n == 0 && !d.dry(l) || l.handed >= turnLetters) || l.handed >= l.site.Life() {
		return nil, -1
	}
	ln, c := d.choose(p)
	if c == nil {
		d.thirst(p)
		if others {
			return nil, dryFor
		}
		return nil, restLong
	}
	l.dry = time.Time{}
	if l.site.Leave() {
		return nil, -1
	}
	want := min(len(c.to), p.size, p.site.Batch(), max(1, int(d.e.budget.free.Load())/unitOfBudget))
	n := d.e.budget.some(want)
	if n == 0 {
		if !p.hungry {
			p.hungry = true
			d.starved = append(d.starved, p)
		}
		return nil, time.Second
	}
	got, wait := p.site.Letters(n)
	d.e.budget.give(n - got)
	if got == 0 {
		return nil, max(wait, time.Millisecond)
	}
	u := &Unit{prepared: c.job.source.prepared, job: c.job, to: c.to[:got:got], link: l}
	if c.to = c.to[got:]; len(c.to) == 0 {
		ln.parcels = ln.parcels[1:]
	} else {
		ln.parcels = append(ln.parcels[1:], c) // distributions take turns
	}
	lane := laneNow(c.job)
	ln.n -= got
	p.n -= got
	d.waiting[lane] -= got
	p.pass = ln.pass
	ln.pass += float64(got) / weight(lane)
	if d.waiting[lane] == handMost/2 || d.waiting[lane] < handMost && d.waiting[lane]+got >= handMost {
		hint(d.more)
	}
	d.thirst(p)
	d.kick(p)
	return u, 0
}

// dry reports whether a connection with nothing to do should stay although others
// want its place: more for its site is in the store, and to come back for it costs
// another connection.
func (d *depots) dry(l *link) bool {
	now := d.e.Now()
	for i := range l.depot.lanes {
		if l.depot.lanes[i].parked {
			if l.dry.IsZero() {
				l.dry = now
			}
			return now.Sub(l.dry) < dryFor
		}
	}
	return false
}

// choose gives the parcel whose turn it is, at the front of its lane. Halted
// jobs are dropped; those whose lease is over by now are left.
func (d *depots) choose(p *depot) (*depotLane, *parcel) {
	now := model.At(d.e.Now())
	var tried [laneCount]bool
	for {
		best := -1
		for i := range p.lanes {
			if !tried[i] && p.lanes[i].n > 0 && (best < 0 || p.lanes[i].pass < p.lanes[best].pass) {
				best = i
			}
		}
		if best < 0 {
			return nil, nil
		}
		tried[best] = true
		ln := &p.lanes[best]
		for range len(ln.parcels) {
			c := ln.parcels[0]
			if d.halted(c.job, len(c.to)) {
				ln.parcels = ln.parcels[1:]
				ln.n -= len(c.to)
				p.n -= len(c.to)
				d.waiting[best] -= len(c.to)
				continue
			}
			d.e.lanes.mu.Lock()
			ours := c.job.until > now
			d.e.lanes.mu.Unlock()
			switch {
			case !ours:
			case d.unfit(p, ln, c):
				ln.parcels = ln.parcels[1:]
				continue
			default:
				return ln, c
			}
			ln.parcels = append(ln.parcels[1:], c)
		}
	}
}

// back returns a unit nobody has touched; false when its job was halted.
func (d *depots) back(u *Unit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, n := d.here(u.link.depot), len(u.to)
	d.e.lanes.mu.Lock()
	if u.job.halted {
		u.job.out -= n
		d.e.lanes.mu.Unlock()
		return false
	}
	d.e.lanes.mu.Unlock()
	l := laneNow(u.job)
	ln := &p.lanes[l]
	ln.parcels = append([]*parcel{{u.job, u.to}}, ln.parcels...)
	ln.n += n
	p.n += n
	d.waiting[l] += n
	d.park(p)
	d.kick(p)
	return true
}

// note counts an answer.
func (d *depots) note(l *link, r Result) {
	p := l.depot
	if r.State != Unsent && !r.Local {
		l.site.Note(r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.last = d.e.Now()
	l.answered++
	if r.State != Unsent {
		d.counts[resultKey{p.site.Label(), class(r)}]++
	}
	switch r.State {
	case OK:
		p.oks++
		p.size = min(p.size+1, p.site.Batch())
	case Temporary:
		p.size = max(1, p.size/2)
		d.park(p)
	}
	if (r.State == Temporary || class(r) == "policy") && l.last.Sub(p.told) >= time.Minute {
		d.changed[p.number] = p // it waits for the site: people are told which that is
	}
}
