package queue

import (
	"context"
	"reflect"
	"sync"
	"time"

	"plenary/internal/model"
)

// Relays differ in what they take: one announces a smaller SIZE, another no
// SMTPUTF8. A unit that some of them do not take goes only to the others, by their
// own channels. While none of those has a connection free it is put aside and others
// go first; what waits there waits for them, also while they are down: it fails only
// when no relay takes it.

const (
	asideFor = 20 * time.Millisecond  // others go first so long
	aloneFor = 100 * time.Millisecond // waited for a connection when nothing else waits
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

// takers gives the outlets that may have a unit; nil: all of them, or none.
func (s *outlets) takers(u *Unit) []*outlet {
	if len(s.all) == 1 || u.not == 0 && u.job.source.size.Load() <= sizeSpread {
		return nil
	}
	var some []*outlet
	for _, o := range s.all {
		if s.takes(o, u) {
			some = append(some, o)
		}
	}
	if len(some) == len(s.all) {
		return nil
	}
	return some
}

// other notes that the outlet of a unit does not take a copy of it, and reports
// whether another may. The recorder calls it.
func (s *outlets) other(u *Unit) bool {
	if u.outlet == nil || len(s.all) == 1 || u.outlet.number > 63 {
		return false
	}
	u.not |= 1 << uint(u.outlet.number)
	for _, o := range s.all {
		if s.takes(o, u) {
			return true
		}
	}
	return false
}

// close ends what is for some outlets only.
func (s *outlets) close() {
	for _, o := range s.all {
		close(o.own)
	}
}

// handToSome gives a unit that some outlets do not take to a connection of another, or
// puts it aside; when nothing else waits it waits a little for one. It reports false
// for a unit that is for all of them.
func (e *Engine) handToSome(ctx, work context.Context, couriers *sync.WaitGroup, u *Unit, timer *time.Timer) bool {
	some := e.out.takers(u)
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
	if u.aside > model.At(e.Now()) && e.waitFor(ctx, u, some, timer, min(max(wait, time.Millisecond), aloneFor)) {
		return true
	}
	u.aside = model.At(e.Now().Add(asideFor))
	e.putBack(u)
	return true
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
