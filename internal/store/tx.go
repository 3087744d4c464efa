package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// tx is one write transaction; topics are woken after its commit.
type tx struct {
	*gorm.DB
	s      *Store
	topics []string
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

// write runs fn in one transaction, durable when it returns nil. fn may run
// more than once when the database asks for a retry, so it must not change
// anything outside that a second run would not set again.
func (s *Store) write(ctx context.Context, fn func(t *tx) error) error {
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
		err = s.w.WithContext(ctx).Transaction(func(db *gorm.DB) error {
			t.DB = db
			if err := fn(t); err != nil {
				return err
			}
			return s.announce(t)
		})
		if err == nil {
			s.wake.signal(t.topics...)
			return nil
		}
		if s.dialect != Postgres || !postgresRetry(err) {
			break
		}
	}
	return s.fault(err)
}
