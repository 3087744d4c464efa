package store

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock is the time by the database's clock, as near as a look at it each few
// seconds tells; SQLite has ours. Leases are kept by it: the clocks of nodes
// differ, and jump.
func (s *Store) Clock() time.Time {
	if s.dialect == SQLite {
		return s.Now().Round(0)
	}
	return s.clock.at(time.Now())
}

// clock is how far the database's clock is from ours.
type clock struct{ last atomic.Pointer[look] }

// look is one look at the database's clock.
type look struct {
	here  time.Time // with its monotonic part
	there time.Time
}

// set notes that the database's clock was there between two moments of ours.
func (c *clock) set(before, after, there time.Time) {
	c.last.Store(&look{here: before.Add(after.Sub(before) / 2), there: there.Round(0)})
}

// at gives the database's time at a moment of ours. Should our clock and our
// count of seconds disagree since the last look (the machine slept, or its clock
// was set), it is the later of the two: a lease may end early in our eyes, never
// late.
func (c *clock) at(now time.Time) time.Time {
	l := c.last.Load()
	if l == nil {
		return now.Round(0)
	}
	counted, wall := now.Sub(l.here), now.Round(0).Sub(l.here.Round(0))
	return l.there.Add(max(counted, wall))
}

// setClock looks at the database's clock, which also shows that it answers.
// row runs a query.
func (s *Store) setClock(ctx context.Context, row func(ctx context.Context, query string) scanner) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeatPatience)
	defer cancel()
	var micros int64
	before := time.Now()
	if err := row(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&micros); err != nil {
		return err
	}
	s.clock.set(before, time.Now(), time.UnixMicro(micros).UTC())
	return nil
}

// scanner is a row.
type scanner interface{ Scan(into ...any) error }
