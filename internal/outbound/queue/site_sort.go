package queue

import (
	"context"
	"strings"
	"time"

	"plenary/internal/model"
)

// domain is where the mail of a domain goes, or who waits to know.
type domain struct {
	name   string
	anyway bool   // of letters that must arrive even where TLS fails
	depot  *depot // nil: nowhere, as result says
	result Result
	until  time.Time
	asking bool
	held   []parcel
	n      int
	parked [laneCount]bool // more waits in the store
	used   bool            // since the last look for who may be forgotten
}

// number names what waits for the answer in the store.
func (f *domain) number() int64 { return model.SiteNumber(model.WaitDomain, f.name) }

// sort takes what is leased out of the lanes and puts it into depots.
func (d *depots) sort(ctx context.Context) {
	for ctx.Err() == nil {
		full := d.full()
		u := d.e.lanes.next(model.At(d.e.Now()), full)
		if u != nil {
			d.spread(u)
			continue
		}
		var again <-chan time.Time
		if full != [laneCount]bool{} {
			d.relieve()
			again = time.After(100 * time.Millisecond)
		}
		select {
		case <-d.e.lanes.more:
		case <-d.more:
		case <-again:
		case <-ctx.Done():
		}
	}
}

// full says which lanes have as much in hand as they may.
func (d *depots) full() (full [laneCount]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	late := len(d.rows) > 64 // the recorder does not keep up
	for l := range full {
		full[l] = late || d.waiting[l] >= handMost
	}
	return full
}

// spread sorts a unit by site.
func (d *depots) spread(u *Unit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, st := d.e.Now(), d.e.stops.Load()
	for i := range u.to {
		t := u.to[i].own()
		name := domainOf(t.Address)
		if st != nil && st.paused[name] {
			d.later(u.job, t, pauseOf(name))
			continue
		}
		key := name
		if u.job.source.anyway {
			key += " anyway"
		}
		f := d.domains[key]
		if f == nil || !f.asking && now.After(f.until) {
			if f == nil {
				name = strings.Clone(name) // it outlives the copy
				if f = (&domain{name: name, anyway: u.job.source.anyway}); !f.anyway {
					key = name
				}
				if len(d.domains) >= domainsMost {
					d.forgetDomains()
				}
				d.domains[key] = f
			}
			f.asking = true
			d.toLook = append(d.toLook, f)
		}
		f.used = true
		d.put(f, u.job, t, now)
	}
	d.look()
}

// own gives a target that holds on to nothing but itself: the texts of a range are
// cut from one, which would stay as long as one of a thousand waits.
func (t target) own() target {
	same := t.Key == t.Address
	t.Address = strings.Clone(t.Address)
	if same {
		t.Key = t.Address
	} else {
		t.Key = strings.Clone(t.Key)
	}
	return t
}

// forgetDomains makes room, first of those nobody has asked for since the last
// time; the router remembers too.
func (d *depots) forgetDomains() {
	for range 2 {
		for key, f := range d.domains {
			switch {
			case f.asking:
			case f.used:
				f.used = false
			default:
				delete(d.domains, key)
			}
			if len(d.domains) < domainsMost*7/8 {
				return
			}
		}
	}
}

// put puts one copy where its domain's mail goes.
func (d *depots) put(f *domain, j *job, t target, now time.Time) {
	switch {
	case f.asking && f.n >= lookWaiting:
		f.parked[laneNow(j)] = true
		d.asking[f.number()] = true
		d.later(j, t, wait{f.number(), model.At(now), "its domain is being looked up"})
	case f.asking:
		f.n++
		d.waiting[laneNow(j)]++
		if k := len(f.held) - 1; k >= 0 && f.held[k].job == j {
			f.held[k].to = append(f.held[k].to, t)
		} else {
			f.held = append(f.held, parcel{j, []target{t}})
		}
	case f.depot == nil:
		d.record(j, d.e.row(j, t, f.result, f.number()))
	default:
		f.depot = d.here(f.depot)
		d.add(f.depot, j, t, now)
	}
}

