package queue

import (
	"context"
	"time"

	"plenary/internal/model"
)

const (
	pollEvery = time.Second // the safety net below the wake-ups
	// lowWater: a distribution with fewer copies in hand gets another range. They
	// last longer than leasing the next takes.
	lowWater = 1500
	// firstRange: who has nothing in hand gets no more people at once, so that the
	// first copy does not wait until all of a large range are read.
	firstRange  = 1000
	maxJobs     = 32  // ranges of a lane in hand at once, and as many batches of retries
	maxJobsAll  = 512 // the same with a Router: most of them wait for one slow site, and the hand bounds the copies
	maxLetters  = 128 // house letters of a lane in hand at once
	maxStuck    = 128 // ranges of a lane while the relays rest
	leaseBatch  = 64  // letters leased at a time
	retryBatch  = 256 // copies claimed again at a time
	manyAtOnce  = 32  // distributions looked at in one turn
	skipsAtOnce = 256 // rows of skipped recipients in one message to the recorder
)

// feeder leases work and fills the lanes with it. One goroutine.
type feeder struct {
	e         *Engine
	sources   map[int64]*source
	notBefore map[int64]time.Time
	turn      [laneCount]int64 // the distribution that got a range last
	retryTurn [laneCount]int64
	siteTurn  int64     // the site that was looked at last
	swept     time.Time // when
}

func newFeeder(e *Engine) feeder {
	return feeder{e: e, siteTurn: -1, sources: map[int64]*source{}, notBefore: map[int64]time.Time{}}
}

func (f *feeder) run(ctx context.Context) {
	wake, cancel := f.e.Store.WatchQueue()
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	whole, failures := true, 0
	for ctx.Err() == nil {
		// What is leased must come into our hands, also when ctx ends now: then
		// it is given back.
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(f.e.Grace, storePatience))
		stop := context.AfterFunc(ctx, func() { time.AfterFunc(f.e.Grace, cancel) })
		n, err := f.round(lasting, whole)
		stop()
		cancel()
		if err != nil {
			if !f.e.pause(ctx, failures, err, "the queue cannot lease work now") {
				return
			}
			failures++
			continue
		}
		failures = 0
		f.closeIdle()
		if n > 0 {
			continue
		}
		select {
		case <-wake:
			whole = true
		case <-tick.C:
			whole = true
		case <-f.e.lanes.room:
			whole = false
		case <-ctx.Done():
			return
		}
	}
}

// round leases once for each lane what there is room for and gives the number
// of jobs; whole looks for everything, otherwise only for further ranges of what
// is open.
func (f *feeder) round(ctx context.Context, whole bool) (n int, err error) {
	if f.e.depots != nil { // retries are claimed by site
		if n, err = f.sites(ctx, whole); err != nil {
			return n, err
		}
	}
	if !whole {
		k, err := f.further(ctx)
		return n + k, err
	}
	work, err := f.e.Store.QueueWork(ctx, model.At(f.e.Now()))
	if err != nil {
		return n, err
	}
	for l := range model.Lane(laneCount) {
		for _, step := range []struct {
			some bool
			take func(context.Context, model.Lane) (int, error)
		}{{work.Open[l], f.letters}, {work.Abandoned, f.abandoned}, {work.Retries && f.e.depots == nil, f.retries}, {work.Open[l], f.ranges}} {
			if !step.some {
				continue
			}
			k, err := step.take(ctx, l)
			if err != nil {
				return n, err
			}
			n += k
		}
	}
	return n, nil
}

// lease is the template of a new lease.
func (e *Engine) lease() model.Chunk {
	return model.Chunk{Owner: e.Node, LeaseUntil: model.At(e.Now().Add(e.Lease))}
}

// handOutUntil is when the last copy under a lease may be handed out: some time
// before its end, for clocks that differ and couriers that are slow.
func (e *Engine) handOutUntil(leaseUntil model.Instant) model.Instant {
	return leaseUntil.Add(-e.Lease / 8)
}

