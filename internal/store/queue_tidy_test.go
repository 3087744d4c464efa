package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTidySparesWhatANodeSends: a node that starts beside others does not hold
// what one of them is sending, however old it is.
func TestTidySparesWhatANodeSends(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 30)
		later := model.At(time.Now().Add(time.Hour)) // the distribution is older than that
		lease := model.Chunk{Owner: "other", LeaseUntil: model.At(time.Now().Add(time.Minute))}
		c, _, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || c == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 0 {
			t.Errorf("held while it is sent: %v, %v", held, err)
		}
		if _, err := s.RenewChunks(ctx, "other", model.At(time.Now().Add(-time.Minute)), []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 1 {
			t.Errorf("held after the lease ended: %v, %v", held, err)
		}
	})
}

// TestNotesEndWithTheirDistribution: what is cancelled is no longer counted as
// waiting for a yes, and a site's refusal is not told for ever.
func TestNotesEndWithTheirDistribution(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 30)
		later := model.At(time.Now().Add(time.Hour))
		if err := s.NoteRefusal(ctx, d.ID, "a.example", "5.7.1 no"); err != nil {
			t.Fatal(err)
		}
		if held, err := s.TidyQueue(ctx, later); err != nil || len(held) != 1 {
			t.Fatalf("%v, %v", held, err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Stale != 1 || st.Held != 0 || len(st.Refused) != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		if err := s.CancelDistribution(ctx, d.ID, "test"); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Stale != 0 || st.Held != 0 || len(st.Refused) != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		if err := s.NoteRefusal(ctx, d.ID, "a.example", "5.7.1 no"); err != nil { // a node that did not know
			t.Fatal(err)
		}
		if err := s.NoteNode(ctx, "new", "the relay is down"); err != nil {
			t.Fatal(err)
		}
		if err := s.NoteNode(ctx, "gone", "the relay is down"); err != nil {
			t.Fatal(err)
		}
		if err := s.TestExec(ctx, "UPDATE queue_notes SET at = ? WHERE name = 'node/gone'", instant(s, -40*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.TidyQueue(ctx, later); err != nil {
			t.Fatal(err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || len(st.Refused) != 0 || len(st.Nodes) != 1 || st.Nodes[0].Name != "new" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// TestTidyOfRetries: a restart goes on with the tries of old mail, however many days
// they take; an old copy of the database sends none of it by itself.
func TestTidyOfRetries(t *testing.T) {
	const age = 48 * time.Hour
	for _, c := range []struct {
		name               string
		made, worked, next time.Duration // ago; 0 worked: it was never noted
		held               bool
	}{
		{"a restart", 60 * time.Hour, 5 * time.Minute, -time.Hour, false},
		{"a restart, it is due", 60 * time.Hour, 5 * time.Minute, 10 * time.Minute, false},
		{"a restart, it waits for its turn", 60 * time.Hour, 5 * time.Minute, 20 * time.Hour, false},
		{"an upgrade", 60 * time.Hour, 3 * time.Hour, 2 * time.Hour, false},
		{"the first upgrade", 60 * time.Hour, 0, 2 * time.Hour, false},
		{"a copy of two days ago", 60 * time.Hour, 46 * time.Hour, 46 * time.Hour, true},
		{"one of that time that knew no notes", 60 * time.Hour, 0, 46 * time.Hour, true},
		{"a copy of last night", 60 * time.Hour, 10 * time.Hour, 9 * time.Hour, true},
		{"the same, tried later", 60 * time.Hour, 5 * time.Hour, -time.Minute, true},
		{"a copy of last night, younger mail", 40 * time.Hour, 10 * time.Hour, 9 * time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			stores.Each(t, func(t *testing.T, s *store.Store) {
				ctx := context.Background()
				real := s.Now
				s.Now = func() time.Time { return real().Add(-c.made) }
				_, d := queueRig(t, s, 3)
				s.Now = real
				chunk, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 10)
				if err != nil {
					t.Fatal(err)
				}
				rows := outcomes(d, model.DeliveryRetry, 3, personIDs(subs)...)
				for i := range rows {
					rows[i].NextAt = instant(s, -c.next)
				}
				if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{*chunk}); err != nil {
					t.Fatal(err)
				}
				if c.worked > 0 {
					if err := s.NoteAtWork(ctx, "a"); err != nil {
						t.Fatal(err)
					}
					if err := s.TestExec(ctx, "UPDATE queue_notes SET at = ? WHERE name = 'at-work'", instant(s, -c.worked)); err != nil {
						t.Fatal(err)
					}
				}
				for _, want := range []bool{c.held, false} { // a second start changes nothing
					held, err := s.TidyQueue(ctx, instant(s, -age))
					if err != nil || len(held) > 0 != want {
						t.Errorf("held %v, %v", held, err)
					}
				}
			})
		})
	}
}

// TestTidyWithAWrongClock: a machine whose clock is behind when it starts, and is put
// right then, holds nothing; a note from far ahead says nothing. Where the database has
// a clock of its own, that of the machine says nothing either.
func TestTidyWithAWrongClock(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx, real := context.Background(), s.Now
		at := func(ago time.Duration) { s.Now = func() time.Time { return real().Add(-ago) } }
		at(60 * time.Hour)
		_, d := queueRig(t, s, 3)
		at(0)
		chunk, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 10)
		if err != nil {
			t.Fatal(err)
		}
		rows := outcomes(d, model.DeliveryRetry, 3, personIDs(subs)...)
		for i := range rows {
			rows[i].NextAt = instant(s, time.Hour)
		}
		if err := s.RecordDeliveries(ctx, nil, rows, []model.Chunk{*chunk}); err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct {
			ago  time.Duration
			held bool
		}{{0, false}, {5 * time.Hour, false}, {0, false}, {-100 * time.Hour, strings.HasPrefix(s.DSN(), "sqlite:")}} {
			at(step.ago)
			held, err := s.TidyQueue(ctx, model.At(s.Clock().Add(-48*time.Hour)))
			if err != nil || len(held) > 0 != step.held {
				t.Errorf("step %d: held %v, %v", i, held, err)
			}
		}
		at(0) // the note is 100 hours ahead
		if err := s.NoteAtWork(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.TidyQueue(ctx, model.At(s.Clock().Add(-48*time.Hour))); err != nil {
			t.Error(err)
		}
	})
}
