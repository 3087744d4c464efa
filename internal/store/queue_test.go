package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// queueRig is a list with n subscribers s1@... and one distribution to them,
// made the way posts make it.
func queueRig(t *testing.T, s *store.Store, n int) (model.List, *model.Distribution) {
	t.Helper()
	ctx := context.Background()
	l := model.List{Local: "talk", Domain: "example.org"}
	if err := s.CreateList(ctx, &l); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		sub := model.Subscriber{ListID: l.ID, Email: fmt.Sprintf("S%d@example.net", i), EmailKey: fmt.Sprintf("s%d@example.net", i), Roles: model.RoleSubscriber}
		if i%2 == 0 {
			sub.Email, sub.EmailKey = fmt.Sprintf("S%d@example.com", i), fmt.Sprintf("s%d@example.com", i)
		}
		if _, err := s.Subscribe(ctx, &sub); err != nil {
			t.Fatal(err)
		}
	}
	return l, queuePost(t, s, l.ID, 1, model.At(s.Now()))
}

func queuePost(t testing.TB, s *store.Store, list int64, n int, at model.Instant) *model.Distribution {
	t.Helper()
	d := &model.Distribution{ListID: list, Kind: model.DistributePost, Lane: model.LanePost, Options: "{}", CreatedAt: at}
	id, _, err := s.SavePost(context.Background(), &model.NewPost{
		Post:   model.Post{ReceivedAt: at, SentAt: at, Author: "Ada", AuthorKey: "ada@example.com", Subject: "s", BodyStructure: []byte("x")},
		ListID: list, Bytes: fmt.Appendf(nil, "Subject: %d\r\n\r\nx\r\n", n), Envelope: []byte("()"), Header: []byte("Subject: s\r\n"),
		Self: model.Reference{Key: int64(n), MessageID: fmt.Sprint(n)}, MessageKey: fmt.Append(nil, n), Distribution: d,
	})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := s.ActiveDistributions(context.Background(), model.LanePost, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ds {
		if ds[i].PostID == id {
			return &ds[i]
		}
	}
	t.Fatal("the post has no distribution")
	return nil
}

func instant(s *store.Store, d time.Duration) model.Instant { return model.At(s.Now().Add(d)) }

func outcomes(d *model.Distribution, state model.DeliveryState, attempts int, ids ...int64) []model.Delivery {
	var out []model.Delivery
	for _, id := range ids {
		out = append(out, model.Delivery{DistributionID: d.ID, RecipientID: id, State: state, Attempts: attempts, Code: 250, Reply: "ok", At: 5, NextAt: 0})
	}
	return out
}

func personIDs(subs []model.Subscriber) []int64 {
	var out []int64
	for _, s := range subs {
		out = append(out, s.ID)
	}
	return out
}

func TestQueueLease(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, d := queueRig(t, s, 25)
		again := *d
		lease := model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}
		// Somebody joins after the post, somebody leaves.
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "late@example.net", EmailKey: "late@example.net", Roles: model.RoleSubscriber}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Unsubscribe(ctx, l.ID, "s3@example.net", "left"); err != nil {
			t.Fatal(err)
		}
		c, first, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || c == nil || len(first) != 10 || d.Cursor != first[9].ID || d.State != model.DistributionActive {
			t.Fatalf("%+v, %d people, %+v, %v", c, len(first), d, err)
		}
		if first[2].EndedSeq == 0 || first[0].EndedSeq != 0 || first[0].Email != "S1@example.net" {
			t.Errorf("the range is %+v", first[:3])
		}
		// Another node with the old cursor gets nothing.
		if c, _, err := s.LeaseRange(ctx, &again, lease, 10); c != nil || err != nil {
			t.Errorf("the same range was leased twice: %+v, %v", c, err)
		}
		_, second, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || len(second) != 10 || second[0].ID <= first[9].ID {
			t.Fatalf("%v, %v", personIDs(second), err)
		}
		last, third, err := s.LeaseRange(ctx, d, lease, 10)
		if err != nil || len(third) != 5 || d.State != model.DistributionDone {
			t.Fatalf("%v, %+v, %v", personIDs(third), d, err)
		}
		if c, _, err := s.LeaseRange(ctx, d, lease, 10); c != nil || err != nil {
			t.Errorf("more was leased: %+v, %v", c, err)
		}
		// The end of the last range does not end the distribution.
		if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliverySent, 1, personIDs(third)...), []model.Chunk{*last}); err != nil {
			t.Fatal(err)
		}
		e, err := s.QueueEntryOf(ctx, d.ID)
		if err != nil || e.DoneAt != 0 || e.Sent != 5 || e.Audience != 25 {
			t.Errorf("%+v, %v", e, err)
		}
		// Time passes: another node takes over what is left of a range.
		if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliverySent, 1, personIDs(first)[:4]...), nil); err != nil {
			t.Fatal(err)
		}
		other := model.Chunk{Owner: "b", LeaseUntil: instant(s, 3*time.Hour)}
		if _, c, _, err := s.TakeOver(ctx, model.LanePost, other, instant(s, 0)); c != nil || err != nil {
			t.Errorf("a range with a lease was taken: %+v, %v", c, err)
		}
		dd, taken, rest, err := s.TakeOver(ctx, model.LanePost, other, instant(s, 2*time.Minute))
		if err != nil || taken == nil || dd.ID != d.ID || len(rest) != 6 || rest[0].ID != first[4].ID {
			t.Fatalf("%+v, %v, %v", taken, personIDs(rest), err)
		}
		lost, err := s.RenewChunks(ctx, "a", instant(s, time.Hour), []model.Chunk{*c, {DistributionID: d.ID, FirstID: second[0].ID}})
		if err != nil || len(lost) == 0 || lost[0].FirstID != c.FirstID {
			t.Errorf("lost %+v, %v", lost, err)
		}
		// Node b is started anew: what it held is free, and it knows how much that was.
		ranges, copies, err := s.Reclaim(ctx, "b")
		if err != nil || ranges != 1 || copies != 6 {
			t.Errorf("%d ranges, %d copies, %v", ranges, copies, err)
		}
		seen := 0
		for {
			_, c, rest, err := s.TakeOver(ctx, model.LanePost, other, instant(s, 2*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if c == nil {
				break
			}
			seen += len(rest)
			if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliverySent, 1, personIDs(rest)...), []model.Chunk{*c}); err != nil {
				t.Fatal(err)
			}
		}
		e, err = s.QueueEntryOf(ctx, d.ID)
		if err != nil || seen != 16 || e.DoneAt == 0 || e.Sent != 25 {
			t.Errorf("%d taken over, %+v, %v", seen, e, err)
		}
	})
}

