package queue

import (
	"context"
	"sync/atomic"
)

// budget bounds the copies that are handed out and not recorded. One goroutine
// takes, any may give back.
type budget struct {
	free atomic.Int64
	more chan struct{}
}

func newBudget(n int) *budget {
	b := &budget{more: make(chan struct{}, 1)}
	b.free.Store(int64(n))
	return b
}

// take waits until n copies are free; false when ctx ended first.
func (b *budget) take(ctx context.Context, n int) bool {
	for {
		if b.free.Load() >= int64(n) {
			b.free.Add(int64(-n))
			return true
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return false
		}
	}
}

// some takes up to n without waiting.
func (b *budget) some(n int) int {
	for {
		free := b.free.Load()
		got := min(int64(n), free)
		if got <= 0 {
			return 0
		}
		if b.free.CompareAndSwap(free, free-got) {
			return int(got)
		}
	}
}

func (b *budget) give(n int) {
	if n == 0 {
		return
	}
	b.free.Add(int64(n))
	select {
	case b.more <- struct{}{}:
	default:
	}
}
