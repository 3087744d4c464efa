// Package queue sends what is queued.
//
// A distribution (a post to a list's audience, or one house letter) is a row in
// the store. The feeder leases ranges of its audience, some thousand people a
// small transaction, and cuts them into units. The dispatcher hands units to
// couriers, one goroutine a connection: lanes share them by weight, the
// distributions of a lane in turn, so that neither a million newsletter copies
// nor one slow post keeps anybody waiting. The recorder writes what became of
// each copy, in group commits. The keeper prolongs leases and looks for what a
// person has paused.
//
// What a crash can cost is bounded by a budget: a copy is handed out only when
// fewer than Unrecorded copies are between a courier's hand and a committed row.
// So many at most may be sent again, with the same Message-ID, and the next
// start says how many. The same budget is the back-pressure: when the database
// is away outcomes wait, and nothing more is sent.
//
// A copy that fails temporarily gets a row with its next time and comes back by
// that way alone. A site that cannot be reached is no outcome of any copy: its
// copies wait, and the connection is tried once per back-off. Nor is a relay that
// answers and puts off whatever it gets: it rests, and single copies show when it
// is over (outlet_rest.go). Copies of a message that is larger than a peer
// announced to take fail without being tried (large.go); of several relays those get
// it that take it (outlet_fit.go).
//
// What limits it: the disk's commit, because of the budget (512 copies in 5 ms
// are 100,000/s if nothing else took time, half of that in practice), and on a
// quick disk the two cores. By BDAT a quarter of our CPU is reading the audience,
// two fifths the connections and the copy with its two MACs, an eighth the
// commits, which write the copies sent at the first try as one row a range. On
// SQLite a lease takes the turn of a commit, so ranges are large. By DATA the wire
// is most of it: a round trip a copy, that wakes two programs. With DKIM the
// signature's arithmetic is nine tenths; a pool of one worker a processor does it, a
// little ahead of the connections (see Costly). Figures, and how to repeat
// them, are in docs/benchmarks.md.
//
// With a Router there are many sites (sites.go, site_*.go). The sorter puts what is
// leased into the depots of the sites, each with lanes, connections and a pace of
// its own. Depots are bounded: a copy there is no room for, or whose site is
// down, paused or refusing us, gets a row that names what it waits for and is
// claimed again site by site. So a slow site holds nothing but its own copies, and
// memory does not grow with the list. Connections that get no answer do not keep
// others out; a unit grows with success, so that one that hangs holds one copy.
//
// Nodes on one database share the work through leases. Options.Node must name
// one running process: a node that starts takes back at once what its earlier
// run held; what another node held is taken over when the lease ends.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"plenary/internal/metrics"
	"plenary/internal/model"
)

// Store is what the engine needs of the store; see there.
type Store interface {
	WatchQueue() (wake <-chan struct{}, cancel func())
	TidyQueue(ctx context.Context, before model.Instant) ([]int64, error)
	NoteAtWork(ctx context.Context, node string) error
	Reclaim(ctx context.Context, owner string) (ranges, copies int64, err error)
	QueueWork(ctx context.Context, now model.Instant) (model.QueueWork, error)
	ActiveDistributions(ctx context.Context, lane model.Lane, afterID int64, limit int) ([]model.Distribution, error)
	RetryDistributions(ctx context.Context, lane model.Lane, now model.Instant, afterID int64, limit int) ([]model.Distribution, error)
	LeaseRange(ctx context.Context, d *model.Distribution, lease model.Chunk, limit int) (*model.Chunk, []model.Subscriber, error)
	LeaseLetters(ctx context.Context, lane model.Lane, lease model.Chunk, limit int) ([]model.Distribution, error)
	TakeOver(ctx context.Context, lane model.Lane, lease model.Chunk, now model.Instant) (*model.Distribution, *model.Chunk, []model.Subscriber, error)
	RenewChunks(ctx context.Context, owner string, until model.Instant, chunks []model.Chunk) ([]model.Chunk, error)
	ReleaseChunks(ctx context.Context, owner string, chunks []model.Chunk) error
	ClaimRetries(ctx context.Context, lease model.Chunk, now model.Instant, limit int) ([]model.Delivery, []model.Subscriber, error)
	RenewClaims(ctx context.Context, owner string, until model.Instant, rows []model.Delivery) ([]model.Delivery, error)
	ReleaseClaims(ctx context.Context, owner string, rows []model.Delivery) error
	RecordDeliveries(ctx context.Context, ranges []model.RangeOutcomes, rows []model.Delivery, ended []model.Chunk) error
	Recipients(ctx context.Context, ids []int64) ([]model.Subscriber, error)
	WaitingSites(ctx context.Context, now model.Instant, afterSite int64, limit int) ([]model.SiteDue, error)
	ClaimSites(ctx context.Context, sites []model.SiteRoom, lease model.Chunk, now model.Instant) (*model.SiteClaim, error)
	PostAuthorKey(ctx context.Context, id model.PostID) (string, error)
	Halted(ctx context.Context, ids []int64) ([]int64, error)
	PauseDistribution(ctx context.Context, id int64, why string) error
	GetList(ctx context.Context, id int64) (*model.List, error)
	NoteNode(ctx context.Context, node, text string) error
	NoteRefusal(ctx context.Context, distribution int64, site, text string) error
	NoteSites(ctx context.Context, sites []model.SiteState) error
	QueueStops(ctx context.Context) (*model.QueueStops, error)
	WakePaused(ctx context.Context, name string) error
	WakeForRelay(ctx context.Context, name string) error
	WakeRefused(ctx context.Context, distribution, site int64, reply string, before model.Instant) error
	RetryPutOff(ctx context.Context, distribution int64, destination string, before model.Instant) error
	SitesOf(ctx context.Context, distribution int64) ([]int64, error)
}