// TestQueueRecordKeepsDecisions: a copy that two nodes sent stays as decided
// first; a temporary failure gives way.
func TestQueueRecordKeepsDecisions(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 3)
		record := func(state model.DeliveryState, attempts int, reply string) {
			t.Helper()
			r := outcomes(d, state, attempts, 1)
			r[0].Reply = reply
			if err := s.RecordDeliveries(ctx, nil, r, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			state model.DeliveryState
			reply string
			want  string
		}{
			{model.DeliveryRetry, "later", "later"}, {model.DeliveryRetry, "still later", "still later"},
			{model.DeliverySent, "taken", "taken"}, {model.DeliveryFailed, "no", "taken"}, {model.DeliveryRetry, "later", "taken"},
		} {
			record(step.state, 2, step.reply)
			got, err := s.DeliveriesOf(ctx, d.ID, -1, 10)
			if err != nil || len(got) != 1 || got[0].Reply != step.want {
				t.Fatalf("after %q: %+v, %v", step.reply, got, err)
			}
		}
	})
}

// TestQueueRecordMany: sizes around those of the statements, in any order.
func TestQueueRecordMany(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 1)
		next := int64(0)
		for _, n := range []int{0, 1, 31, 32, 33, 64, 100, 512} {
			var ids []int64
			for range n {
				next++
				ids = append([]int64{next}, ids...)
			}
			if err := s.RecordDeliveries(ctx, nil, outcomes(d, model.DeliverySent, 1, ids...), nil); err != nil {
				t.Fatal(err)
			}
			got, err := s.DeliveriesOf(ctx, d.ID, -1, 10_000)
			if err != nil || int64(len(got)) != next {
				t.Fatalf("%d rows, want %d, %v", len(got), next, err)
			}
		}
	})
}

