package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"plenary/internal/model"
)

const (
	// restAfter temporary answers in a row to copies that were not tried before, and
	// no copy taken in between, stop a relay. It is more than one unit (16), so it is
	// not one handful on one connection. What was put off before is put off again more
	// often than not, for reasons of its own, and says nothing.
	restAfter = 20
	// rowFor: a row whose last answer is older is none, so that what trickles in on a
	// quiet day is not added up.
	rowFor = 5 * time.Minute
	// restTries distributions more may each try a copy in a pause: what is refused
	// may be about one of them.
	restTries = 3
)

// rest is the pause of a relay that answers and puts off whatever it gets. It is
// the relay's trouble, so few are to pay for it with an attempt: those of the row, what
// was on the way when it began, and the copies that try; the others wait in hand.
// After each pause one copy shows whether to go on, one that was tried before if
// there is any, because some refuse what they see for the first time. If it is put
// off, copies of a few other distributions may show that it was about that one,
// rather new ones, also of those that come in the pause. So a
// distribution that is refused for itself holds up no other. While other relays work,
// the copy goes by one of them when it was put off.
type rest struct {
	on      bool
	pauses  int
	until   time.Time      // the end of the pause
	tries   int            // copies of other distributions that may try before
	probing bool           // one is on its way
	refused map[int64]bool // distributions that were put off in this pause, or in the row before it
	reply   string         // the last
}

// heard looks at an outcome for what it says of its relay, of a copy with so many
// failed attempts before. The recorder calls it. It reports whether the copy goes by another relay at once: it tried one that rests,
// which said no, and others work.
func (s *outlets) heard(u *Unit, r Result, attempts int) (elsewhere bool) {
	o := u.outlet
	if o == nil {
		o = s.all[0]
	}
	if r.State == OK && o.row == 0 && !u.probe {
		return false
	}
	s.mu.Lock()
	probe, began, over, back := u.probe && o.rest.on, false, false, false
	switch {
	case r.State == OK, probe && r.State == Permanent && r.Code != 0 && !r.Local:
		if over = o.rest.on; over {
			o.reached()
		}
		o.row, o.rest = 0, rest{}
	case r.State != Temporary:
	case !probe && (r.Code == 0 || attempts > 0 || o.rest.on): // what was on the way when the pause began
	default:
		now := s.e.Now()
		if !o.rest.on && now.Sub(o.rowAt) > rowFor {
			o.row, o.rest.refused = 0, nil
		}
		o.row, o.rowAt = o.row+1, now
		if o.rest.refused == nil {
			o.rest.refused = map[int64]bool{}
		}
		o.rest.refused[u.job.source.d.ID] = true
		if r.Code != 0 {
			o.rest.reply = fmt.Sprintf("%d %s", r.Code, oneLine(r.Reply))
			if probe {
				back = o.reached()
			}
		}
		if began = !o.rest.on && o.row >= restAfter; began {
			o.rest.on, o.rest.pauses, o.rest.tries = true, 1, restTries
			o.rest.until = s.e.Now().Add(s.e.wait(s.e.Backoff, o.rest.pauses))
		}
	}
	if probe {
		o.rest.probing = false
		elsewhere = r.State == Temporary && !r.Lost && !r.Local && s.any()
	}
	first := probe && len(o.rest.refused) == 1
	reply, wait, note := o.rest.reply, max(0, o.rest.until.Sub(s.e.Now())).Round(time.Millisecond).String(), s.downText()
	s.countRests()
	s.mu.Unlock()
	switch {
	case began:
		s.e.Log.Warn("a relay puts everything off, it rests: what was not tried waits", "relay", o.Name, "in_a_row", restAfter, "reply", reply, "next_try_in", wait)
		s.note(note)
	case over:
		s.e.Log.Info("the way out takes letters again", "relay", o.Name)
		s.note(note)
	case back:
		s.note(note)
	}
	if first && r.State == Temporary {
		s.e.Log.Warn("a relay still puts everything off", "relay", o.Name, "distribution", u.job.source.d.ID, "reply", reply, "next_try_in", wait)
	}
	if began || over || probe {
		hint(s.e.changed)
	}
	return elsewhere
}

// countRests counts who rests, for who asks often; s.mu is held.
func (s *outlets) countRests() {
	n := 0
	for _, o := range s.all {
		if o.rest.on {
			n++
		}
	}
	s.resting.Store(int32(n)) //nolint:gosec // a few
}

// trouble says why an outlet gets nothing; empty: it does.
func (o *outlet) trouble() string {
	switch {
	case o.down != "":
		return o.down
	case o.rest.on:
		return fmt.Sprintf("it rests, because it put off %d copies in a row; single copies try it, at least each minute, or by plenary queue retry: %s", restAfter, o.rest.reply)
	}
	return ""
}