// Defaults of Options.
const (
	defaultConnections = 10
	defaultAllSites    = 200 // connections to all sites together
	defaultUnitSize    = 16
	defaultChunk       = 4000
	defaultSitesChunk  = 1000 // with a Router: of what waits for its site many ranges are in hand
	defaultUnrecorded  = 512
	defaultLease       = 2 * time.Minute
	defaultGrace       = 20 * time.Second
	// defaultStaleAge: mail that waited longer when a node starts waits for a
	// person (an old copy of the database may have been put back).
	defaultStaleAge = 48 * time.Hour
	defaultNewsLife = 48 * time.Hour // news is not worth more
)

// Options are what an engine is made of. Store, Composer, Node and one of Connect,
// Outlets and Router must be set; the rest has defaults.
type Options struct {
	Store    Store
	Composer Composer
	Connect  Connector
	Outlets  []Outlet // several ways out that take everything, in the place of Connect
	Router   Router   // when set, letters go to the site of each recipient's domain
	Node     string   // names this process among those that share the database
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Now      func() time.Time // where nodes share a database: its clock
	Random   func() float64   // in [0,1), for jitter

	Connections int             // most connections at once; 10, with a Router 200
	UnitSize    int             // copies handed to a courier at a time; 16
	Chunk       int             // recipients leased at a time, of who has nothing in hand at most 1000; 4000, with a Router 1000
	Unrecorded  int             // most copies handed out and not recorded; 512
	Lease       time.Duration   // how long a lease lasts without renewal; 2 minutes
	Grace       time.Duration   // what couriers get to finish at the end; 20 seconds
	StaleAge    time.Duration   // see TidyQueue of the store; 48 hours
	NewsLife    time.Duration   // how long newsletters are tried; 2 days
	Retry       []time.Duration // waits after the first, second ... failed try, the last one repeats; see RetryWaits
	Backoff     []time.Duration // waits after the first, second ... failed connection, the last one repeats
}

// Engine sends what is queued; make it with New, run it once with Run.
type Engine struct {
	Options
	lanes     *lanes
	budget    *budget
	out       *outlets
	depots    *depots // nil without a Router
	refusals  *refusals
	announced *announced
	stops     atomic.Pointer[stops]
	unread    atomic.Int64  // failures to look at recipients, in a row
	reading   chan struct{} // holds one for each look
	feeder    feeder

	units    chan *Unit
	outcomes chan Outcome
	signers  *signers
	skips    chan skipped
	spare    [][]model.SentCopy // the recorder's, for use again
	writing  chan struct{}      // holds one while a batch is written and what it decides is forgotten
	changed  chan struct{}      // something was halted: the dispatcher must choose again
	counters counters
}

