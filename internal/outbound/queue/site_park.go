package queue

import (
	"time"

	"plenary/internal/model"
)

// later records a copy as waiting in the store. It had no attempt.
func (d *depots) later(j *job, t target, w wait) { d.record(j, d.e.later(j, t, w)) }

// record gives the clerk a row of a copy that was in the sorter's hand.
func (d *depots) record(j *job, row model.Delivery) {
	if k := len(d.rows) - 1; k >= 0 && d.rows[k].job == j && len(d.rows[k].rows) < skipsAtOnce {
		d.rows[k].rows = append(d.rows[k].rows, row)
		d.rows[k].out++
	} else {
		d.rows = append(d.rows, skipped{job: j, rows: []model.Delivery{row}, out: 1})
	}
	hint(d.todo)
}

// park sends what waits in a depot back to the store: the site is down.
func (d *depots) park(p *depot) {
	until, why, down := p.site.Down()
	if !down || p.n == 0 {
		return
	}
	d.changed[p.number] = p
	for l := range p.lanes {
		for _, c := range p.lanes[l].parcels {
			d.parkParcel(p, l, c, wait{p.number, model.At(until), why})
		}
		p.lanes[l].parcels = nil
	}
	hint(d.more)
}

// turn is the wait of a copy that a site has no room for now.
func turn(p *depot, now time.Time) wait {
	return wait{p.number, model.At(now), "it waits for its turn at the site"}
}

// parkParcel puts off what waits of a job; the parcel is taken out by who calls.
func (d *depots) parkParcel(p *depot, l int, c *parcel, w wait) {
	n := len(c.to)
	p.n -= n
	p.lanes[l].n -= n
	d.waiting[l] -= n
	if d.halted(c.job, n) {
		return
	}
	for _, t := range c.to {
		d.later(c.job, t, w)
	}
}

// relieve makes room in a hand that is full: of the older half of the jobs what
// waits for a site goes back to the store. What still waits of those is what the
// slow sites have not taken.
func (d *depots) relieve() {
	old := d.e.lanes.older(model.At(d.e.Now().Add(-parkAfter)))
	if len(old) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.e.Now()
	for _, p := range d.byKey {
		if p.n == 0 {
			continue
		}
		for l := range p.lanes {
			ln := &p.lanes[l]
			kept := ln.parcels[:0]
			for _, c := range ln.parcels {
				if !old[c.job] {
					kept = append(kept, c)
					continue
				}
				d.putAway(p, ln, len(c.to))
				d.parkParcel(p, l, c, turn(p, now))
			}
			clear(ln.parcels[len(kept):])
			ln.parcels = kept
		}
	}
	hint(d.more)
}

// drop forgets what waits of jobs that were halted.
func (d *depots) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.byKey {
		for l := range p.lanes {
			ln := &p.lanes[l]
			kept := ln.parcels[:0]
			for _, c := range ln.parcels {
				if n := len(c.to); d.halted(c.job, n) {
					p.n -= n
					ln.n -= n
					d.waiting[l] -= n
					continue
				}
				kept = append(kept, c)
			}
			clear(ln.parcels[len(kept):])
			ln.parcels = kept
		}
	}
	hint(d.more)
}

// older gives the older half of each lane's jobs, as far as they were read
// before that, and marks them slim.
func (l *lanes) older(before model.Instant) map[*job]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[*job]bool{}
	for i := range l.all {
		left := (len(l.all[i].jobs) - l.all[i].slim + 1) / 2
		for _, j := range l.all[i].jobs {
			switch {
			case j.slim:
			case left == 0 || j.fresh >= before || j.queued > 0:
				continue
			default:
				left--
				j.slim = true
				l.all[i].slim++
			}
			out[j] = true
		}
	}
	if len(out) > 0 {
		hint(l.room)
	}
	return out
}