// probe lets single copies show whether relays that rest take something again. It
// says how long to wait before it is asked for again.
func (e *Engine) probe(ctx, work context.Context, couriers *sync.WaitGroup) time.Duration {
	wait := chooseAgain
	if e.out.resting.Load() == 0 {
		return wait
	}
	for _, o := range e.out.all {
		u, soon := e.out.chosen(o)
		wait = min(wait, soon)
		if u == nil {
			continue
		}
		if !e.refresh(ctx, u) {
			e.out.notTried(o)
			continue
		}
		if e.withhold(u); len(u.to) == 0 || e.unfit(u) {
			e.out.notTried(o)
			continue
		}
		couriers.Go(func() { e.out.try(ctx, work, o, u) })
	}
	return max(wait, time.Millisecond)
}

// chosen takes the copy that is to try an outlet that rests; nil: none now.
func (s *outlets) chosen(o *outlet) (*Unit, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.e.Now()
	r := &o.rest
	switch {
	case !r.on || r.probing || s.paused(o):
		return nil, chooseAgain
	case now.Before(o.next): // it cannot be reached
		return nil, o.next.Sub(now)
	case !now.Before(r.until):
		r.pauses++
		r.until = now.Add(s.e.wait(s.e.Backoff, r.pauses))
		r.tries = 1 + restTries
		clear(r.refused)
	case s.any(): // others take what comes
		return nil, r.until.Sub(now)
	}
	if r.tries == 0 || s.e.budget.some(1) == 0 {
		return nil, r.until.Sub(now)
	}
	// Where others work there is no second try, so every other pause is for new ones.
	again := r.tries == 1+restTries && (r.pauses%2 == 0 || !s.any())
	without := func(j *job) bool { return r.refused[j.source.d.ID] || !s.takes(o, j.units[0]) }
	u := s.e.lanes.single(model.At(now), without, again)
	if u == nil {
		s.e.budget.give(1)
		return nil, r.until.Sub(now)
	}
	r.tries--
	r.probing, u.probe = true, true
	if len(s.all) > 1 {
		u.outlet = o
	}
	return u, chooseAgain
}

// stuck reports whether an outlet rests and none can be used.
func (s *outlets) stuck() bool {
	if s.resting.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.any()
}

// any reports whether some outlet can be used; s.mu is held.
func (s *outlets) any() bool {
	for _, o := range s.all {
		if o.works() && !s.paused(o) {
			return true
		}
	}
	return false
}

// notTried takes back that a copy was to try an outlet.
func (s *outlets) notTried(o *outlet) {
	s.mu.Lock()
	if o.rest.on {
		o.rest.tries++
		o.rest.probing = false
	}
	s.mu.Unlock()
	hint(s.e.changed)
}

// try sends one copy over a connection of its own.
func (s *outlets) try(ctx, work context.Context, o *outlet, u *Unit) {
	c, err := o.Connect(ctx)
	if err != nil {
		s.e.putBack(u)
		if ctx.Err() == nil {
			s.failed(o, err)
		}
		s.notTried(o)
		return
	}
	s.e.opened(o.number, c)
	units := make(chan *Unit, 1)
	units <- u
	close(units)
	s.mu.Lock()
	o.live++
	s.mu.Unlock()
	err = c.Run(work, units, s.e.outcomes)
	s.mu.Lock()
	o.live--
	s.mu.Unlock()
	s.ended(ctx, o, c, err)
}

// single takes one copy for a try, of a distribution that is not left out: rather one
// that was tried before (again), or rather a new one, of the lane that is furthest
// behind, in it whose turn it is.
func (l *lanes) single(now model.Instant, without func(*job) bool, again bool) *Unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	var best *job
	var of *lane
	for i := range l.all {
		ln := &l.all[i]
		for _, j := range ln.jobs {
			if len(j.units) == 0 || j.until <= now || without(j) {
				continue
			}
			if best == nil || rather(ln, j, of, best, again) {
				best, of = j, ln
			}
		}
	}
	if best == nil {
		return nil
	}
	of.turn++
	best.source.served = of.turn
	return l.handOut(of, best, 1)
}

// rather reports whether a job is to try before the best so far; see single.
func rather(ln *lane, j *job, of *lane, best *job, again bool) bool {
	switch fits, did := (j.claims != nil) == again, (best.claims != nil) == again; {
	case fits != did:
		return fits
	case ln != of:
		return ln.pass < of.pass
	}
	return j.source.served < best.source.served
}
