package route

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plenary/internal/outbound/queue"
)

// How a Pace feels its way.
const (
	firstConnections = 2                // to a site nothing is known of
	settle           = 10 * time.Second // signs of trouble so soon after the last belong to it
	growAgain        = time.Minute      // after trouble
	stormLength      = 10               // refusals in a row that stop a site; or twice its connections
	paceJitter       = 0.2              // of a wait, to both sides
	maxSigns         = 1000             // remembered of one reaction
	shareRest        = time.Second      // for a node without a part of a limit
	paceRest         = 10 * time.Second // a pace that has learnt nothing is kept so long
)

// siteBackoff is the schedule of a site that is down: waits after the first,
// second ... failure, the last one repeats. The site's letters come back by
// their own schedule, which is slower.
func siteBackoff(n int) time.Duration {
	waits := [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
	return waits[min(n, len(waits)-1)]
}

// Change is something a Pace did by itself, for the log.
type Change struct {
	At       time.Time
	Site     string // the site's key, or "@" and the provider's row of the table
	Provider string
	What     string    // "grows", "shrinks", "stops", "lowered", "restored", "up again"
	From, To int       // connections allowed
	Until    time.Time // when it ends, for "stops" and "lowered"
	Why      string    // the reply or error behind it
}

// Paces holds the Pace of each site in use; make it with NewPaces.
type Paces struct {
	now    func() time.Time
	random func() float64
	note   func(Change)
	share  atomic.Pointer[part]

	mu    sync.Mutex
	sites map[string]*Pace
	pools map[string]*pool
}

// NewPaces makes an empty set. random gives [0,1); note is called for every
// change, one at a time for a site, and must not call back.
func NewPaces(now func() time.Time, random func() float64, note func(Change)) *Paces {
	ps := &Paces{now: now, random: random, note: note, sites: map[string]*Pace{}, pools: map[string]*pool{}}
	ps.Share(0, 1)
	return ps
}

// Share says that limits are shared with other nodes: this is number node, from
// 0, of so many. Connections are divided, the rest among the first, so that all
// together never have more; a node without one sends nothing there, its copies
// wait for the others. Rates are divided among those with one.
func (ps *Paces) Share(node, nodes int) { ps.share.Store(&part{node, max(1, nodes)}) }

func (ps *Paces) part() part { return *ps.share.Load() }

// Of gives the pace of a site.
func (ps *Paces) Of(s *Site) *Pace {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.sites[s.Key]; p != nil {
		return p
	}
	l := ps.pools[s.PaceKey()]
	if l == nil {
		l = newPool(ps, s)
		ps.pools[s.PaceKey()] = l
	}
	p := &Pace{ps: ps, pool: l, site: s, window: firstWindow(s), used: ps.now()}
	ps.sites[s.Key] = p
	l.sites++
	return p
}

// Tidy forgets paces that have not been used for so long and have nothing to
// remember, and sooner those that have learnt nothing yet. A Pace that was forgotten must be asked for again with Of, so
// callers keep none longer than idle.
func (ps *Paces) Tidy(idle time.Duration) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := ps.now()
	for key, p := range ps.sites {
		if p.idle(now, idle) {
			delete(ps.sites, key)
			p.pool.sites--
		}
	}
	for key, l := range ps.pools {
		if l.sites == 0 && l.calm(now) {
			delete(ps.pools, key)
		}
	}
}

// Pace says how many connections one site gets, and when.
type Pace struct {
	ps   *Paces
	pool *pool
	site *Site

	mu       sync.Mutex
	live     int       // connections that are open or being opened
	window   float64   // connections allowed, as far as this site goes
	failures int       // in a row: connections that brought nothing, storms
	leaving  int       // of live: told to end, because they are too many
	streak   int       // refusals in a row that are about how much we send
	until    time.Time // nothing before that
	why      string
	settled  time.Time // signs of trouble before that are old
	grows    time.Time // no growth before that
	used     time.Time
}

