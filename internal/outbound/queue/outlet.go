package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const noteTimeout = 5 * time.Second

// Outlet is one of several ways out that take everything: a smarthost.
type Outlet struct {
	Name    string // for people
	Weight  int    // its share of the connections; 0: only while no other can be used
	Connect Connector
}

// outlets are the ways out of an engine without a Router. They share the units:
// who has a connection free takes the next. So what is down gets nothing and is
// tried once per back-off, and trouble on connections is never a recipient's.
type outlets struct {
	e   *Engine
	mu  sync.Mutex
	all []*outlet
}

// outlet is one of them.
type outlet struct {
	Outlet
	live       int // couriers at work
	connecting int
	leaving    int
	failures   int // connections in a row that brought nothing
	next       time.Time
	down       string
	noted      bool // the trouble stands in the store
}

func newOutlets(e *Engine) *outlets {
	o := &outlets{e: e}
	ways := e.Outlets
	if len(ways) == 0 {
		ways = []Outlet{{Connect: e.Connect}}
	}
	for _, w := range ways {
		if len(ways) == 1 {
			w.Weight = 1
		}
		o.all = append(o.all, &outlet{Outlet: w})
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
		switch {
		case o.down == "":
		case len(s.all) == 1:
			return o.down
		default:
			out = append(out, o.Name+": "+o.down)
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
	host, _, _ := strings.Cut(o.Name, ":")
	return st.paused[o.Name] || st.paused[host]
}

// halted reports whether a person has paused every outlet: then nothing is handed
// out, not even to connections that are open.
func (s *outlets) halted() bool {
	if st := s.e.stops.Load(); st == nil || len(st.paused) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.all, func(o *outlet) bool { return !s.paused(o) })
}

// works reports whether an outlet is not known to be down.
func (o *outlet) works() bool { return o.failures == 0 || o.live > 0 }

// regular reports whether any outlet that is no spare works.
func (s *outlets) regular() bool {
	return slices.ContainsFunc(s.all, func(o *outlet) bool { return o.Weight > 0 && o.works() && !s.paused(o) })
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

// grow opens connections for so many waiting units, and says how long to wait
// before asking again.
func (s *outlets) grow(ctx, work context.Context, couriers *sync.WaitGroup, units int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := chooseAgain
	for {
		o, soon := s.pick(units)
		wait = min(wait, soon)
		if o == nil {
			return wait
		}
		o.connecting++
		couriers.Go(func() { s.serve(ctx, work, o) })
	}
}

// pick gives the outlet that is to open one more connection, or how long to wait
// before it is tried again; s.mu is held.
func (s *outlets) pick(units int) (best *outlet, wait time.Duration) {
	wait = chooseAgain
	now := s.e.Now()
	all, connecting := 0, 0
	for _, o := range s.all {
		all += o.live + o.connecting
		connecting += o.connecting
	}
	spare := !s.regular()
	for _, o := range s.all {
		have := o.live + o.connecting
		switch rest := o.next.Sub(now); {
		case o.Weight == 0 && !spare, have >= s.share(o), s.paused(o):
		case rest > 0:
			wait = min(wait, rest)
		case o.failures > 0 && o.connecting > 0: // after trouble one at a time feels its way
		case o.works() && (connecting >= units || all >= s.e.Connections):
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
	if len(s.all) > 1 {
		err = (&gate{c, s, o}).run(work, s.e.units, s.e.outcomes)
	} else {
		err = c.Run(work, s.e.units, s.e.outcomes)
	}
	s.mu.Lock()
	o.live--
	s.e.lanes.hand.Add(-1)
	s.mu.Unlock()
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
		select {
		case err := <-ended:
			return err
		case u, ok := <-units:
			leave := ok && g.s.leave(g.o)
			if ok && !leave {
				u.outlet = g.o
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
}

func unsent(u *Unit, outcomes chan<- Outcome) {
	for i := range u.to {
		outcomes <- Outcome{Unit: u, Index: i}
	}
}

// leave reports whether an outlet has one connection too many.
func (s *outlets) leave(o *outlet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.share(o)
	if o.Weight == 0 && s.regular() || s.paused(o) {
		most = 0
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
	s.mu.Lock()
	o.failures++
	wait := s.e.wait(s.e.Backoff, o.failures-1)
	o.next = s.e.Now().Add(wait)
	n, note := o.failures, ""
	if o.live == 0 && n > 1 {
		again := o.noted && o.down == err.Error()
		o.down, o.noted = err.Error(), true
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
	was := o.noted
	o.failures, o.down, o.noted, o.next = 0, "", false, time.Time{}
	note := s.downText()
	s.mu.Unlock()
	if was {
		s.e.Log.Info("the way out takes letters again", "relay", o.Name)
		s.note(note)
	}
}

// tryNow forgets that an outlet is down; empty: all of them.
func (s *outlets) tryNow(name string) {
	s.mu.Lock()
	for _, o := range s.all {
		if name == "" || o.is(name) {
			o.next = time.Time{}
		}
	}
	s.mu.Unlock()
	hint(s.e.changed)
}

// is reports whether people call an outlet so, with its port or without.
func (o *outlet) is(name string) bool {
	host, _, _ := strings.Cut(o.Name, ":")
	return o.Name == name || host == name
}

// note writes the state of the way out where `plenary queue status` finds it. It
// only informs: failing is harmless.
func (s *outlets) note(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	if err := s.e.Store.NoteNode(ctx, s.e.Node, text); err != nil {
		s.e.Log.Debug("the state of the way out was not noted", "err", err)
	}
}
