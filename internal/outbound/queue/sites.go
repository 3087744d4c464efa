package queue

import (
	"context"
	"slices"
	"sync"
	"time"

	"plenary/internal/model"
)

// Router says which site takes the mail of a domain. An engine without one has
// one way out for everything.
type Router interface {
	// Find gives the site for the domain of an address; without one, the outcome
	// of every letter for it. It may take as long as DNS does. anyway: letters
	// that must arrive even where TLS fails (see Insistent).
	Find(ctx context.Context, domain string, anyway bool) (Site, Result)
	// Tidy forgets what has not been used for a while; called every tidySites.
	Tidy()
}

// Site is a set of hosts that take the same mail, with its limits and how it
// fares. Its methods may be called at once, and must not take long but for
// Connect.
type Site interface {
	Key() string     // identity
	Name() string    // for people: the registered domain of its hosts
	Label() string   // for metrics, one of a small set
	Hosts() []string // names of its hosts, the best first
	Pool() string    // identity of what shares its limits
	Batch() int      // letters handed to a connection at a time, at most
	Life() int       // letters of a connection; about then it ends
	Connect(ctx context.Context) (Courier, error)
	// Acquire asks for one more connection; after a yes Done must follow. wait
	// says when to ask again, 0: when another connection is done.
	Acquire() (ok bool, wait time.Duration)
	// Leave reports whether a connection should end before its next letters, because
	// there are more than are allowed now. One that is told so ends.
	Leave() bool
	// Done says why a connection could not be opened or ended, and whether it
	// had taken letters.
	Done(err error, useful bool)
	// Note tells the outcome of a letter.
	Note(r Result)
	// Letters asks to send n letters now.
	Letters(n int) (granted int, wait time.Duration)
	// Down reports whether nothing can be sent now, until when and why.
	Down() (until time.Time, why string, down bool)
	// Reset forgets that the site is down: somebody wants it tried now.
	Reset()
}

// Limits of what is in hand with a Router. Copies beyond them wait in the store.
const (
	depotLeast   = 256              // copies of a lane that one site may have waiting
	depotAhead   = 5                // or as many as it takes in so many seconds
	handMost     = 8192             // copies of a lane that wait for all sites
	lookMost     = 256              // domains being looked up at once
	lookWaiting  = 256              // copies that wait for the answer about one domain
	poolHungry   = 64               // sites that wait for a connection of a shared pool
	slotHungry   = 4                // the same for any connection, times Connections; once, while the hand is half full
	turnLetters  = 100              // of a connection while others wait for one
	stuckAfter   = 30 * time.Second // a connection without an answer does not keep others out
	slowOpen     = 3 * time.Second  // nor one that is not open after that: a greeting may take minutes
	parkAfter    = 3 * time.Second  // what waited so long goes back to the store when the hand is full
	domainFor    = time.Minute      // the site of a domain is not asked for again
	depotIdle    = 10 * time.Second // a site without letters is forgotten
	depotStored  = 5 * time.Minute  // the same when it has some in the store
	domainsMost  = 4096             // remembered; the router remembers more
	tidySites    = 10               // seconds between tidying up in the router
	unitOfBudget = 16               // the part of the free budget one unit may take
)