// Limits are what the table of providers says of the site.
func (p *Pace) Limits() *Limits { return p.site.Limits }

// Acquire asks for one more connection; after a yes Done must follow. After a
// no, wait says when to ask again; 0 is when another connection is done.
func (p *Pace) Acquire() (ok bool, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.ps.now()
	p.used = now
	if now.Before(p.until) {
		return false, p.until.Sub(now)
	}
	if p.live >= p.allowed() {
		return false, 0
	}
	if ok, wait = p.pool.acquire(now); ok {
		p.live++
	}
	return ok, wait
}

// allowed is the number of connections the site may have now.
func (p *Pace) allowed() int {
	if p.failures > 0 {
		return 1 // after trouble one at a time feels its way
	}
	return max(1, min(int(p.window), p.site.Limits.Connections))
}

// Done gives a connection back. err is why it could not be opened or ended;
// useful says that it took letters.
func (p *Pace) Done(err error, useful bool) {
	p.pool.release()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live--
	p.leaving = max(0, p.leaving-1)
	now := p.ps.now()
	texts := said(err)
	for _, text := range texts {
		p.pool.react(now, text)
	}
	if err == nil || now.Before(p.until) {
		return
	}
	if useful {
		// Most ends are only that: of a connection that has had its letters.
		if i := slices.IndexFunc(texts, tooMuch); i >= 0 && !now.Before(p.settled) {
			p.shrink(now, p.window/2, texts[i])
		}
		return
	}
	if p.live > 0 && p.failures == 0 {
		// Others are at work: it is one too many, not down.
		p.shrink(now, float64(p.live), err.Error())
		return
	}
	p.stop(now, err.Error())
}

// said gives what the peer said of the connection itself, not of a letter: at the
// greeting, or 421 later. The error of a Connector joins those of several hosts.
func said(err error) (texts []string) {
	errs := []error{err}
	var hosts unreachable
	if errors.As(err, &hosts) {
		errs = hosts
	}
	for _, err := range errs {
		var r *queue.Refusal
		if errors.As(err, &r) && !slices.Contains(texts, r.Error()) {
			texts = append(texts, r.Error())
		}
	}
	return texts
}

// tooMuch reports whether a 421 with 4.7.x says that we send too much.
func tooMuch(text string) bool {
	reply, ok := strings.CutPrefix(text, "421 ")
	return ok && rated(reply)
}

// Note tells the outcome of a letter. Only the peer's own words count.
func (p *Pace) Note(r queue.Result) {
	if r.State == queue.Unsent {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.ps.now()
	p.used = now
	if r.State == queue.OK {
		p.success(now)
		return
	}
	if r.Code == 0 {
		return
	}
	text := strconv.Itoa(r.Code) + " " + r.Reply
	p.pool.react(now, text)
	if r.State != queue.Temporary || !troubling(r) {
		return
	}
	if now.Before(p.until) {
		return // it was on the way when the site was stopped
	}
	if p.streak++; p.failures > 0 || p.streak >= max(stormLength, 2*p.live) {
		p.stop(now, text)
	} else if !now.Before(p.settled) {
		p.shrink(now, p.window/2, text)
	}
}

// Leave reports whether a connection should end before its next letters,
// because there are more than are allowed now. A connection that is told so
// ends.
func (p *Pace) Leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.ps.now()
	most := p.allowed()
	if now.Before(p.until) {
		most = 0
	}
	if p.live-p.leaving <= most && !p.pool.leave(now) {
		return false
	}
	p.leaving++
	return true
}

// troubling reports whether a refusal is about how much we send, or that the site
// takes nothing from anybody now: it refused before it knew for whom the letter is.
// Greylisting has 4.7.x at many sites, and is about the single letter.
func troubling(r queue.Result) bool {
	return r.Code == 421 || r.Ours || rated(r.Reply)
}

// rated reports whether a reply has 4.7.x and is not about greylisting.
func rated(reply string) bool {
	lower := strings.ToLower(reply)
	return strings.HasPrefix(reply, "4.7.") && !strings.Contains(lower, "greylist") && !strings.Contains(lower, "graylist")
}

