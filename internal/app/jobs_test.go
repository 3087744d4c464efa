package app_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
)

// TestAJobIsDoneByOneNode: two nodes on one database never do a job at the same
// time, also when it takes longer than until it is due again; when the one that
// does it is gone the other takes it up.
func TestAJobIsDoneByOneNode(t *testing.T) {
	t.Parallel()
	dsn := postgres.DSN(t)
	const every = 300 * time.Millisecond
	var busy, runs [2]atomic.Int32
	var both atomic.Int32
	job := func(i int) func(context.Context) error {
		return func(ctx context.Context) error {
			runs[i].Add(1)
			if busy[0].Load()+busy[1].Load()+1 > 1 {
				both.Add(1)
			}
			busy[i].Add(1)
			defer busy[i].Add(-1)
			select {
			case <-ctx.Done():
			case <-time.After(3 * every):
			}
			return ctx.Err()
		}
	}
	var wg sync.WaitGroup
	stops := make([]func(), 2)
	for i := range stops {
		c := testkit.Config(t.TempDir())
		c.Database.DSN = dsn
		a := made(t, c)
		ctx, cancel := context.WithCancel(context.Background())
		stops[i] = cancel
		defer cancel()
		wg.Go(func() { a.Repeat(ctx, "test", every, job(i)) })
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(testkit.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("this did not come about: %s", what)
			}
		}
	}
	eventually("the job is done four times", func() bool { return runs[0].Load()+runs[1].Load() >= 4 })
	doing := 0
	eventually("one does it", func() bool {
		for i := range busy {
			if busy[i].Load() > 0 {
				doing = i
				return true
			}
		}
		return false
	})
	stops[doing]()
	had := runs[1-doing].Load()
	eventually("the other takes it up", func() bool { return runs[1-doing].Load() > had })
	stops[1-doing]()
	wg.Wait()
	if both.Load() > 0 {
		t.Errorf("both were at it %d times", both.Load())
	}
}
