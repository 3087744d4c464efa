package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// spare is something large that is made when it is wanted and let go when nobody
// has wanted it for a while. Whoever has it may go on using it.
type spare[T any] struct {
	make func() (T, error)

	mu   sync.Mutex
	have *T
	used time.Time
}

func (s *spare[T]) get() (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = time.Now()
	if s.have != nil {
		return *s.have, nil
	}
	made, err := s.make()
	if err == nil {
		s.have = &made
	}
	return made, err
}

func (s *spare[T]) tidy(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.Before(since) {
		s.have = nil
	}
}

const (
	spareIdle  = 5 * time.Second // coders take some milliseconds to make, and some megabytes
	readerIdle = 5 * time.Minute // a connection takes some milliseconds to open, and half a megabyte
)

// Tidy lets go what is quickly there again: the page caches of connections to
// SQLite that nobody uses at the moment, coders, what was unpacked last. It is to
// be called when all is quiet.
func (s *Store) Tidy(ctx context.Context) {
	since := time.Now().Add(-spareIdle)
	s.coders.tidy(since)
	groupCoder.tidy(since)
	s.cache.clear()
	if s.dialect != SQLite {
		return
	}
	for _, pool := range s.pools() {
		shrink(ctx, pool)
	}
}

// shrink has the idle connections of a pool give back their page caches. Errors
// do not matter.
func shrink(ctx context.Context, pool *sql.DB) {
	var held []*sql.Conn
	for range pool.Stats().Idle {
		c, err := pool.Conn(ctx)
		if err != nil {
			break
		}
		held = append(held, c)
		_, _ = c.ExecContext(ctx, "PRAGMA shrink_memory")
	}
	for _, c := range held {
		_ = c.Close()
	}
}
