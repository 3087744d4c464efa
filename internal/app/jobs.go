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
	return []job{
		{"expire held posts", 10 * time.Minute, a.Moderation.Expire},
		{"pack posts", 15 * time.Minute, a.sealAll},
		{"prune", time.Hour, a.Store.Prune},
	}
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

// runJobs does each job when it is due until ctx ends.
func (a *App) runJobs(ctx context.Context) {
	var wg sync.WaitGroup
	for _, j := range a.jobs() {
		wg.Go(func() { a.repeat(ctx, j) })
	}
	wg.Wait()
}

func (a *App) repeat(ctx context.Context, j job) {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		mine, err := a.Store.Lease(ctx, "job:"+j.name, a.Node, j.every)
		if err == nil && mine {
			err = j.run(ctx)
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
