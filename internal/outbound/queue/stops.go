package queue

import (
	"context"
	"maps"
	"slices"
	"time"

	"plenary/internal/model"
)

// wakeFor is how long after a pause ended, or a site was to be tried again, copies may
// still turn up that were put off because of it.
const wakeFor = 10 * time.Second

// stops is what people have said about destinations.
type stops struct {
	said   *model.QueueStops
	paused map[string]bool          // domains and sites
	ended  map[string]model.Instant // pauses that ended lately, when
	tried  map[string]model.Instant // what was to be tried lately, when we forgot that it was down
	again  map[int64]model.Instant  // the same of distributions
	sites  map[int64]bool           // what copies of those wait for
}

// checkStops looks for what people have said since the last look.
func (e *Engine) checkStops(ctx context.Context) {
	now, err := e.Store.QueueStops(ctx)
	if err != nil {
		return // the recorder speaks up when the database is away
	}
	st := &stops{said: now, paused: map[string]bool{}, ended: map[string]model.Instant{}, tried: map[string]model.Instant{},
		again: map[int64]model.Instant{}, sites: map[int64]bool{}}
	for _, name := range now.Paused {
		st.paused[name] = true
	}
	old := e.stops.Load()
	if old == nil {
		old = &stops{said: &model.QueueStops{Retry: now.Retry, Again: now.Again}} // what was asked before our time is done
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
	e.tryAsked(ctx, st, old)
	e.stops.Store(st)            // nothing of it changes from here
	for name := range st.ended { // what was on its way to wait comes back too
		if err := e.Store.WakePaused(ctx, name); err != nil && ctx.Err() == nil {
			e.Log.Warn("what waited for a pause is not due yet", "destination", name, "err", err)
		}
		for _, relay := range e.out.called(name) {
			if err := e.Store.WakeForRelay(ctx, relay); err != nil && ctx.Err() == nil {
				e.Log.Warn("what waited for a relay is not due yet", "relay", relay, "err", err)
			}
		}
	}
	for name, when := range st.tried { // what was put off before we had forgotten
		if err := e.Store.RetryPutOff(ctx, 0, name, when); err != nil && ctx.Err() == nil {
			e.Log.Warn("what waited for a site is not due yet", "destination", name, "err", err)
		}
	}
	for id, when := range st.again {
		if err := e.Store.RetryPutOff(ctx, id, "", when); err != nil && ctx.Err() == nil {
			e.Log.Warn("what waited for a site is not due yet", "distribution", id, "err", err)
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

// tryAsked tries what people have asked for since the last look: sites forget that
// they are down, or refuse us; for a distribution those that its copies wait for, and
// that they refuse it.
func (e *Engine) tryAsked(ctx context.Context, st, old *stops) {
	at := model.At(e.Now())
	for name, when := range old.tried {
		if at < when.Add(wakeFor) {
			st.tried[name] = when
		}
	}
	for name, asked := range st.said.Retry {
		if asked != old.said.Retry[name] { // a clock may have been put back
			e.announced.forget()
			e.tryNow(name)
			st.tried[name] = model.At(e.Now())
		}
	}
	for id, when := range old.again {
		if at < when.Add(wakeFor) {
			st.again[id] = when
		}
	}
	if len(st.again) > 0 {
		maps.Copy(st.sites, old.sites)
	}
	for id, asked := range st.said.Again {
		if asked == old.said.Again[id] {
			continue
		}
		e.announced.forget()
		if e.depots == nil {
			e.refusals.again(id)
			e.out.tryNow("")
		} else {
			sites, err := e.Store.SitesOf(ctx, id)
			if err != nil {
				if ctx.Err() == nil {
					e.Log.Warn("sites that a distribution waits for are not tried yet", "distribution", id, "err", err)
				}
				delete(st.said.Again, id) // the next look finds it again
				continue
			}
			for _, number := range sites {
				st.sites[number] = true
			}
			e.depots.tryNow(id, sites)
		}
		st.again[id] = model.At(e.Now())
	}
}

// tryNow forgets that sites are down or refuse a distribution, or that domains have
// none. What was put off before that was so under the same lock.
func (d *depots) tryNow(distribution int64, sites []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.e.refusals.again(distribution)
	wanted := make(map[int64]bool, len(sites))
	for _, number := range sites {
		wanted[number] = true
		if p := d.byNumber[number]; p != nil {
			p.site.Reset()
			d.changed[number] = p
			d.kick(p)
		}
	}
	for name, f := range d.domains {
		if !f.asking && f.depot == nil && wanted[f.number()] {
			delete(d.domains, name)
		}
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
			d.again(p)
			d.kick(p)
		}
	}
	if f := d.domains[name]; f != nil && !f.asking {
		delete(d.domains, name)
	}
}

// again forgets that a site is down or refuses us.
func (d *depots) again(p *depot) {
	p.site.Reset()
	d.e.refusals.forget(p.number)
	d.changed[p.number] = p
}

// tried reports whether a person has asked lately to try what is called so.
func (d *depots) tried(is func(name string) bool) bool {
	st := d.e.stops.Load()
	if st == nil {
		return false
	}
	for name := range st.tried {
		if name == "" || is(name) {
			return true
		}
	}
	return false
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
		d.sift(p, func(j *job, t target) (wait, bool) {
			until, why, held := d.e.refusals.held(refusalKey{j.source.d.ID, p.number, domainOf(t.Address)}, now)
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