func TestQueueRetries(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 40)
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}, 100)
		if err != nil {
			t.Fatal(err)
		}
		waiting := outcomes(d, model.DeliveryRetry, 1, personIDs(subs)...)
		now := instant(s, 0)
		for i := range waiting {
			waiting[i].NextAt = now.Add(time.Duration(i-10) * time.Second) // 11 are due
		}
		if err := s.RecordDeliveries(ctx, nil, waiting, []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
		if e, err := s.QueueEntryOf(ctx, d.ID); err != nil || e.DoneAt != 0 || e.Retry != 40 {
			t.Errorf("%+v, %v", e, err)
		}
		due, err := s.RetryDistributions(ctx, model.LanePost, now, 0, 10)
		if err != nil || len(due) != 1 {
			t.Fatalf("%v, %v", due, err)
		}
		if due, err := s.RetryDistributions(ctx, model.LaneNotice, now, 0, 10); err != nil || len(due) != 0 {
			t.Errorf("in another lane: %v, %v", due, err)
		}
		lease := model.Chunk{DistributionID: d.ID, Owner: "a", LeaseUntil: instant(s, time.Minute)}
		mine, people, err := s.ClaimRetries(ctx, lease, now, 5)
		if err != nil || len(mine) != 5 || len(people) != 5 || mine[0].Attempts != 1 {
			t.Fatalf("%v, %d people, %v", mine, len(people), err)
		}
		lease.Owner = "b"
		theirs, _, err := s.ClaimRetries(ctx, lease, now, 100)
		if err != nil || len(theirs) != 6 {
			t.Fatalf("%d claimed by the second, %v", len(theirs), err)
		}
		if more, _, err := s.ClaimRetries(ctx, lease, now, 100); err != nil || len(more) != 0 {
			t.Errorf("%d claimed twice, %v", len(more), err)
		}
		// The claims of a dead node run out; those of one that starts anew at once.
		if more, _, err := s.ClaimRetries(ctx, lease, instant(s, 2*time.Minute), 100); err != nil || len(more) != 40 {
			t.Errorf("%d claimed when the claims had run out, %v", len(more), err)
		}
		if _, copies, err := s.Reclaim(ctx, "b"); err != nil || copies != 40 {
			t.Errorf("%d reclaimed, %v", copies, err)
		}
		// By hand, now.
		if n, err := s.RetryNow(ctx, store.QueueScope{Destination: "example.com"}); err != nil || n == 0 || n > 20 {
			t.Errorf("%d of example.com are due now, %v", n, err)
		}
		if n, err := s.RetryNow(ctx, store.QueueScope{}); err != nil || n == 0 {
			t.Errorf("%d are due now, %v", n, err)
		}
		all, _, err := s.ClaimRetries(ctx, lease, instant(s, time.Second), 100)
		if err != nil || len(all) != 40 {
			t.Fatalf("%d claimed, %v", len(all), err)
		}
		var ids []int64
		for _, r := range all {
			ids = append(ids, r.RecipientID)
		}
		if err := s.RecordDeliveries(ctx, nil, again("b", outcomes(d, model.DeliverySent, 2, ids...)), nil); err != nil {
			t.Fatal(err)
		}
		if e, err := s.QueueEntryOf(ctx, d.ID); err != nil || e.DoneAt == 0 || e.Sent != 40 {
			t.Errorf("%+v, %v", e, err)
		}
		if _, copies, err := s.Reclaim(ctx, "b"); err != nil || copies != 0 {
			t.Errorf("%d claims are left, %v", copies, err)
		}
	})
}

