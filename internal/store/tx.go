package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
)

// tx is one write transaction; topics are woken after its commit.
type tx struct {
	*gorm.DB
	s      *Store
	topics []string
	eras   []int64 // of the full-text index that it writes to
	behind *behind // PostgreSQL's; nil: every statement is sent by itself
}

// writesTo notes an era that is written to.
func (t *tx) writesTo(era int64) {
	if !slices.Contains(t.eras, era) {
		t.eras = append(t.eras, era)
	}
}

// signal wakes the watchers of topic once the transaction is committed.
func (t *tx) signal(topic string) {
	for _, have := range t.topics {
		if have == topic {
			return
		}
	}
	t.topics = append(t.topics, topic)
}

// within is the key of a context under which a transaction is open.
type within struct{}

// Together runs fn in one write transaction: what is read and written under the
// context it is given belongs to it, and is durable or undone as a whole. It is
// for an act and the letter that tells of it. fn may run more than once, so it
// must set what it gives to the outside anew each time. Saving posts has
// transactions of its own and does not belong in one.
func (s *Store) Together(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.write(ctx, func(t *tx) error { return fn(context.WithValue(ctx, within{}, t)) })
}

// open gives the transaction of this store that the context belongs to, or nil.
func (s *Store) open(ctx context.Context) *tx {
	if t, ok := ctx.Value(within{}).(*tx); ok && t.s == s {
		return t
	}
	return nil
}

// write runs fn in one transaction, durable when it returns nil; under Together
// in the one that is open. fn may run
// more than once when the database asks for a retry, so it must not change
// anything outside that a second run would not set again.
func (s *Store) write(ctx context.Context, fn func(t *tx) error) error {
	if t := s.open(ctx); t != nil {
		return s.fault(fn(t))
	}
	if s.dialect == Postgres { // the network may swallow the answer
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, writePatience)
		defer cancel()
	}
	var err error
	for attempt := range writeAttempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return s.fault(ctx.Err())
			case <-time.After(time.Duration(attempt*attempt) * 5 * time.Millisecond):
			}
		}
		t := &tx{s: s}
		done := false
		err = s.transact(ctx, func(db *gorm.DB, b *behind) error {
			t.DB, t.behind, done = db, b, false
			if err := fn(t); err != nil {
				return err
			}
			done = true
			return errors.Join(s.announce(t), b.flush(ctx))
		})
		if err == nil {
			s.wake.signal(t.topics...)
			return nil
		}
		if done && len(t.eras) > 0 { // the commit writes what FTS5 has gathered
			err = t.ofIndex(err)
		}
		aside, aerr := s.setAside(ctx, t.eras, err)
		if aerr != nil {
			return s.fault(errors.Join(err, aerr))
		}
		if !aside && (s.dialect != Postgres || !postgresRetry(err)) {
			break
		}
	}
	return s.fault(err)
}