func (p *Pace) success(now time.Time) {
	p.streak = 0
	if p.failures > 0 {
		p.failures, p.until, p.why = 0, time.Time{}, ""
		p.change(Change{What: "up again", From: 1, To: p.allowed()})
	}
	// One connection more after each round of letters, and only while what is
	// allowed is used.
	if p.live < p.allowed() || now.Before(p.grows) || p.window >= float64(p.site.Limits.Connections) {
		return
	}
	before := p.allowed()
	p.window = min(p.window+1/p.window, float64(p.site.Limits.Connections))
	if p.allowed() > before {
		p.change(Change{What: "grows", From: before, To: p.allowed()})
	}
}

func (p *Pace) shrink(now time.Time, to float64, why string) {
	before := p.allowed()
	p.window = max(1, min(to, p.window))
	p.settled, p.grows = now.Add(settle), now.Add(growAgain)
	if p.allowed() < before {
		p.change(Change{What: "shrinks", From: before, To: p.allowed(), Why: why})
	}
}

// stop lets nothing pass for a while, longer each time.
func (p *Pace) stop(now time.Time, why string) {
	before := p.allowed()
	wait := siteBackoff(p.failures)
	p.failures++
	p.window, p.streak = 1, 0
	p.until = now.Add(time.Duration(math.Round(float64(wait) * (1 + paceJitter*(2*p.ps.random()-1)))))
	p.settled, p.grows, p.why = p.until.Add(settle), p.until.Add(growAgain), why
	p.change(Change{What: "stops", From: before, To: 0, Until: p.until, Why: why})
}

// change tells of a change; p.mu is held.
func (p *Pace) change(c Change) {
	c.At, c.Site, c.Provider = p.ps.now(), p.site.Key, p.site.Provider
	p.ps.note(c)
}

// Down reports whether nothing can be sent to the site now, until when and why:
// its letters are not tried, they are put off.
func (p *Pace) Down() (until time.Time, why string, down bool) {
	p.mu.Lock()
	now := p.ps.now()
	until, why = p.until, p.why
	p.mu.Unlock()
	if u, w := p.pool.stopped(now); u.After(until) {
		until, why = u, w
	}
	return until, why, now.Before(until)
}

// Letters asks to send n letters now and gives how many may go; with none, wait
// says when to ask again.
func (p *Pace) Letters(n int) (granted int, wait time.Duration) {
	return p.pool.letters(p.ps.now(), n)
}

// State is for status pages.
type State struct {
	Live, Allowed int
	Until         time.Time // nothing before that
	Why           string
}

// State tells how the site fares.
func (p *Pace) State() State {
	until, why, down := p.Down()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{Live: p.live, Allowed: p.allowed()}
	if down {
		s.Until, s.Why = until, why
	}
	return s
}

func (p *Pace) idle(now time.Time, idle time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fresh(now) {
		idle = min(idle, paceRest)
	}
	return p.live == 0 && now.Sub(p.used) > idle && !now.Before(p.until)
}

// fresh reports whether a pace is as a new one would be: of a site of the long
// tail, with a few letters now and then.
func (p *Pace) fresh(now time.Time) bool {
	return p.failures == 0 && p.streak == 0 && p.window == firstWindow(p.site) && !now.Before(p.settled) && !now.Before(p.grows)
}

// firstWindow is the number of connections a site begins with.
func firstWindow(s *Site) float64 { return float64(min(firstConnections, s.Limits.Connections)) }

// Reset forgets that the site or its provider is down: somebody wants it tried.
func (p *Pace) Reset() {
	p.mu.Lock()
	p.until, p.failures, p.streak, p.why = time.Time{}, 0, 0, ""
	p.mu.Unlock()
	p.pool.mu.Lock()
	p.pool.until, p.pool.why = time.Time{}, ""
	p.pool.mu.Unlock()
}