// TestQueueLeasesAtOnce: many nodes lease and end ranges at the same time;
// everybody is leased once, and the distribution ends.
func TestQueueLeasesAtOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		_, d := queueRig(t, s, 60)
		var mu sync.Mutex
		seen := map[int64]int{}
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				owner := fmt.Sprint("node", n)
				for {
					mine, err := s.GetDistribution(ctx, d.ID)
					if err != nil || mine.State != model.DistributionActive {
						return
					}
					c, subs, err := s.LeaseRange(ctx, mine, model.Chunk{Owner: owner, LeaseUntil: instant(s, time.Minute)}, 3)
					if err != nil {
						t.Error(err)
						return
					}
					if c == nil {
						continue
					}
					mu.Lock()
					for _, sub := range subs {
						seen[sub.ID]++
					}
					mu.Unlock()
					if err := s.RecordDeliveries(ctx, nil, outcomes(mine, model.DeliverySent, 1, personIDs(subs)...), []model.Chunk{*c}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("subscriber %d was leased %d times", id, n)
			}
		}
		e, err := s.QueueEntryOf(ctx, d.ID)
		if err != nil || len(seen) != 60 || e.Sent != 60 || e.DoneAt == 0 {
			t.Errorf("%d people, %+v, %v", len(seen), e, err)
		}
	})
}

