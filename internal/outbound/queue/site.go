package queue

import (
	"context"
	"sync"
	"time"
)

const noteTimeout = 5 * time.Second

// site is where the letters go: how many connections are open, and when the
// next may be tried. Trouble on connections is the site's, never a recipient's.
type site struct {
	e          *Engine
	mu         sync.Mutex
	live       int // couriers at work
	connecting int
	failures   int // connections in a row that brought nothing
	next       time.Time
	down       string
	noted      bool // the trouble stands in the store
}

func newSite(e *Engine) *site { return &site{e: e} }

func (s *site) state() (live int, down string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live, s.down
}

// grow opens connections for so many waiting units, and says how long to wait
// before asking again.
func (s *site) grow(ctx, work context.Context, couriers *sync.WaitGroup, units int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := units // after trouble one at a time feels its way
	if s.failures > 0 {
		limit = 1
	}
	if wait := s.next.Sub(s.e.Now()); wait > 0 {
		return wait
	}
	for s.live+s.connecting < s.e.Connections && s.connecting < limit {
		s.connecting++
		couriers.Go(func() { s.serve(ctx, work) })
	}
	return chooseAgain
}

// serve opens one connection and lets its courier work until it ends.
func (s *site) serve(ctx, work context.Context) {
	c, err := s.e.Connect(ctx)
	s.mu.Lock()
	s.connecting--
	if err != nil {
		s.mu.Unlock()
		if ctx.Err() == nil {
			s.failed(err)
		}
		return
	}
	s.live++
	s.mu.Unlock()
	before := s.e.counters.sent.Load()
	err = c.Run(work, s.e.units, s.e.outcomes)
	s.mu.Lock()
	s.live--
	s.mu.Unlock()
	switch {
	case err == nil || ctx.Err() != nil:
	case s.e.counters.sent.Load() > before:
		s.e.Log.Info("a connection to the site ended early", "err", err)
	default:
		s.failed(err)
	}
}

// failed notes a connection that brought nothing.
func (s *site) failed(err error) {
	s.mu.Lock()
	s.failures++
	wait := s.e.wait(s.e.Backoff, s.failures-1)
	s.next = s.e.Now().Add(wait)
	n, note := s.failures, ""
	if s.live == 0 && n > 1 {
		s.down = err.Error()
		if !s.noted {
			s.noted, note = true, s.down
		}
	}
	s.mu.Unlock()
	hint(s.e.changed)
	s.e.Log.Warn("the site cannot be used", "err", err, "failures", n, "next_try_in", wait.Round(time.Millisecond).String())
	if note != "" {
		s.note(note)
	}
}

// good notes that the site takes letters.
func (s *site) good() {
	s.mu.Lock()
	was := s.noted
	s.failures, s.down, s.noted, s.next = 0, "", false, time.Time{}
	s.mu.Unlock()
	if was {
		s.e.Log.Info("the site takes letters again")
		s.note("")
	}
}

// note writes the site's state where `plenary queue status` finds it. It only
// informs: failing is harmless.
func (s *site) note(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	if err := s.e.Store.NoteNode(ctx, s.e.Node, text); err != nil {
		s.e.Log.Debug("the state of the way out was not noted", "err", err)
	}
}
