package route

import (
	"context"
	"sync"
	"time"
)

// memo remembers answers for a while, at most so many, and asks only once when
// many want the same.
type memo[T any] struct {
	max int
	now func() time.Time

	mu     sync.Mutex
	kept   map[string]kept[T]
	asking map[string]chan struct{}
}

type kept[T any] struct {
	value T
	until int64 // Unix time in ns: there are many
}

func (k *kept[T]) over(now time.Time) bool { return now.UnixNano() >= k.until }

// tidy drops what is over.
func (m *memo[T]) tidy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropOver(m.now())
}

func (m *memo[T]) dropOver(now time.Time) {
	for key, k := range m.kept {
		if k.over(now) {
			delete(m.kept, key)
		}
	}
}

func newMemo[T any](max int, now func() time.Time) *memo[T] {
	return &memo[T]{max: max, now: now, kept: map[string]kept[T]{}, asking: map[string]chan struct{}{}}
}

// get gives what is kept for key, or asks. ask says how long its answer holds;
// 0 keeps nothing. The first who wants to know asks in his own goroutine; when
// his ctx ends another of those who wait asks again.
func (m *memo[T]) get(ctx context.Context, key string, ask func(context.Context) (T, time.Duration)) (T, error) {
	var none T
	for {
		m.mu.Lock()
		if k, ok := m.kept[key]; ok && !k.over(m.now()) {
			m.mu.Unlock()
			return k.value, nil
		}
		wait, busy := m.asking[key]
		if !busy {
			done := make(chan struct{})
			m.asking[key] = done
			m.mu.Unlock()
			return m.first(ctx, key, done, ask)
		}
		m.mu.Unlock()
		select {
		case <-wait:
			if ctx.Err() != nil {
				return none, ctx.Err()
			}
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

func (m *memo[T]) first(ctx context.Context, key string, done chan struct{}, ask func(context.Context) (T, time.Duration)) (v T, err error) {
	var hold time.Duration
	defer func() {
		m.mu.Lock()
		delete(m.asking, key)
		if hold > 0 {
			m.keep(key, v, hold)
		}
		m.mu.Unlock()
		close(done)
	}()
	v, hold = ask(ctx)
	if err = ctx.Err(); err != nil {
		hold = 0 // it may say no more than that we gave up
	}
	return v, err
}

// keep adds an answer. A full memory first drops what is over, then any eighth.
func (m *memo[T]) keep(key string, v T, hold time.Duration) {
	now := m.now()
	if _, have := m.kept[key]; !have && len(m.kept) >= m.max {
		m.dropOver(now)
		for k := range m.kept {
			if len(m.kept) <= m.max-m.max/8-1 {
				break
			}
			delete(m.kept, k)
		}
	}
	m.kept[key] = kept[T]{v, now.Add(hold).UnixNano()}
}
