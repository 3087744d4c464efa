package queue

import (
	"context"
	"slices"
	"time"

	"plenary/internal/model"
)

// wakeFor is how long after a pause ended copies may still turn up that were put
// off because of it.
const wakeFor = 10 * time.Second

// stops is what people have said about destinations.
type stops struct {
	said   *model.QueueStops
	paused map[string]bool // domains and sites
	retry  map[string]model.Instant
	ended  map[string]model.Instant // pauses that ended lately, when
}

// checkStops looks for what people have said since the last look.
func (e *Engine) checkStops(ctx context.Context) {
	now, err := e.Store.QueueStops(ctx)
	if err != nil {
		return // the recorder speaks up when the database is away
	}
	st := &stops{said: now, paused: map[string]bool{}, retry: now.Retry, ended: map[string]model.Instant{}}
	for _, name := range now.Paused {
		st.paused[name] = true
	}
	old := e.stops.Swap(st)
	if old == nil {
		old = &stops{retry: now.Retry} // what was asked before our time is done
	}
	e.tellStops(old.said, now)
	at := model.At(e.Now())
	for name := range old.paused {
		if !st.paused[name] {
			st.ended[name] = at
		}
	}
	for name, when := range old.ended {
		if !st.paused[name] && at < when.Add(wakeFor) {
			st.ended[name] = when
		}
	}
	for name := range st.ended { // what was on its way to wait comes back too
		if err := e.Store.WakePaused(ctx, name); err != nil && ctx.Err() == nil {
			e.Log.Warn("what waited for a pause is not due yet", "destination", name, "err", err)
		}
	}
	for name, at := range now.Retry {
		if at > old.retry[name] {
			e.tryNow(name)
		}
	}
	switch {
	case sameNames(old.paused, st.paused):
	case e.depots != nil:
		e.depots.parkPaused(st.paused)
	default:
		hint(e.changed)
	}
}

func sameNames(a, b map[string]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !b[name] {
			return false
		}
	}
	return true
}

// tryNow forgets that a destination is down or refuses us; empty: all of them.
func (e *Engine) tryNow(name string) {
	if e.depots == nil {
		e.refusals.forget(0)
		e.out.tryNow(name)
		return
	}
	d := e.depots
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.byKey {
		if name == "" || p.is(name) || d.domainAt(name, p) {
			p.site.Reset()
			e.refusals.forget(p.number)
			d.changed[p.number] = p
			d.kick(p)
		}
	}
	if f := d.domains[name]; f != nil && !f.asking {
		delete(d.domains, name)
	}
}

// domainAt reports whether the mail of a domain goes to a depot.
func (d *depots) domainAt(name string, p *depot) bool {
	f := d.domains[name]
	return f != nil && f.depot == p
}

// is reports whether people call a site so: the registered domain of its hosts,
// or one of them.
func (p *depot) is(name string) bool {
	return p.site.Name() == name || slices.Contains(p.site.Hosts(), name)
}

// pausedBy gives the name under which a person paused a site; empty: nobody did.
func (p *depot) pausedBy(names map[string]bool) string {
	if len(names) == 0 {
		return ""
	}
	if names[p.site.Name()] {
		return p.site.Name()
	}
	for _, h := range p.site.Hosts() {
		if names[h] {
			return h
		}
	}
	return ""
}

// parkPaused sends back to the store what waits for destinations that were
// paused.
func (d *depots) parkPaused(names map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.byKey {
		p.paused = p.pausedBy(names)
		d.sift(p, func(_ *job, t target) (wait, bool) {
			if p.paused != "" {
				return pauseOf(p.paused), true
			}
			name := domainOf(t.Address)
			return pauseOf(name), names[name]
		})
	}
	hint(d.more)
}

// parkRefused sends back to the store what waits for a site that refuses its
// distribution.
func (d *depots) parkRefused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.e.Now()
	for _, p := range d.byKey {
		d.sift(p, func(j *job, _ target) (wait, bool) {
			until, why, held := d.e.refusals.held(j.source.d.ID, p.number, now)
			return wait{p.number, model.At(until), why}, held
		})
	}
	hint(d.more)
}

// sift takes out of a depot what has to wait for something else.
func (d *depots) sift(p *depot, out func(*job, target) (wait, bool)) {
	for l := range p.lanes {
		ln := &p.lanes[l]
		for _, c := range ln.parcels {
			kept := c.to[:0:0]
			for _, t := range c.to {
				w, yes := out(c.job, t)
				if !yes {
					kept = append(kept, t)
					continue
				}
				ln.n--
				p.n--
				d.waiting[l]--
				if !d.halted(c.job, 1) {
					d.record(c.job, d.e.later(c.job, t, w))
				}
			}
			c.to = kept
		}
		ln.parcels = slices.DeleteFunc(ln.parcels, func(c *parcel) bool { return len(c.to) == 0 })
	}
}
