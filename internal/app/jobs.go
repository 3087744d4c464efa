package app

import (
	"context"
	"sync"
	"time"
)

// job is periodic work. Only one node does it at a time.
type job struct {
	name  string
	every time.Duration
	run   func(context.Context) error
}

// jobs is the table of all periodic work.
func (a *App) jobs() []job {
	table := []job{
		{"expire held posts", 10 * time.Minute, a.Moderation.Expire},
		{"pack posts", 15 * time.Minute, a.sealAll},
		{"merge the index", 2 * time.Minute, a.Store.MergeEras},
		{"fold deliveries", time.Hour, a.fold},
		{"prune", time.Hour, a.Store.Prune},
	}
	if a.tlsReports != nil {
		table = append(table, job{"report on TLS", reportEvery, a.reportTLS})
	}
	return table
}

// sealAll packs the single posts of every list into groups.
func (a *App) sealAll(ctx context.Context) error {
	lists, err := a.Store.Lists(ctx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		if _, err := a.Store.SealPosts(ctx, l.ID); err != nil {
			return err
		}
	}
	return nil
}

// fold packs the delivery records of what was finished long ago.
func (a *App) fold(ctx context.Context) error {
	n, err := a.Store.FoldDeliveries(ctx, time.Now().Add(-a.Config.Outbound.FoldAfter))
	if n > 0 {
		a.Log.Info("delivery records were folded", "recipients", n)
	}
	return err
}

// runJobs does each job when it is due until ctx ends.
func (a *App) runJobs(ctx context.Context) {
	var wg sync.WaitGroup
	for _, j := range a.jobs() {
		wg.Go(func() { a.repeat(ctx, j) })
	}
	wg.Wait()
}

// repeat does one job. Its lease lasts until the job is due again, by the
// database's clock, so that each turn falls to one node; the next node takes it
// up when that one is gone.
func (a *App) repeat(ctx context.Context, j job) {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		mine, err := a.Store.Lease(ctx, "job:"+j.name, a.Node, j.every)
		if err == nil && mine {
			err = a.underLease(ctx, j)
		}
		if err != nil && ctx.Err() == nil {
			a.Log.Warn("a periodic job failed", "job", j.name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// underLease runs a job, prolonging its lease meanwhile, and stops it when
// another node has taken over: this one was cut off for long.
func (a *App) underLease(ctx context.Context, j job) error {
	run, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(j.every / 3)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
			}
			if mine, err := a.Store.Lease(run, "job:"+j.name, a.Node, j.every); err == nil && !mine {
				a.Log.Warn("another node has taken a periodic job over", "job", j.name)
				stop()
			}
		}
	})
	err := j.run(run)
	stop()
	keeper.Wait()
	return err
}
