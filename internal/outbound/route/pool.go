package route

import (
	"sync"
	"time"
)

// pool is what the sites of a provider share: connections at once, new ones a
// minute, letters a second, and what reactions have lowered. Where several nodes
// send, each has a part of every limit (see Paces.Share); what a reaction lowers
// each learns by itself.
type pool struct {
	ps     *Paces
	key    string
	name   string
	limits *Limits
	sites  int // guarded by Paces.mu

	mu      sync.Mutex
	live    int
	leaving int
	tokens  bucket // letters
	opens   bucket // new connections
	until   time.Time
	why     string
	lowered []lowered
	signs   map[int][]time.Time // of reactions that want several
}

// lowered is a reaction at work.
type lowered struct {
	index       int // of the reaction
	until       time.Time
	connections int
	own         bool // connections are this node's, not of all together
	rate        float64
	opens       int
}

// part is what one of several nodes has of the limits.
type part struct{ node, nodes int }

// of divides n; the first nodes get the rest.
func (p part) of(n int) int {
	k := n / p.nodes
	if p.node < n%p.nodes {
		k++
	}
	return k
}

func newPool(ps *Paces, s *Site) *pool {
	now := ps.now()
	return &pool{ps: ps, key: s.PaceKey(), name: s.Provider, limits: s.Limits,
		tokens: bucket{level: max(1, s.Limits.Rate), at: now}, opens: bucket{level: float64(s.Limits.Opens), at: now}}
}

// allowed gives this node's limits of now; what is over is restored.
func (l *pool) allowed(now time.Time) (connections int, rate, opens float64) {
	before := l.connections()
	kept := l.lowered[:0]
	for _, w := range l.lowered {
		if now.Before(w.until) {
			kept = append(kept, w)
		}
	}
	over := len(kept) < len(l.lowered)
	l.lowered = kept
	connections, rate, opens = l.connections(), l.limits.Rate, float64(l.limits.Opens)
	for _, w := range l.lowered {
		if w.rate > 0 {
			rate = min(rate, w.rate)
		}
		if w.opens > 0 {
			opens = min(opens, float64(w.opens))
		}
	}
	if over {
		l.change(Change{What: "restored", From: before, To: connections})
	}
	nodes := float64(min(l.ps.part().nodes, l.limits.Connections)) // the others have no connection
	return connections, rate / nodes, opens / nodes
}

func (l *pool) connections() int {
	p := l.ps.part()
	n := p.of(l.limits.Connections)
	for _, w := range l.lowered {
		switch {
		case w.own:
			n = min(n, w.connections)
		case w.connections > 0:
			n = min(n, p.of(w.connections))
		}
	}
	return n
}

func (l *pool) acquire(now time.Time) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	connections, _, opens := l.allowed(now)
	if now.Before(l.until) {
		return false, l.until.Sub(now)
	}
	if connections == 0 {
		return false, shareRest
	}
	if l.live >= connections {
		return false, 0
	}
	got, wait := l.opens.take(now, 1, opens/60, max(1, opens))
	if got == 1 {
		l.live++
	}
	return got == 1, wait
}

func (l *pool) release() {
	l.mu.Lock()
	l.live--
	l.leaving = max(0, l.leaving-1)
	l.mu.Unlock()
}

// leave reports whether one connection of the pool is too many, and counts on
// its end.
func (l *pool) leave(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	most, _, _ := l.allowed(now)
	if now.Before(l.until) {
		most = 0
	}
	if l.live-l.leaving <= most {
		return false
	}
	l.leaving++
	return true
}

func (l *pool) letters(now time.Time, n int) (granted int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rate, _ := l.allowed(now)
	if now.Before(l.until) {
		return 0, l.until.Sub(now)
	}
	return l.tokens.take(now, n, rate, max(1, rate))
}

func (l *pool) stopped(now time.Time) (time.Time, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now.Before(l.until) && l.connections() == 0 {
		return now.Add(shareRest), "other nodes have all connections that its provider bears"
	}
	return l.until, l.why
}

// react looks for a reaction to a reply; it is for all sites of the pool.
func (l *pool) react(now time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.limits.Reactions {
		if r := &l.limits.Reactions[i]; r.re.MatchString(text) {
			if l.often(now, i, r) {
				l.act(now, i, text)
			}
			return
		}
	}
}

// often notes a sign and reports whether there were enough.
func (l *pool) often(now time.Time, i int, r *Reaction) bool {
	if r.Times <= 1 {
		return true
	}
	var recent []time.Time
	for _, at := range append(l.signs[i], now) {
		if now.Sub(at) < r.For {
			recent = append(recent, at)
		}
	}
	recent = recent[max(0, len(recent)-min(r.Times, maxSigns)):]
	if l.signs == nil {
		l.signs = map[int][]time.Time{}
	}
	l.signs[i] = recent
	return len(recent) >= min(r.Times, maxSigns)
}

func (l *pool) act(now time.Time, i int, text string) {
	r := &l.limits.Reactions[i]
	before, _, _ := l.allowed(now)
	if r.Suspend > 0 && now.Add(r.Suspend).After(l.until.Add(settle)) {
		l.until, l.why = now.Add(r.Suspend), text
		l.change(Change{What: "stops", From: before, To: 0, Until: l.until, Why: text})
	}
	if r.For == 0 || !r.Halve && r.Connections == 0 && r.Rate == 0 && r.Opens == 0 {
		return
	}
	w := lowered{index: i, until: now.Add(r.For), connections: r.Connections, own: r.Halve, rate: r.Rate, opens: r.Opens}
	for k := range l.lowered {
		if have := &l.lowered[k]; have.index == i {
			// Letters that were on the way say the same again: it lasts longer,
			// it does not fall deeper at once.
			if now.Before(have.until.Add(settle - r.For)) {
				return
			}
			if r.Halve {
				w.connections = max(1, have.connections/2)
			}
			*have = w
			l.change(Change{What: "lowered", From: before, To: l.connections(), Until: w.until, Why: text})
			return
		}
	}
	if r.Halve {
		w.connections = max(1, before/2)
	}
	l.lowered = append(l.lowered, w)
	l.change(Change{What: "lowered", From: before, To: l.connections(), Until: w.until, Why: text})
}

// change tells of a change; l.mu is held.
func (l *pool) change(c Change) {
	c.At, c.Site, c.Provider = l.ps.now(), l.key, l.name
	l.ps.note(c)
}

// calm reports whether there is nothing to remember.
func (l *pool) calm(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rate, opens := l.allowed(now)
	for i, at := range l.signs {
		if now.Sub(at[len(at)-1]) < l.limits.Reactions[i].For {
			return false
		}
	}
	return l.live == 0 && !now.Before(l.until) && len(l.lowered) == 0 && l.tokens.full(now, rate, max(1, rate)) && l.opens.full(now, opens/60, max(1, opens))
}

// bucket fills with time.
type bucket struct {
	level float64
	at    time.Time
}

// take takes up to n; with none, wait says when there will be one.
func (b *bucket) take(now time.Time, n int, perSecond, size float64) (got int, wait time.Duration) {
	b.level = min(size, b.level+max(0, now.Sub(b.at).Seconds())*perSecond)
	b.at = now
	if b.level < 1 {
		return 0, time.Duration((1-b.level)/perSecond*float64(time.Second)) + time.Millisecond
	}
	got = min(n, int(b.level))
	b.level -= float64(got)
	return got, 0
}

// full reports whether it holds all it can.
func (b *bucket) full(now time.Time, perSecond, size float64) bool {
	return b.level+max(0, now.Sub(b.at).Seconds())*perSecond >= size
}
