package queue

import (
	"context"
	"time"
)

// A clock that jumps this far means that the machine slept, or an old image of
// it was woken: what waits is looked at as after a start.
const clockJump = time.Hour

// noteWork is how often it is noted that the queue is at work: a start tells by it
// whether it goes on with a queue or has an old copy of one.
const noteWork = 10 * time.Minute

// lookRest is the least time between two looks at what was paused.
const lookRest = 200 * time.Millisecond

// keep prolongs what is leased and halts what a person has stopped.
func (e *Engine) keep(ctx context.Context) {
	wake, cancel := e.Store.WatchQueue()
	defer cancel()
	tick := time.NewTicker(min(pollEvery, e.Lease/4))
	defer tick.Stop()
	last := e.Now().Round(0) // the count of seconds stands still while a machine sleeps
	renewed, noted := last, last
	failures, told := 0, last // of the renewal
	var rest <-chan time.Time // after a look: wake-ups come with every commit
	for {
		looked := wake
		if rest != nil {
			looked = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-rest:
			rest = nil
			continue
		case <-looked:
		case <-tick.C:
		}
		rest = time.After(lookRest)
		now := e.Now().Round(0)
		if now.Sub(last) > clockJump {
			if err := e.tidy(ctx); err != nil {
				continue // last stays: the next round tries again
			}
		}
		last = now
		if now.Sub(noted) >= noteWork && e.Store.NoteAtWork(ctx, e.Node) == nil {
			noted = now
		}
		e.checkHalted(ctx)
		e.checkStops(ctx)
		if now.Sub(renewed) >= e.Lease/4 {
			switch err := e.renew(ctx); {
			case err == nil:
				renewed, failures = now, 0
			case ctx.Err() != nil:
			default: // the next round tries again
				if failures++; failures <= logTries || now.Sub(told) >= logAgain {
					told = now
					e.Log.Warn("leases could not be prolonged", "err", err, "tries", failures)
				}
			}
		}
		e.wakeCleared(ctx)
	}
}

// renew prolongs every lease in hand.
func (e *Engine) renew(ctx context.Context) error {
	jobs, chunks, claims := e.lanes.held()
	until := e.lease().LeaseUntil
	lost, err := e.Store.RenewChunks(ctx, e.Node, until, chunks)
	if err != nil {
		return err
	}
	for _, c := range lost {
		// It may have been recorded to its end in this moment.
		dropped := 0
		idle := e.lanes.halt(func(j *job) bool {
			match := j.chunk != nil && !j.ended && j.chunk.DistributionID == c.DistributionID && j.chunk.FirstID == c.FirstID
			if match {
				dropped += j.queued
			}
			return match
		}, true)
		if dropped > 0 || len(idle) > 0 {
			e.Log.Warn("a lease was lost: another node goes on with the range, or it was cancelled",
				"distribution", c.DistributionID, "from", c.FirstID, "copies_dropped", dropped)
		}
		e.letGo(ctx, idle)
	}
	if len(lost) > 0 && e.depots != nil {
		e.depots.drop()
	}
	gone, err := e.Store.RenewClaims(ctx, e.Node, until, claims)
	if err != nil {
		return err
	}
	e.lanes.disown(jobs, gone)
	e.lanes.prolong(jobs, e.handOutUntil(until))
	for id, n := range e.lanes.takeDropped() { // since the last time: each is noticed when its turn comes
		e.Log.Warn("a lease was lost: another node goes on with copies that are tried again, or they were cancelled",
			"distribution", id, "copies_dropped", n)
	}
	return nil
}

// checkHalted drops what is in hand of distributions that were paused or
// cancelled. What couriers hold already is finished.
func (e *Engine) checkHalted(ctx context.Context) {
	ids := e.lanes.distributions()
	if len(ids) == 0 {
		return
	}
	halted, err := e.Store.Halted(ctx, ids)
	if err != nil || len(halted) == 0 {
		return // the recorder speaks up when the database is away
	}
	stop := make(map[int64]bool, len(halted))
	for _, id := range halted {
		stop[id] = true
	}
	idle := e.lanes.halt(func(j *job) bool { return stop[j.source.d.ID] }, false)
	e.letGo(ctx, idle)
	hint(e.changed)
	if e.depots != nil {
		e.depots.drop()
	}
}
