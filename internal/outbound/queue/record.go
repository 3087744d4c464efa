package queue

import (
	"context"
	"fmt"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// linger is the wait for a batch to become worth its transaction.
const linger = 3 * time.Millisecond

// maxSpare is how many lists of copies are kept for the next batches.
const maxSpare = 8

// record writes outcomes until both channels are closed and empty. It ends
// early, with an error, when ctx ends before the database has taken everything.
func (e *Engine) record(ctx context.Context) error {
	outcomes, skips := e.outcomes, e.skips
	for outcomes != nil || skips != nil {
		b := &batch{tally: map[*job]*tally{}, back: map[returned][]target{}}
		select {
		case o, ok := <-outcomes:
			if !ok {
				outcomes = nil
				continue
			}
			b.at = model.At(e.Now())
			e.take(b, o)
		case s, ok := <-skips:
			if !ok {
				skips = nil
				continue
			}
			b.at = model.At(e.Now())
			e.takeSkipped(b, s)
		}
		e.gather(b)
		if err := e.commit(ctx, b); err != nil {
			n := b.size
			for range outcomes { // nobody may be left blocked on us
				n++
			}
			for range skips {
				continue
			}
			return fmt.Errorf("%d outcomes are not recorded, those copies may be repeated: %w", n, err)
		}
	}
	return nil
}

// gather adds what comes within linger, unless the budget runs dry before: a
// transaction costs as much as a hundred rows.
func (e *Engine) gather(b *batch) {
	var late <-chan time.Time
	for b.size < e.Unrecorded/2 {
		select {
		case o, ok := <-e.outcomes:
			if !ok {
				return
			}
			e.take(b, o)
			continue
		case s, ok := <-e.skips:
			if !ok {
				return
			}
			e.takeSkipped(b, s)
			continue
		default:
		}
		if e.budget.free.Load() < int64(e.UnitSize) {
			return
		}
		if late == nil {
			late = time.After(linger)
		}
		select {
		case o, ok := <-e.outcomes:
			if !ok {
				return
			}
			b.at = model.At(e.Now())
			e.take(b, o)
		case s, ok := <-e.skips:
			if !ok {
				return
			}
			b.at = model.At(e.Now())
			e.takeSkipped(b, s)
		case <-late:
			return
		}
	}
}

// commit writes the batch, however long the database takes, then gives its
// budget back.
func (e *Engine) commit(ctx context.Context, b *batch) error {
	w := e.write(b)
	e.writing <- struct{}{}
	defer func() { <-e.writing }()
	for n := 0; b.size > 0; n++ {
		err := e.Store.RecordDeliveries(ctx, w.ranges, w.rows, w.ended)
		if err == nil {
			if n > 0 {
				e.Log.Info("outcomes are recorded again", "tries", n+1)
			}
			break
		}
		if fault.Is(err, fault.Internal) || fault.Is(err, fault.Invalid) {
			w.dropReplies()
		}
		w.unsure()
		if !e.pause(ctx, n, err, "outcomes cannot be recorded now, sending waits") {
			return err
		}
	}
	if b.sent > 0 && e.depots == nil {
		e.out.good(b.outlet)
	}
	e.count(b)
	e.stop(ctx, b)
	for j, t := range b.tally {
		if j.claims != nil {
			e.lanes.forget(j, t.rows)
		}
		if e.lanes.settle(j, t.out, t.decided) {
			e.letGo(ctx, []*job{j})
		}
		if t.sent != nil && len(e.spare) < maxSpare {
			e.spare = append(e.spare, t.sent[:0])
		}
	}
	for r, to := range b.back {
		u := r.unit
		again := &Unit{prepared: u.prepared, to: to, job: u.job, link: u.link, not: r.not, fresh: u.fresh}
		if !e.back(again) {
			e.finishHalted(u.job)
		}
	}
	e.budget.give(b.tokens)
	return nil
}

// write sorts a batch by what it is written under, and finds the jobs whose last
// copy it decides.
func (e *Engine) write(b *batch) *written {
	w := &written{}
	e.lanes.mu.Lock()
	defer e.lanes.mu.Unlock()
	for j, t := range b.tally {
		t.fates.sent += len(t.sent)
		t.fates.at = model.At(e.Now())
		j.source.fates.add(&t.fates)
		if j.left <= t.decided {
			j.ended = true
			if j.chunk != nil && !j.lost {
				w.ended = append(w.ended, *j.chunk)
			}
		}
		if j.chunk == nil || j.source.d.Kind == model.DistributeLetter {
			for i := range t.sent {
				w.rows = append(w.rows, t.sent[i].Delivery(j.source.d.ID))
			}
			w.rows = append(w.rows, t.rows...)
			continue
		}
		w.ranges = append(w.ranges, model.RangeOutcomes{Chunk: *j.chunk, Lost: j.lost, Sent: t.sent, Rows: t.rows})
	}
	return w
}

// unsure is called after a failure: the transaction may have been committed and
// only the answer lost. What comes late leaves out what stands in a pack.
func (w *written) unsure() {
	for i := range w.ranges {
		w.ranges[i].Lost = true
	}
}

// dropReplies leaves out the only foreign text: better no reply than no record.
func (w *written) dropReplies() {
	for i := range w.rows {
		w.rows[i].Reply = ""
	}
	for _, r := range w.ranges {
		for i := range r.Sent {
			r.Sent[i].Reply = ""
		}
		for i := range r.Rows {
			r.Rows[i].Reply = ""
		}
	}
}

func (e *Engine) count(b *batch) {
	for _, c := range []struct {
		name  string
		n     int
		total interface{ Add(int64) int64 }
	}{
		{"ok", b.sent, &e.counters.sent}, {"temporary", b.temporary, &e.counters.temporary},
		{"permanent", b.permanent, &e.counters.permanent}, {"skipped", b.skipped, &e.counters.skipped},
		{"lost", b.lost, &e.counters.lost}, {"policy", b.policy, &e.counters.policy},
	} {
		if c.n > 0 {
			c.total.Add(int64(c.n))
			e.Metrics.Delivered(c.name, c.n)
		}
	}
	if e.depots != nil || e.out.name(nil) == "" {
		return
	}
	if len(e.out.all) == 1 && b.sent > 0 {
		e.Metrics.SiteResult(e.out.name(nil), OK.String(), b.sent)
	}
	for k, n := range b.results {
		e.Metrics.SiteResult(k.site, k.class, n)
	}
}

// letGo forgets jobs that wait for nothing more; what they leave undecided is
// given back. After a failure the lease ends by itself.
func (e *Engine) letGo(ctx context.Context, jobs []*job) {
	var chunks []model.Chunk
	var claims []model.Delivery
	e.lanes.mu.Lock()
	for _, j := range jobs {
		if j.left > 0 && !j.lost {
			if j.chunk != nil {
				chunks = append(chunks, *j.chunk)
			}
			claims = append(claims, j.rows()...)
		}
		j.lost = true // whatever comes late must not touch the lease
	}
	e.lanes.mu.Unlock()
	for _, j := range jobs {
		e.lanes.drop(j)
	}
	if err := e.Store.ReleaseChunks(ctx, e.Node, chunks); err != nil {
		e.Log.Warn("ranges were not given back, their lease ends by itself", "err", err)
	}
	if err := e.Store.ReleaseClaims(ctx, e.Node, claims); err != nil {
		e.Log.Warn("retries were not given back, their lease ends by itself", "err", err)
	}
}

// finishHalted lets a halted job go when nothing of it is out any more.
func (e *Engine) finishHalted(j *job) {
	e.lanes.mu.Lock()
	idle := j.halted && j.out == 0 && !j.ended
	e.lanes.mu.Unlock()
	if idle {
		ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
		defer cancel()
		e.letGo(ctx, []*job{j})
	}
}