// New makes an engine; nothing runs yet.
func New(o Options) *Engine {
	orInt := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	orTime := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	if o.Router != nil {
		orInt(&o.Connections, defaultAllSites)
		orInt(&o.Chunk, defaultSitesChunk)
	}
	orInt(&o.Connections, defaultConnections)
	orInt(&o.UnitSize, defaultUnitSize)
	orInt(&o.Chunk, defaultChunk)
	orInt(&o.Unrecorded, defaultUnrecorded)
	o.UnitSize = min(o.UnitSize, o.Unrecorded)
	orTime(&o.Lease, defaultLease)
	orTime(&o.Grace, defaultGrace)
	orTime(&o.StaleAge, defaultStaleAge)
	orTime(&o.NewsLife, defaultNewsLife)
	if len(o.Retry) == 0 {
		o.Retry = RetryWaits()
	}
	if len(o.Backoff) == 0 {
		o.Backoff = backoffWaits()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	o.Store = patient{o.Store}
	e := &Engine{
		Options: o,
		lanes:   newLanes(),
		budget:  newBudget(o.Unrecorded),
		units:   make(chan *Unit),
		// An outcome always fits: the budget bounds what is out.
		outcomes: make(chan Outcome, o.Unrecorded),
		signers:  newSigners(),
		skips:    make(chan skipped, 4),
		writing:  make(chan struct{}, 1),
		changed:  make(chan struct{}, 1),
		reading:  make(chan struct{}, readAtOnce),
	}
	e.out, e.refusals, e.announced = newOutlets(e), newRefusals(), newAnnounced()
	if o.Router != nil {
		e.depots = newDepots(e)
		e.lanes.most, e.lanes.together = maxJobsAll, true
	}
	e.feeder = newFeeder(e)
	return e
}

// Run sends until ctx ends. Then it hands out nothing more, lets couriers
// finish what they hold for at most Grace, records all outcomes and gives its
// leases back. An error means that outcomes could not be recorded.
func (e *Engine) Run(ctx context.Context) error {
	if !e.begin(ctx) {
		return nil
	}
	// What is under way outlives ctx, within bounds.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	e.checkStops(ctx)
	var before, couriers, after sync.WaitGroup
	before.Go(func() { e.feeder.run(ctx) })
	before.Go(func() { e.keep(ctx) })
	if e.depots != nil {
		e.depots.start(ctx, work, &couriers)
		before.Go(func() { e.depots.sort(ctx) })
		before.Go(func() { e.depots.clerk(ctx) })
	} else {
		before.Go(func() { e.dispatch(ctx, work, &couriers) })
	}
	var recordErr error
	records, stopRecords := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecords()
	after.Go(func() { recordErr = e.record(records) })

	for range e.signers.workers {
		after.Go(e.signers.run)
	}

	<-ctx.Done()
	before.Wait()
	close(e.units)
	e.out.close()
	grace := time.AfterFunc(e.Grace, stopWork)
	couriers.Wait()
	close(e.signers.quit)
	grace.Stop()
	close(e.outcomes)
	close(e.skips)
	// The recorder has all it will get; a database that is away gets as long.
	hard := time.AfterFunc(e.Grace, stopRecords)
	after.Wait()
	hard.Stop()
	for _, s := range e.feeder.sources {
		e.tell(s)
	}
	e.out.note("") // who is gone has no trouble
	return errors.Join(recordErr, e.giveBack())
}

// begin readies the store: old mail waits for a person, leases of an earlier
// run come back. It tries until it succeeds or ctx ends.
func (e *Engine) begin(ctx context.Context) bool {
	for n := 0; ; n++ {
		err := e.tidy(ctx)
		if err == nil {
			ranges, copies, rerr := e.Store.Reclaim(ctx, e.Node)
			if err = rerr; err == nil {
				if copies > 0 {
					e.Log.Warn("the last run ended in the middle of its work: some copies may be sent a second time, with the same Message-ID",
						"ranges", ranges, "undecided", copies, "repeats_at_most", min(copies, int64(e.Unrecorded)))
				}
				e.out.note("") // the earlier run's trouble is over, or will be found anew
				return true
			}
		}
		if !e.pause(ctx, n, err, "the queue cannot start yet") {
			return false
		}
	}
}

func (e *Engine) tidy(ctx context.Context) error {
	held, err := e.Store.TidyQueue(ctx, model.At(e.Now().Add(-e.StaleAge)))
	if len(held) > 0 {
		e.Log.Warn("mail older than allowed is in the queue: it waits for `plenary queue resume`", "distributions", len(held),
			"older_than", e.StaleAge.String())
	}
	return err
}

const (
	logTries = 6                // failures of the store in a row that are logged one by one
	logAgain = 30 * time.Second // then one so often
)

// pause waits a little after a failure of the store; false when ctx has ended.
func (e *Engine) pause(ctx context.Context, n int, err error, what string) bool {
	if ctx.Err() != nil {
		return false
	}
	if n < logTries || n%logTries == 0 { // a database that is away for a night is told of each half minute
		e.Log.Warn(what, "err", err, "tries", n+1)
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(5*time.Second, 100*time.Millisecond<<min(n, 6))):
		return true
	}
}

// giveBack frees what is still leased, so that the next start, or another node,
// goes on at once and knows that nothing was on the way.
func (e *Engine) giveBack() error {
	ctx, cancel := context.WithTimeout(context.Background(), e.Grace)
	defer cancel()
	_, chunks, claims := e.lanes.held()
	if len(chunks)+len(claims) == 0 {
		return nil
	}
	err := errors.Join(e.Store.ReleaseChunks(ctx, e.Node, chunks), e.Store.ReleaseClaims(ctx, e.Node, claims))
	if err != nil {
		return fmt.Errorf("leases were not given back, they end by themselves: %w", err)
	}
	e.Log.Info("the queue stopped in the middle of its work and goes on at the next start", "ranges", len(chunks), "retries", len(claims))
	return nil
}
