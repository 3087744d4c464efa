package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	noteTimeout = 5 * time.Second
	// loginRest: a relay that refuses our password is not tried again before that,
	// or until somebody says retry. Some count failures and shut the account.
	loginRest = 15 * time.Minute
)

// Outlet is one of several ways out that take everything: a smarthost.
type Outlet struct {
	Name    string // for people
	Weight  int    // its share of the connections; 0: only while no other can be used
	Connect Connector
}

// outlets are the ways out of an engine without a Router. They share the units:
// who has a connection free takes the next. So what is down gets nothing and is
// tried once per back-off, what puts everything off rests (rest), and trouble on
// connections is never a recipient's.
type outlets struct {
	e       *Engine
	resting atomic.Int32 // how many rest: almost always none
	mu      sync.Mutex
	all     []*outlet
}

// outlet is one of them.
type outlet struct {
	Outlet
	number     int64    // names it where sites are meant
	names      []string // people call it by
	live       int      // couriers at work
	connecting int
	leaving    int
	failures   int // connections in a row that brought nothing
	next       time.Time
	down       string
	noted      bool      // the trouble stands in the store
	row        int       // new copies it put off since it last took one; the recorder's
	rowAt      time.Time // the last of them
	rest       rest
	own        chan *Unit // what some other outlets do not take
}

func newOutlets(e *Engine) *outlets {
	o := &outlets{e: e}
	ways := e.Outlets
	if len(ways) == 0 {
		ways = []Outlet{{Connect: e.Connect}}
	}
	for i, w := range ways {
		if len(ways) == 1 {
			w.Weight = 1
		}
		o.all = append(o.all, &outlet{Outlet: w, number: int64(i), names: relayNames(w.Name), own: make(chan *Unit)})
		for _, class := range [...]string{"ok", "temporary", "permanent", "lost", "policy"} { // there before the first
			if w.Name != "" && e.Router == nil {
				e.Metrics.SiteResult(w.Name, class, 0)
			}
		}
	}
	return o
}

// name is what people call an outlet; nil is the only one.
func (s *outlets) name(o *outlet) string {
	if o == nil {
		o = s.all[0]
	}
	return o.Name
}

func (s *outlets) state() (live int, down string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		live += o.live
	}
	return live, s.downText()
}

// downCount counts the outlets that are down.
func (s *outlets) downCount() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		if !o.works() {
			n++
		}
	}
	return n
}

// downText says what is down; s.mu is held.
func (s *outlets) downText() string {
	var out []string
	for _, o := range s.all {
		switch text := o.trouble(); {
		case text == "":
		case len(s.all) == 1:
			return text
		default:
			out = append(out, o.Name+": "+text)
		}
	}
	text := strings.Join(out, "; ")
	if len(out) > 0 && len(out) < len(s.all) {
		text = fmt.Sprintf("%d of %d relays cannot be used: %s", len(out), len(s.all), text)
	}
	return text
}

// paused reports whether a person has paused an outlet.
func (s *outlets) paused(o *outlet) bool {
	st := s.e.stops.Load()
	if st == nil || len(st.paused) == 0 {
		return false
	}
	return slices.ContainsFunc(o.names, func(name string) bool { return st.paused[name] })
}

// relayNames are the forms in which people write a relay: with its port or without,
// an IPv6 address in brackets or not.
func relayNames(name string) []string {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return []string{name}
	}
	names := []string{name, host}
	if a, err := netip.ParseAddr(host); err == nil {
		names = append(names, a.String(), "["+a.String()+"]", net.JoinHostPort(a.String(), port))
	}
	return names
}

// halted reports whether every outlet rests or was paused by a person: then nothing
// is handed out, not even to connections that are open.
func (s *outlets) halted() bool {
	if st := s.e.stops.Load(); s.resting.Load() == 0 && (st == nil || len(st.paused) == 0) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.all, func(o *outlet) bool { return !o.rest.on && !s.paused(o) })
}

// works reports whether an outlet is not known to be down, and does not rest.
func (o *outlet) works() bool { return !o.rest.on && (o.failures == 0 || o.live > 0) }

// regular reports whether any outlet of some that is no spare works.
func (s *outlets) regular(some []*outlet) bool {
	return slices.ContainsFunc(some, func(o *outlet) bool { return o.Weight > 0 && o.works() && !s.paused(o) })
}