// depots is the way out to many sites. What is leased is sorted by site into
// depots; each has its own lanes and connections, and what a depot has no room
// for is recorded as waiting for that site, to be claimed again when there is.
// So a site that is slow, full or down holds nothing but its own.
type depots struct {
	e        *Engine
	ctx      context.Context // ends when no more is to be begun
	work     context.Context // ends connections in the middle of their work
	couriers *sync.WaitGroup
	more     chan struct{} // there is room in the hand
	todo     chan struct{} // rows wait for the recorder

	mu       sync.Mutex
	closed   bool
	byKey    map[string]*depot
	byNumber map[int64]*depot
	domains  map[string]*domain
	waiting  [laneCount]int // copies of a lane in hand, not handed out
	rows     []skipped      // for the recorder
	over     []*job         // halted, with nothing out any more
	links    map[*link]struct{}
	dialing  map[*link]struct{} // not open yet
	opening  int                // connections
	stuck    int                // of links
	slow     int                // of dialing
	slotless []*depot
	away     []away              // the longest waiting first
	ripe     []away              // of them, with many copies
	asked    map[*depot]struct{} // can take more of what is in the store
	poolless map[string][]*depot
	starved  []*depot // wait for budget
	looking  int
	toLook   []*domain
	extras   map[int64]*depot  // who has them in extra
	asking   map[int64]bool    // numbers of domains being looked up that copies in the store wait for
	changed  map[int64]*depot  // to be told to people
	counts   map[resultKey]int // for metrics
}

// depot is what waits for one site.
type depot struct {
	site    Site
	number  int64 // names it in the store, as Delivery.Site without a lane
	lanes   [laneCount]depotLane
	pass    float64
	n       int // copies waiting
	size    int // of its next unit: grows with success
	live    int // connections
	opening int
	idle    int           // of live, without letters
	stuck   int           // of live, without an answer for long
	wake    chan struct{} // nil before its first connection
	timer   bool          // it is looked at again later
	slot    bool          // it stands in slotless
	pool    bool          // in poolless
	hungry  bool          // in starved
	away    time.Time     // since when it is in away; zero: it is not
	stored  int           // copies it has in the store since then
	oks     int           // since the last tick
	rate    float64
	paused  string         // by a person, under this name
	extra   map[int64]bool // other numbers under which copies wait in the store, with the lane; nil: none
	used    time.Time
	told    time.Time // when people were last told what waits for it
	gone    bool      // it was forgotten
}

// depotLane is what waits of one priority.
type depotLane struct {
	parcels []*parcel // by distribution, taking turns
	n       int
	pass    float64
	parked  bool // more waits in the store and is due
}

// parcel is what waits of one job.
type parcel struct {
	job *job
	to  []target
}

// link is one connection, for who counts.
type link struct {
	depot    *depot
	site     Site // as it was when the connection was opened
	handed   int  // letters
	answered int
	last     time.Time // of an answer, or a unit handed to who had none
	dry      time.Time // since when it waits for copies from the store
}

func newDepots(e *Engine) *depots {
	return &depots{e: e, more: make(chan struct{}, 1), todo: make(chan struct{}, 1), byKey: map[string]*depot{},
		byNumber: map[int64]*depot{}, domains: map[string]*domain{}, links: map[*link]struct{}{}, dialing: map[*link]struct{}{},
		poolless: map[string][]*depot{}, changed: map[int64]*depot{}, asking: map[int64]bool{}, extras: map[int64]*depot{}, asked: map[*depot]struct{}{}, counts: map[resultKey]int{}}
}

func (d *depots) start(ctx, work context.Context, couriers *sync.WaitGroup) {
	d.ctx, d.work, d.couriers = ctx, work, couriers
}

// of gives the depot of a site; d.mu is held.
func (d *depots) of(s Site) *depot {
	p := d.byKey[s.Key()]
	if p == nil {
		p = &depot{site: s, number: model.SiteNumber(model.WaitSite, s.Key()), size: 1}
		d.byKey[s.Key()], d.byNumber[p.number] = p, p
		if st := d.e.stops.Load(); st != nil {
			p.paused = p.pausedBy(st.paused)
		}
		switch st := d.e.stops.Load(); { // it was not there when that was asked
		case d.tried(p.is):
			d.again(p)
		case st != nil && st.sites[p.number]:
			p.site.Reset()
		}
	}
	p.site, p.used = s, d.e.Now()
	return p
}

