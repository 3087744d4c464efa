package queue

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"plenary/internal/model"
)

// Relays differ in what they take: one announces a smaller SIZE, another no
// SMTPUTF8. A unit that some of them do not take goes only to the others, by their
// own channels. While none of those has a connection free it is put aside and others
// go first. While none of those can be used it waits in the store, as what a peer put
// off does but without an attempt: so it keeps no room in hand. It fails only when no
// relay takes it, or when it has waited too long.

const (
	asideFor = 20 * time.Millisecond  // others go first so long
	aloneFor = 100 * time.Millisecond // waited for a connection when nothing else waits
	asideMax = 5 * time.Second        // then, where there is no room for other jobs, it is put off
	maxBits  = 64                     // outlets that units remember
)

// takes reports whether an outlet may have a unit: it is not known to refuse it.
func (s *outlets) takes(o *outlet, u *Unit) bool {
	if len(s.all) == 1 {
		return true
	}
	if u.not>>uint(o.number)&1 != 0 {
		return false
	}
	_, large := s.e.tooLarge(u.job.source, o.number)
	return !large
}

// takers gives the outlets that may have a unit, spares only while no other can be
// used, and whether any of them can be used; nil: all outlets, or none.
func (s *outlets) takers(u *Unit) (some []*outlet, usable bool) {
	if len(s.all) == 1 || u.not == 0 && u.job.source.size.Load() <= sizeSpread {
		return nil, true
	}
	for _, o := range s.all {
		if s.takes(o, u) {
			some = append(some, o)
		}
	}
	if len(some) == len(s.all) || len(some) == 0 {
		return nil, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.regular(some) {
		some = slices.DeleteFunc(some, func(o *outlet) bool { return o.Weight == 0 })
	}
	return some, slices.ContainsFunc(some, func(o *outlet) bool { return !o.rest.on && !s.paused(o) && (o.live > 0 || o.failures < 2) })
}

// other gives the bits of a copy that the outlet of its unit does not take, and reports
// whether another may. The recorder calls it.
func (s *outlets) other(u *Unit) (not uint64, yes bool) {
	if u.outlet == nil || len(s.all) == 1 || u.outlet.number >= maxBits {
		return u.not, false
	}
	rest := *u
	rest.not |= 1 << uint(u.outlet.number)
	return rest.not, slices.ContainsFunc(s.all, func(o *outlet) bool { return s.takes(o, &rest) })
}

// close ends what is for some outlets only.
func (s *outlets) close() {
	for _, o := range s.all {
		close(o.own)
	}
}

// handToSome gives a unit that some outlets do not take to a connection of another, or
// puts it aside or off; when nothing else waits it waits a little for one. It reports
// false for a unit that is for all of them.
func (e *Engine) handToSome(ctx, work context.Context, couriers *sync.WaitGroup, u *Unit, timer *time.Timer) bool {
	some, usable := e.out.takers(u)
	if some == nil {
		return false
	}
	wait := e.out.grow(ctx, work, couriers, 1, some)
	for _, o := range some {
		select {
		case o.own <- u:
			return true
		default:
		}
	}
	now := model.At(e.Now())
	if u.since == 0 {
		u.since = now
	}
	switch {
	case !usable, now > u.since.Add(asideMax) && e.crowded(u.job):
		e.putOff(u, some)
		return true
	case u.aside > now && e.waitFor(ctx, u, some, timer, min(max(wait, time.Millisecond), aloneFor)):
		return true
	}
	u.aside = model.At(e.Now().Add(asideFor))
	e.putBack(u)
	return true
}

// crowded reports whether there is no room for more jobs like this one.
func (e *Engine) crowded(j *job) bool {
	most := e.lanes.most
	if j.kind() == aLetter {
		most = maxLetters
	}
	return e.lanes.load(j.source.d.Lane, j.kind()) >= most
}

// away reports whether all of some outlets cannot be reached or rest, without a person's
// doing.
func (s *outlets) away(some []*outlet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(some, func(o *outlet) bool { return s.paused(o) || o.works() })
}

// putOff records the copies of a unit as waiting for some outlets.
func (e *Engine) putOff(u *Unit, some []*outlet) {
	names := make([]string, len(some))
	for i, o := range some {
		names[i] = o.Name
	}
	w := wait{next: model.At(e.Now().Add(e.wait(e.Retry, 0))), why: model.ForRelay + strings.Join(names, ", ")}
	s := skipped{job: u.job, out: len(u.to)}
	for _, t := range u.to {
		row := e.later(u.job, t, w)
		row.Site = 0
		if row.State == model.DeliveryFailed && !e.out.away(some) { // it is old, but had no try
			row.State, row.NextAt = model.DeliveryRetry, w.next
		}
		s.rows = append(s.rows, row)
	}
	e.skips <- s // the recorder outlives this goroutine
	e.budget.give(s.out)
}

// waitFor waits until a connection of some outlets takes a unit, and reports whether
// one did: not when time is over or something else is to be done.
func (e *Engine) waitFor(ctx context.Context, u *Unit, some []*outlet, timer *time.Timer, most time.Duration) bool {
	timer.Reset(most)
	cases := make([]reflect.SelectCase, 0, 4+len(some))
	for _, ch := range []any{ctx.Done(), timer.C, e.changed, e.lanes.more} {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)})
	}
	for _, o := range some {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectSend, Chan: reflect.ValueOf(o.own), Send: reflect.ValueOf(u)})
	}
	chosen, _, _ := reflect.Select(cases)
	return chosen >= 4
}