// share is how many connections an outlet may have: its part of all among those
// that work.
func (s *outlets) share(o *outlet) int {
	if o.Weight == 0 {
		return s.e.Connections
	}
	sum := 0
	for _, other := range s.all {
		if other == o || other.works() && !s.paused(other) {
			sum += other.Weight
		}
	}
	return (s.e.Connections*o.Weight + sum - 1) / sum
}

// grow opens connections for so many waiting units to some of the outlets, and says
// how long to wait before asking again.
func (s *outlets) grow(ctx, work context.Context, couriers *sync.WaitGroup, units int, some []*outlet) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := chooseAgain
	for {
		o, soon := s.pick(units, some)
		wait = min(wait, soon)
		if o == nil {
			return wait
		}
		o.connecting++
		couriers.Go(func() { s.serve(ctx, work, o) })
	}
}

// pick gives the outlet of some that is to open one more connection, or how long to
// wait before it is tried again; s.mu is held.
func (s *outlets) pick(units int, some []*outlet) (best *outlet, wait time.Duration) {
	wait = chooseAgain
	now := s.e.Now()
	all, theirs, connecting := 0, 0, 0
	for _, o := range s.all {
		all += o.live + o.connecting
	}
	for _, o := range some {
		theirs += o.live + o.connecting
		connecting += o.connecting
	}
	spare := !s.regular(some)
	for _, o := range some {
		have := o.live + o.connecting
		switch rest := o.next.Sub(now); {
		case o.Weight == 0 && !spare, have >= s.share(o), s.paused(o), o.rest.on:
		case rest > 0:
			wait = min(wait, rest)
		case o.failures > 0 && o.connecting > 0: // after trouble one at a time feels its way
		case o.works() && (connecting >= units || all >= s.e.Connections && theirs > 0):
		case best == nil, have*max(1, best.Weight) < (best.live+best.connecting)*max(1, o.Weight):
			best = o
		}
	}
	return best, wait
}

// serve opens one connection and lets its courier work until it ends.
func (s *outlets) serve(ctx, work context.Context, o *outlet) {
	c, err := o.Connect(ctx)
	s.mu.Lock()
	o.connecting--
	if err != nil {
		s.mu.Unlock()
		if ctx.Err() == nil {
			s.failed(o, err)
		}
		return
	}
	o.live++
	s.e.lanes.hand.Add(1)
	s.mu.Unlock()
	s.e.opened(o.number, c)
	if len(s.all) > 1 {
		err = (&gate{courier: c, s: s, o: o}).run(work, s.e.units, s.e.outcomes)
	} else {
		err = c.Run(work, s.e.units, s.e.outcomes)
	}
	s.mu.Lock()
	o.live--
	s.e.lanes.hand.Add(-1)
	s.mu.Unlock()
	s.ended(ctx, o, c, err)
}

// ended notes why a connection ended.
func (s *outlets) ended(ctx context.Context, o *outlet, c Courier, err error) {
	switch {
	case err == nil || ctx.Err() != nil:
	case taken(c) > 0:
		s.e.Log.Info("a connection ended early", "err", err)
	default:
		s.failed(o, err)
	}
}

// gate lets a courier end between two units when another outlet should have
// them, and marks units with their outlet.
type gate struct {
	courier Courier
	s       *outlets
	o       *outlet
}

func (g *gate) run(ctx context.Context, units <-chan *Unit, outcomes chan<- Outcome) error {
	inner := make(chan *Unit)
	ended := make(chan error, 1)
	go func() { ended <- g.courier.Run(ctx, inner, outcomes) }()
	for {
		var u *Unit
		var ok, own bool
		units, again := g.shared(units)
		select {
		case err := <-ended:
			return err
		case <-again: // a spare that nobody needs now
			close(inner)
			return <-ended
		case u, ok = <-units:
		case u, ok = <-g.o.own:
			own = true
		}
		leave := ok && g.s.leave(g.o, own)
		if ok && !leave {
			u.outlet = g.o
			if r, yes := g.s.unfit(u.job.source); yes {
				for i := range u.to {
					outcomes <- Outcome{Unit: u, Index: i, Result: r}
				}
				continue
			}
			select {
			case inner <- u:
				continue
			case err := <-ended:
				unsent(u, outcomes)
				return err
			}
		}
		if leave {
			unsent(u, outcomes)
		}
		close(inner)
		err := <-ended
		if leave {
			g.s.left(g.o)
		}
		return err
	}
}