// look begins lookups; d.mu is held.
func (d *depots) look() {
	for d.looking < lookMost && len(d.toLook) > 0 && !d.closed {
		f := d.toLook[0]
		d.toLook = d.toLook[1:]
		d.looking++
		d.couriers.Go(func() {
			s, res := d.e.Router.Find(d.ctx, f.name, f.anyway)
			d.found(f, s, res)
		})
	}
}

// found lets go who waited to know a domain's site.
func (d *depots) found(f *domain, s Site, res Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looking--
	now := d.e.Now()
	f.asking, f.depot, f.result, f.until = false, nil, res, now.Add(domainFor)
	if s != nil {
		f.depot = d.of(s)
		if d.tried(func(name string) bool { return name == f.name }) {
			d.again(f.depot)
		}
	}
	delete(d.asking, f.number())
	for l := range f.parked {
		if f.parked[l] && s != nil {
			d.also(f.depot, model.SiteKey(f.number(), model.Lane(l)))
			hint(d.e.lanes.room)
		}
		f.parked[l] = false
	}
	held := f.held
	f.held, f.n = nil, 0
	if s == nil && res.State == Unsent { // we are stopping
		f.until = time.Time{}
		return
	}
	for _, p := range held {
		d.waiting[laneNow(p.job)] -= len(p.to)
		if d.halted(p.job, len(p.to)) {
			continue
		}
		for _, t := range p.to {
			d.put(f, p.job, t, now)
		}
	}
	d.look()
	hint(d.more)
}

// halted drops n copies of a job that was stopped; it reports whether it was.
// d.mu is held.
func (d *depots) halted(j *job, n int) bool {
	d.e.lanes.mu.Lock()
	defer d.e.lanes.mu.Unlock()
	if !j.halted {
		return false
	}
	j.out -= n
	if j.out == 0 && !j.ended {
		d.over = append(d.over, j)
		hint(d.todo)
	}
	return true
}

// add puts one copy into a depot, or puts it off when there is no room.
func (d *depots) add(p *depot, j *job, t target, now time.Time) {
	l := laneNow(j)
	if p.paused != "" {
		d.later(j, t, pauseOf(p.paused))
		return
	}
	if r, yes := d.e.tooLarge(j.source, p.number); yes {
		d.e.warnLarge(j.source, p.site.Name(), r)
		d.record(j, d.e.row(j, t, r, 0))
		return
	}
	until, why, down := p.site.Down()
	if !down {
		until, why, down = d.e.refusals.held(refusalKey{j.source.d.ID, p.number, domainOf(t.Address)}, now)
	}
	if down {
		d.changed[p.number] = p
		d.later(j, t, wait{p.number, model.At(until), why})
		return
	}
	ln := &p.lanes[l]
	if d.room(p, l) <= 0 {
		d.putAway(p, ln, 1)
		d.changed[p.number] = p
		d.later(j, t, turn(p, now))
		return
	}
	p.used = now
	p.n++
	d.waiting[l]++
	if ln.n == 0 {
		ln.pass = max(ln.pass, p.pass) // no credit for having been away
	}
	ln.n++
	for k := len(ln.parcels) - 1; k >= max(0, len(ln.parcels)-8); k-- {
		if ln.parcels[k].job == j {
			ln.parcels[k].to = append(ln.parcels[k].to, t)
			d.kick(p)
			return
		}
	}
	ln.parcels = append(ln.parcels, &parcel{j, []target{t}})
	d.kick(p)
}

// room is how many more copies of a lane a depot may have in hand.
func (d *depots) room(p *depot, l model.Lane) int {
	if p.live+p.opening == 0 && !p.pool && !p.slot {
		hungry := slotHungry * d.e.Connections
		if d.waiting[l] >= handMost/4 {
			hungry = d.e.Connections / 4
		}
		if len(d.poolless[p.site.Pool()]) >= poolHungry || len(d.slotless) >= hungry {
			return 0 // its turn comes no sooner for waiting here
		}
	}
	return max(depotLeast, int(depotAhead*p.rate)) - p.lanes[l].n
}
