package queue

import (
	"context"
	"sync"
	"time"

	"plenary/internal/model"
)

const (
	// freshFor: recipients read longer ago are looked at again before they are
	// handed out, so that who left meanwhile is skipped.
	freshFor = 30 * time.Second
	// readAtOnce bounds the looks at recipients, whatever the number of connections:
	// each connection to the database has memory of its own.
	readAtOnce = 4
	// chooseAgain: a unit nobody takes goes back, its turn may have passed.
	chooseAgain = time.Second
)

// dispatch hands units to couriers, the lanes by their weights, within the
// budget. work is the context couriers run under.
func (e *Engine) dispatch(ctx, work context.Context, couriers *sync.WaitGroup) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		soon := e.probe(ctx, work, couriers)
		if e.out.halted() {
			timer.Reset(soon)
			select {
			case <-e.changed:
			case <-e.lanes.more:
			case <-timer.C:
			case <-ctx.Done():
			}
			continue
		}
		if !e.budget.take(ctx, e.UnitSize) {
			return
		}
		u := e.lanes.next(model.At(e.Now()), [laneCount]bool{})
		if u == nil {
			e.budget.give(e.UnitSize)
			select {
			case <-e.lanes.more:
			case <-ctx.Done():
			}
			continue
		}
		e.budget.give(e.UnitSize - len(u.to))
		if ok := e.refresh(ctx, u); !ok {
			continue
		}
		if e.withhold(u); len(u.to) == 0 || e.unfit(u) {
			continue
		}
		if e.handToSome(ctx, work, couriers, u, timer) {
			continue
		}
		select {
		case e.units <- u:
			continue
		default:
		}
		e.hand(ctx, work, couriers, u, timer)
	}
}

// hand waits until a courier takes the unit, opening connections as needed.
func (e *Engine) hand(ctx, work context.Context, couriers *sync.WaitGroup, u *Unit, timer *time.Timer) {
	pending := (e.lanes.queued() + e.UnitSize - 1) / e.UnitSize
	wait := e.out.grow(ctx, work, couriers, pending+1, e.out.all)
	timer.Reset(min(max(wait, time.Millisecond), chooseAgain))
	select {
	case e.units <- u:
	case <-e.changed:
		e.putBack(u)
	case <-timer.C:
		e.putBack(u)
	case <-ctx.Done():
		e.putBack(u)
	}
}

// putBack returns a unit that nobody was asked about.
func (e *Engine) putBack(u *Unit) {
	if u.probe {
		u.aside = 0
	}
	u.probe, u.outlet = false, nil
	ok := e.back(u)
	e.budget.give(len(u.to))
	if !ok {
		e.finishHalted(u.job)
	}
}

// back returns a unit to where it waited; false when its job was halted.
func (e *Engine) back(u *Unit) bool {
	if u.link != nil {
		return e.depots.back(u)
	}
	return e.lanes.back(u)
}

// refresh leaves out of a unit what is another's, and looks again at recipients that
// were read a while ago. It reports false when the unit went back because the store
// does not answer.
func (e *Engine) refresh(ctx context.Context, u *Unit) bool {
	j := u.job
	e.leaveOut(u)
	if len(u.to) == 0 || j.source.d.Kind == model.DistributeLetter || e.Now().Sub(max(j.fresh, u.fresh).Time()) < freshFor {
		return true
	}
	ids := make([]int64, len(u.to))
	for i := range u.to {
		ids[i] = u.to[i].ID
	}
	e.reading <- struct{}{}
	subs, err := e.Store.Recipients(ctx, ids)
	<-e.reading
	if err != nil {
		e.putBack(u)
		e.pause(ctx, 2+int(e.unread.Add(1)), err, "the queue cannot look at recipients now")
		return false
	}
	e.unread.Store(0)
	u.fresh = model.At(e.Now())
	people := make(map[int64]*model.Subscriber, len(subs))
	for i := range subs {
		people[subs[i].ID] = &subs[i]
	}
	s := skipped{job: j}
	keep := u.to[:0]
	for _, t := range u.to {
		why := "the subscriber is not known any more"
		if sub := people[t.ID]; sub != nil {
			why = j.source.spare(sub)
		}
		if why == "" {
			keep = append(keep, t)
			continue
		}
		s.rows = append(s.rows, model.Delivery{DistributionID: j.source.d.ID, RecipientID: t.ID, State: model.DeliverySkipped,
			Attempts: t.attempts, Reply: why, Claimed: e.claimant(j)})
		s.out++
	}
	u.to = keep
	if s.out > 0 {
		e.skips <- s // the recorder outlives this goroutine
		e.budget.give(s.out)
	}
	return true
}

// leaveOut drops from a unit what another node has claimed meanwhile.
func (e *Engine) leaveOut(u *Unit) {
	n, idle := e.lanes.ours(u)
	e.budget.give(n)
	if idle {
		ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
		defer cancel()
		e.letGo(ctx, []*job{u.job})
	}
}