// shared gives the channel of what all outlets take. A spare has none while others work:
// it is there for what they do not take, and when there is none for a moment it ends.
func (g *gate) shared(units <-chan *Unit) (<-chan *Unit, <-chan time.Time) {
	if g.o.Weight > 0 {
		return units, nil
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if g.s.regular(g.s.all) {
		return nil, time.After(chooseAgain)
	}
	return units, nil
}

func unsent(u *Unit, outcomes chan<- Outcome) {
	for i := range u.to {
		outcomes <- Outcome{Unit: u, Index: i}
	}
}

// leave reports whether an outlet has one connection too many. What few outlets take
// is also for a spare.
func (s *outlets) leave(o *outlet, own bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.share(o)
	switch {
	case s.paused(o), o.rest.on, !own && o.Weight == 0 && s.regular(s.all):
		most = 0
	case own: // handToSome has looked
		return false
	}
	if o.live-o.leaving <= most {
		return false
	}
	o.leaving++
	return true
}

func (s *outlets) left(o *outlet) {
	s.mu.Lock()
	o.leaving--
	s.mu.Unlock()
}

// taken is the number of letters a connection took.
func taken(c Courier) int {
	if t, ok := c.(interface{ Taken() int }); ok {
		return t.Taken()
	}
	return 0
}

// failed notes a connection that brought nothing.
func (s *outlets) failed(o *outlet, err error) {
	var refusal *Refusal
	login := errors.As(err, &refusal) && refusal.Login && refusal.Code >= 500
	s.mu.Lock()
	o.failures++
	wait, text := s.e.wait(s.e.Backoff, o.failures-1), err.Error()
	if login {
		wait = s.e.wait([]time.Duration{loginRest}, 0)
		text = "paused, it refuses our user and password (outbound.relay_username, outbound.relay_password); tried again every 15 minutes, or by plenary queue retry: " + text
	}
	o.next = s.e.Now().Add(wait)
	n, note := o.failures, ""
	if o.live == 0 && (n > 1 || login) {
		again := o.noted && o.down == text
		o.down, o.noted = text, true
		if !again {
			note = s.downText()
		}
	}
	s.mu.Unlock()
	hint(s.e.changed)
	s.e.refusedUs(o.Name, err)
	s.e.Log.Warn("the way out cannot be used", "relay", o.Name, "err", err, "failures", n, "next_try_in", wait.Round(time.Millisecond).String())
	if note != "" {
		s.note(note)
	}
}

// good notes that an outlet takes letters; nil is the only one.
func (s *outlets) good(o *outlet) {
	if o == nil {
		o = s.all[0]
	}
	s.mu.Lock()
	was := o.reached()
	note := s.downText()
	s.mu.Unlock()
	if was {
		s.e.Log.Info("the way out takes letters again", "relay", o.Name)
		s.note(note)
	}
}

// reached notes that an outlet is not down, and reports whether it was noted that it
// is; outlets.mu is held.
func (o *outlet) reached() (noted bool) {
	noted = o.noted
	o.failures, o.down, o.noted, o.next = 0, "", false, time.Time{}
	return noted
}

// tryNow lets an outlet that is down or rests be tried at once; empty: all of them.
func (s *outlets) tryNow(name string) {
	s.mu.Lock()
	for _, o := range s.all {
		if name == "" || o.is(name) {
			o.next, o.rest.until, o.failures = time.Time{}, time.Time{}, min(o.failures, 1) // what only it takes is handed out again
		}
	}
	s.mu.Unlock()
	hint(s.e.changed)
}

// called gives the names of the outlets that people call so: none where there is one
// way out, or a site for each domain.
func (s *outlets) called(name string) (names []string) {
	if s == nil || len(s.all) < 2 {
		return nil
	}
	for _, o := range s.all {
		if o.is(name) {
			names = append(names, o.Name)
		}
	}
	return names
}

// is reports whether people call an outlet so, with its port or without.
func (o *outlet) is(name string) bool { return slices.Contains(o.names, name) }

// note writes the state of the way out where `plenary queue status` finds it. It
// only informs: failing is harmless. A relay's words may be in it, which no database
// has to take as they are.
func (s *outlets) note(text string) {
	text = cleaned(text)
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	if err := s.e.Store.NoteNode(ctx, s.e.Node, text); err != nil {
		s.e.Log.Debug("the state of the way out was not noted", "err", err)
	}
}