// clerk hands rows to the recorder, wakes who waits for budget, and looks after
// everything once a second.
func (d *depots) clerk(ctx context.Context) {
	defer func() {
		d.mu.Lock()
		d.closed = true
		d.mu.Unlock()
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-d.todo:
			d.mu.Lock()
			rows, over := d.rows, d.over
			d.rows, d.over = nil, nil
			d.mu.Unlock()
			for _, j := range over {
				d.e.finishHalted(j)
			}
			for _, s := range rows {
				d.e.skips <- s // the recorder outlives this goroutine
			}
			hint(d.more)
		case <-d.e.budget.more:
			d.fed()
		case <-tick.C:
			d.tick()
			d.tell(ctx)
			if n++; n%tidySites == 0 {
				d.e.Router.Tidy()
			}
		}
	}
}

// fed wakes who waits for budget, the longest waiting first, as many as there is
// some for: each of those who find some wakes the next of its depot.
func (d *depots) fed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := int(d.e.budget.free.Load())
	n := 0
	for ; n < len(d.starved) && free > 0; n++ {
		p := d.starved[n]
		p.hungry = false
		free -= max(1, min(p.n, p.size))
		hint(p.wake)
	}
	d.starved = slices.Delete(d.starved, 0, n)
}

// tick measures rates, finds stuck connections and forgets what is idle.
func (d *depots) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.e.Now()
	d.stuck, d.slow = 0, 0
	for _, p := range d.byKey {
		p.stuck = 0
	}
	for l := range d.links {
		if l.handed > l.answered && now.Sub(l.last) > stuckAfter {
			d.stuck++
			l.depot.stuck++
		}
	}
	for l := range d.dialing {
		if now.Sub(l.last) > slowOpen {
			d.slow++
		}
	}
	for key, p := range d.byKey {
		p.rate = p.rate*0.7 + float64(p.oks)*0.3
		p.oks = 0
		if p.n > 0 {
			d.kick(p)
			continue
		}
		if p.idleFor(now) > 0 {
			d.forget(key, p)
		}
	}
	for name, f := range d.domains {
		if !f.asking && now.After(f.until) {
			delete(d.domains, name)
		}
	}
	d.feedSlots()
}

// idleFor is how long ago a depot could have been forgotten; 0: it is in use.
func (p *depot) idleFor(now time.Time) time.Duration {
	if p.n > 0 || p.live+p.opening > 0 || p.slot || p.pool || p.hungry || p.timer || !p.away.IsZero() {
		return 0
	}
	keep := depotIdle
	for l := range p.lanes {
		if p.lanes[l].parked {
			keep = depotStored
		}
	}
	if len(p.extra) > 0 {
		keep = depotStored
	}
	return max(0, now.Sub(p.used)-keep)
}

// forget drops a depot that nobody uses.
func (d *depots) forget(key string, p *depot) {
	delete(d.asked, p)
	delete(d.byKey, key)
	delete(d.byNumber, p.number)
	for site := range p.extra {
		delete(d.extras, site)
	}
	p.gone = true
}

// here gives the depot itself, or the one that took its place after it was
// forgotten.
func (d *depots) here(p *depot) *depot {
	if p.gone {
		return d.of(p.site)
	}
	return p
}

// also notes another number under which copies for a depot wait in the store.
func (d *depots) also(p *depot, site int64) {
	if old := d.extras[site]; old != nil {
		delete(old.extra, site)
	}
	if p.extra == nil {
		p.extra = map[int64]bool{}
	}
	p.extra[site], d.extras[site] = true, p
}

// hand counts what waits in hand; d.mu is held.
func (d *depots) hand() (n int) {
	for _, k := range d.waiting {
		n += k
	}
	return n
}

// state is for Stats.
func (d *depots) state() (conns, waiting, down int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.byKey {
		if _, _, is := p.site.Down(); is {
			down++
		}
	}
	return len(d.links), d.hand(), down
}

// laneNow is the lane of a distribution as an index.
func laneNow(j *job) model.Lane { return model.Lane(laneOf(j.source.d.Lane)) }
