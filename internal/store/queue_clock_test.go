package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// wrongClock opens the database of s once more, on a machine whose clock is ahead.
func wrongClock(t *testing.T, s *store.Store, ahead time.Duration) *store.Store {
	t.Helper()
	other, err := store.Open(context.Background(), s.DSN(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	other.Now = func() time.Time { return time.Now().Add(ahead) }
	return other
}

// TestWakingWithAWrongClock: what a person lets be tried from a machine with a wrong
// clock is due now by the clock of the database.
func TestWakingWithAWrongClock(t *testing.T) {
	s := stores.Postgres(t)
	ctx := context.Background()
	_, d := queueRig(t, s, 5)
	c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliveryRetry, 1, personIDs(subs)...), []model.Chunk{*c}); err != nil {
		t.Fatal(err)
	}
	site := model.SiteNumber(model.WaitPause, "a.example")
	for _, ahead := range []time.Duration{-5 * time.Hour, 0, 5 * time.Hour} {
		other := wrongClock(t, s, ahead)
		for what, wake := range map[string]func() error{
			"retry":   func() error { _, err := other.RetryNow(ctx, store.QueueScope{}); return err },
			"pause":   func() error { return other.WakePaused(ctx, "a.example") },
			"relay":   func() error { return other.WakeForRelay(ctx, "relay.example") },
			"refused": func() error { return other.WakeRefused(ctx, d.ID, site, "why", instant(s, 0)) },
			"put off": func() error { return other.RetryPutOff(ctx, d.ID, "", instant(s, 0)) },
			"resume": func() error {
				if err := other.PauseQueue(ctx, store.QueueScope{DistributionID: d.ID}, "test"); err != nil {
					return err
				}
				_, err := other.ResumeQueue(ctx, store.QueueScope{DistributionID: d.ID}, "test")
				return err
			},
		} {
			number, reply := site, "why"
			if what == "relay" {
				number, reply = 0, model.ForRelay+"relay.example"
			}
			if err := s.TestExec(ctx, "UPDATE deliveries SET code = 0, at = 1, next_at = ?, site = ?, reply = ?", instant(s, time.Hour), number, reply); err != nil {
				t.Fatal(err)
			}
			if err := wake(); err != nil {
				t.Fatal(err)
			}
			if n, err := s.TestCount(ctx, "SELECT count(*) FROM deliveries WHERE next_at <= ?", instant(s, time.Minute)); err != nil || n != 5 {
				t.Errorf("%s from a machine %v ahead: %d are due, %v", what, ahead, n, err)
			}
		}
	}
}

// TestRetryAfterAWrongClock: nodes see that somebody asked later by the time in the note.
func TestRetryAfterAWrongClock(t *testing.T) {
	s := stores.Postgres(t)
	ctx := context.Background()
	last := model.Instant(0)
	for _, ahead := range []time.Duration{5 * time.Hour, 0, -5 * time.Hour} {
		if _, err := wrongClock(t, s, ahead).RetryNow(ctx, store.QueueScope{Destination: "a.example"}); err != nil {
			t.Fatal(err)
		}
		st, err := s.QueueStops(ctx)
		if err != nil || st.Retry["a.example"] <= last {
			t.Errorf("from a machine %v ahead: %v is not after %v, %v", ahead, st.Retry, last, err)
		}
		last = st.Retry["a.example"]
	}
}

// TestTidyOfAWrongClock: a node that starts with a wrong clock beside a queue that works
// holds none of its tries, and nodes with the right one go on saying when they worked.
func TestTidyOfAWrongClock(t *testing.T) {
	s := stores.Postgres(t)
	ctx := context.Background()
	_, d := queueRig(t, s, 3)
	c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
	if err != nil {
		t.Fatal(err)
	}
	rows := outcomes(d, model.DeliveryRetry, 1, personIDs(subs)...)
	for i := range rows {
		rows[i].NextAt = instant(s, time.Hour)
	}
	if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{*c}); err != nil {
		t.Fatal(err)
	}
	if err := s.TestExec(ctx, "UPDATE distributions SET created_at = ?", instant(s, -60*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.NoteAtWork(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
		other := wrongClock(t, s, ahead)
		if held, err := other.TidyQueue(ctx, model.At(other.Clock().Add(-48*time.Hour))); err != nil || len(held) != 0 {
			t.Errorf("a machine %v ahead held %v, %v", ahead, held, err)
		}
		if n, err := s.TestCount(ctx, "SELECT count(*) FROM queue_notes WHERE name = 'at-work' AND at BETWEEN ? AND ?",
			instant(s, -time.Hour), instant(s, time.Hour)); err != nil || n != 1 {
			t.Errorf("a machine %v ahead noted another time, %v", ahead, err)
		}
	}
}