// ranges leases a range for each distribution of the lane that has little in
// hand, the one after the last served first.
func (f *feeder) ranges(ctx context.Context, l model.Lane) (n int, err error) {
	if f.e.lanes.load(l, aRange) >= f.most() {
		if f.e.depots != nil {
			f.e.depots.relieve()
		}
		return 0, nil
	}
	ds, err := f.e.Store.ActiveDistributions(ctx, l, f.turn[l], manyAtOnce)
	if err != nil {
		return 0, err
	}
	if len(ds) < manyAtOnce && f.turn[l] != 0 {
		more, err := f.e.Store.ActiveDistributions(ctx, l, 0, manyAtOnce-len(ds))
		if err != nil {
			return 0, err
		}
		for _, d := range more {
			if d.ID <= f.turn[l] {
				ds = append(ds, d)
			}
		}
	}
	for i := range ds {
		if f.e.lanes.load(l, aRange) >= f.most() {
			break
		}
		src, err := f.open(ctx, &ds[i])
		if err != nil {
			return n, err
		}
		if src == nil || f.full(src) {
			continue
		}
		src.d.Cursor, src.d.State = ds[i].Cursor, ds[i].State
		k, err := f.nextRange(ctx, src)
		if err != nil {
			return n, err
		}
		f.turn[l] = ds[i].ID
		n += k
	}
	if n == 0 && len(ds) > 0 { // all have enough: the next look begins behind them
		f.turn[l] = ds[len(ds)-1].ID
	}
	return n, nil
}

// nextRange leases the next range of a distribution.
func (f *feeder) nextRange(ctx context.Context, src *source) (int, error) {
	chunk, subs, err := f.e.Store.LeaseRange(ctx, src.d, f.e.lease(), f.rangeSize(src))
	f.e.lanes.setMore(src, err == nil && chunk != nil && src.d.State == model.DistributionActive)
	if err != nil || chunk == nil {
		return 0, err
	}
	return 1, f.leased(ctx, src, chunk, subs)
}

// most is how many ranges of a lane may be in hand. While the relays rest what is
// refused for itself stays there: room for many small ones lets others be tried.
func (f *feeder) most() int {
	if f.e.out.stuck() {
		return maxStuck
	}
	return f.e.lanes.most
}

// rangeSize is how many people the next range of a distribution has. A lease takes
// the turn of a commit, and while that waits what is out meets the budget: large
// ranges make few of them.
func (f *feeder) rangeSize(src *source) int {
	if f.e.out.stuck() {
		return f.e.UnitSize
	}
	f.e.lanes.mu.Lock()
	defer f.e.lanes.mu.Unlock()
	if src.queued == 0 {
		return min(firstRange, f.e.Chunk)
	}
	return f.e.Chunk
}

// further leases ranges for open distributions that have little in hand,
// without looking at the store first: that moves the cursor only from where we
// left it.
func (f *feeder) further(ctx context.Context) (n int, err error) {
	if f.e.out.stuck() {
		return 0, nil
	}
	for _, src := range f.e.lanes.thirsty() {
		k, err := f.nextRange(ctx, src)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// leased makes a job of a leased range.
func (f *feeder) leased(ctx context.Context, src *source, chunk *model.Chunk, subs []model.Subscriber) error {
	j := &job{source: src, chunk: chunk, left: len(subs), fresh: model.At(f.e.Now()), until: f.e.handOutUntil(chunk.LeaseUntil)}
	to := make([]target, 0, len(subs))
	var skips []model.Delivery
	for i := range subs {
		if why := src.spare(&subs[i]); why != "" {
			skips = append(skips, model.Delivery{DistributionID: src.d.ID, RecipientID: subs[i].ID, State: model.DeliverySkipped, Reply: why})
			continue
		}
		to = append(to, target{Recipient: recipient(&subs[i])})
	}
	f.e.cut(j, to)
	f.e.lanes.add(j)
	return f.skip(ctx, j, skips)
}

// cut makes units of a job's recipients.
func (e *Engine) cut(j *job, to []target) {
	j.queued = len(to)
	units := make([]Unit, (len(to)+e.UnitSize-1)/e.UnitSize)
	j.units = make([]*Unit, len(units))
	for i := range units {
		n := min(len(to), e.UnitSize)
		units[i] = Unit{prepared: j.source.prepared, job: j, to: to[:n:n]}
		j.units[i] = &units[i]
		to = to[n:]
	}
}

// skipped is word to the recorder about recipients who get no copy.
type skipped struct {
	job  *job
	rows []model.Delivery
	out  int // how many of them had been taken out of the lane already
}

func (f *feeder) skip(ctx context.Context, j *job, rows []model.Delivery) error {
	for len(rows) > 0 {
		n := min(len(rows), skipsAtOnce)
		select {
		case f.e.skips <- skipped{job: j, rows: rows[:n:n]}:
		case <-ctx.Done():
			return ctx.Err() // the range is given back and read again
		}
		rows = rows[n:]
	}
	return nil
}