func TestQueueLetters(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		wake, cancel := s.WatchQueue()
		defer cancel()
		for i := range 5 {
			if err := s.SaveLetter(ctx, &model.Distribution{Lane: model.LaneReply, Recipient: fmt.Sprintf("w%d@example.net", i)}, []byte("Subject: x\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Error("a letter wakes nobody")
		}
		lease := model.Chunk{Owner: "a", LeaseUntil: instant(s, time.Minute)}
		three, err := s.LeaseLetters(ctx, model.LaneReply, lease, 3)
		if err != nil || len(three) != 3 || three[0].Recipient != "w0@example.net" || three[2].Recipient != "w2@example.net" {
			t.Fatalf("%+v, %v", three, err)
		}
		two, err := s.LeaseLetters(ctx, model.LaneReply, lease, 3)
		if err != nil || len(two) != 2 {
			t.Fatalf("%+v, %v", two, err)
		}
		if data, err := s.Bytes(ctx, two[0].BytesID); err != nil || string(data) != "Subject: x\r\n\r\n" {
			t.Errorf("%q, %v", data, err)
		}
		// One is sent, one waits, the others are taken over after a crash.
		sent, waits := three[0], three[1]
		if err := s.RecordDeliveries(ctx, nil, outcomes(&sent, model.DeliverySent, 1, 0), []model.Chunk{{DistributionID: sent.ID}}); err != nil {
			t.Fatal(err)
		}
		later := outcomes(&waits, model.DeliveryRetry, 1, 0)
		later[0].NextAt = instant(s, time.Hour)
		if err := s.RecordDeliveries(ctx, nil, later, []model.Chunk{{DistributionID: waits.ID}}); err != nil {
			t.Fatal(err)
		}
		if ranges, copies, err := s.Reclaim(ctx, "a"); err != nil || ranges != 3 || copies != 3 {
			t.Errorf("%d ranges, %d copies, %v", ranges, copies, err)
		}
		for range 3 {
			d, c, subs, err := s.TakeOver(ctx, model.LaneReply, lease, instant(s, 0))
			if err != nil || c == nil || d.Kind != model.DistributeLetter || len(subs) != 0 {
				t.Fatalf("%+v %+v %v %v", d, c, subs, err)
			}
		}
		st, err := s.QueueStatus(ctx, 10)
		if err != nil || st.Waiting != 4 || st.Retries != 1 || st.Leased != 3 || len(st.Entries) != 4 || st.Oldest == 0 {
			t.Errorf("%+v, %v", st, err)
		}
		// Cancelling the one that waits leaves a trace.
		if err := s.CancelDistribution(ctx, waits.ID, "test"); err != nil {
			t.Fatal(err)
		}
		if err := s.CancelDistribution(ctx, waits.ID, "test"); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancelled twice: %v", err)
		}
		if got, err := s.DeliveriesOf(ctx, waits.ID, -1, 1); err != nil || got[0].State != model.DeliverySkipped || got[0].Reply != "cancelled by test" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestQueuePauses(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, d := queueRig(t, s, 3)
		active := func() int {
			t.Helper()
			ds, err := s.ActiveDistributions(ctx, model.LanePost, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			halted, err := s.Halted(ctx, []int64{d.ID})
			if err != nil || (len(halted) == 0) != (len(ds) == 1) {
				t.Errorf("%d active, halted %v, %v", len(ds), halted, err)
			}
			return len(ds)
		}
		for _, q := range []store.QueueScope{{}, {ListID: l.ID}, {DistributionID: d.ID}} {
			if active() != 1 {
				t.Fatal("it is not active")
			}
			if err := s.PauseQueue(ctx, q, "ada"); err != nil {
				t.Fatal(err)
			}
			if active() != 0 {
				t.Errorf("%+v is not paused", q)
			}
			st, err := s.QueueStatus(ctx, 10)
			if err != nil || (st.Paused == "ada") != (q == store.QueueScope{}) || (len(st.PausedLists) == 1) != (q.ListID != 0) || (st.Held == 1) != (q.DistributionID != 0) {
				t.Errorf("%+v: %+v, %v", q, st, err)
			}
			if n, err := s.ResumeQueue(ctx, q, "ada"); err != nil || (n == 1) != (q.DistributionID != 0) {
				t.Errorf("%d resumed, %v", n, err)
			}
		}
		if err := s.PauseQueue(ctx, store.QueueScope{DistributionID: 999}, "ada"); !fault.Is(err, fault.Conflict) {
			t.Errorf("pausing what is not there: %v", err)
		}
		// Resuming everything does not resume what was paused by itself.
		if err := s.PauseDistribution(ctx, d.ID, "cannot be composed"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ResumeQueue(ctx, store.QueueScope{}, "ada"); err != nil || active() != 0 {
			t.Errorf("it was resumed with everything, %v", err)
		}
	})
}

func TestQueueTidy(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l, old := queueRig(t, s, 3)
		fresh := queuePost(t, s, l.ID, 2, instant(s, time.Hour))
		held, err := s.TidyQueue(ctx, instant(s, time.Minute))
		if err != nil || len(held) != 1 || held[0] != old.ID {
			t.Fatalf("held %v, %v", held, err)
		}
		if n, err := s.ResumeQueue(ctx, store.QueueScope{ListID: l.ID}, "ada"); err != nil || n != 1 {
			t.Errorf("%d resumed, %v", n, err)
		}
		if held, err := s.TidyQueue(ctx, instant(s, time.Minute)); err != nil || len(held) != 0 {
			t.Errorf("held again: %v, %v", held, err)
		}
		ds, err := s.ActiveDistributions(ctx, model.LanePost, 0, 10)
		if err != nil || len(ds) != 2 || ds[1].ID != fresh.ID {
			t.Errorf("%+v, %v", ds, err)
		}
	})
}

func TestCaught(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for i := range 5 {
			if err := s.SaveCaught(ctx, "from@example.org", fmt.Sprintf("w%d@example.net", i%2), fmt.Appendf(nil, "letter %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		all, err := s.Caughts(ctx, "", 0, 10)
		if err != nil || len(all) != 5 || all[0].Data != nil {
			t.Fatalf("%+v, %v", all, err)
		}
		some, err := s.Caughts(ctx, "w1@example.net", all[1].ID, 10)
		if err != nil || len(some) != 1 {
			t.Fatalf("%+v, %v", some, err)
		}
		one, err := s.GetCaught(ctx, some[0].ID)
		if err != nil || string(one.Data) != "letter 3" || one.At == 0 {
			t.Errorf("%+v, %v", one, err)
		}
		if _, err := s.GetCaught(ctx, 999); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
	})
}
