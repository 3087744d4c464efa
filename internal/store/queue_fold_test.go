package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// decide writes a fate for everybody in a leased range, as a real site answers:
// most taken, each with a number of its own, some refused, some skipped. late
// says that the lease was lost, so that nothing of the range is in a pack.
func decide(t testing.TB, s *store.Store, c *model.Chunk, ids []int64, late bool) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(ids[0]))) //nolint:gosec // a test
	at := model.At(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	out := model.RangeOutcomes{Chunk: *c, Lost: late}
	write := func() {
		if err := s.RecordDeliveries(context.Background(), []model.RangeOutcomes{out}, nil, nil); err != nil {
			t.Fatal(err)
		}
		out.Sent, out.Rows = nil, nil
	}
	for i, k := range random.Perm(len(ids)) { // as many connections answer
		at = at.Add(time.Duration(random.IntN(40_000)) * time.Microsecond)
		sent := model.SentCopy{RecipientID: ids[k], Code: 250, Reply: fmt.Sprintf("2.0.0 Ok: queued as %X", random.Uint64()>>20), At: at}
		r := sent.Delivery(c.DistributionID)
		switch k := random.IntN(200); {
		case k < 2:
			r.State, r.Code, r.Reply = model.DeliveryFailed, 550, fmt.Sprintf("5.1.1 <s%d@example.net> no such person", i)
			out.Rows = append(out.Rows, r)
		case k < 12:
			r.State, r.Attempts, r.Code, r.Reply = model.DeliverySkipped, 0, 0, []string{"left the list", "delivery is off"}[k%2]
			out.Rows = append(out.Rows, r)
		case k < 16:
			r.Attempts = 2 + k%3
			out.Rows = append(out.Rows, r)
		default:
			out.Sent = append(out.Sent, sent)
		}
		if i%250 == 249 {
			write()
		}
	}
	write()
}

// allKnown is what readers can learn of a distribution's deliveries.
type allKnown struct {
	Entry   *store.QueueEntry
	All     []model.Delivery
	Traced  []store.TracedDelivery
	To      []model.Delivery
	Reasons []store.SkipReason
}

func readAllKnown(t testing.TB, s *store.Store, d *model.Distribution, ids []int64) allKnown {
	t.Helper()
	ctx := context.Background()
	var e allKnown
	var errs [5]error
	e.Entry, errs[0] = s.QueueEntryOf(ctx, d.ID)
	last := int64(-1)
	for {
		rows, err := s.DeliveriesOf(ctx, d.ID, last, 700)
		if errs[1] = err; len(rows) == 0 {
			break
		}
		e.All = append(e.All, rows...)
		last = rows[len(rows)-1].RecipientID
	}
	e.Traced, errs[2] = s.TracedDeliveries(ctx, d.ID, 300)
	e.To, errs[3] = s.DeliveriesTo(ctx, []int64{d.ID, d.ID + 1}, []int64{ids[0], ids[len(ids)/2], ids[len(ids)-1]})
	e.Reasons, errs[4] = s.SkipReasons(ctx, d.ID)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(e.To, func(a, b model.Delivery) int { return int(a.RecipientID - b.RecipientID) })
	return e
}

// coarse does to deliveries what folding may do to them.
func coarse(rows []model.Delivery) []model.Delivery {
	out := slices.Clone(rows)
	for i := range out {
		out[i].At -= out[i].At % 1_000_000
		if out[i].State == model.DeliverySent {
			out[i].Reply = "2.0.0"
		}
	}
	return out
}

func TestFoldedDeliveriesReadTheSame(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		d := foldRig(t, s, 4500)
		ids := finish(t, s, d)
		letter := &model.Distribution{Lane: model.LaneReply, Recipient: "a@example.net"}
		if err := s.SaveLetter(ctx, letter, []byte("Subject: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if n, _ := s.CountRows(ctx, "delivery_packs"); n == 0 {
			t.Fatal("nothing stands in packs")
		}
		before := readAllKnown(t, s, d, ids)
		if n, err := s.FoldDeliveries(ctx, time.Now().Add(-time.Hour)); n != 0 || err != nil {
			t.Fatalf("%d were folded before their time, %v", n, err)
		}
		if n, err := s.FoldDeliveries(ctx, time.Now().Add(time.Hour)); n != 4500 || err != nil {
			t.Fatalf("%d were folded, %v", n, err)
		}
		for _, table := range []string{"deliveries", "delivery_packs"} {
			if n, _ := s.CountRows(ctx, table); n != 0 {
				t.Errorf("%d of %s are left", n, table)
			}
		}
		if n, _ := s.CountRows(ctx, "delivery_folds"); n > 7 {
			t.Errorf("%d folds", n)
		}
		after := readAllKnown(t, s, d, ids)
		for what, pair := range map[string][2]any{
			"counts":         {before.Entry, after.Entry},
			"all deliveries": {coarse(before.All), after.All},
			"three people":   {coarse(before.To), after.To},
			"skip reasons":   {before.Reasons, after.Reasons},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s were\n%.600v\nand are\n%.600v", what, pair[0], pair[1])
			}
		}
		if len(after.Traced) != 300 || len(before.Traced) != 300 {
			t.Fatalf("%d and %d rows are traced", len(before.Traced), len(after.Traced))
		}
		troubled := 0
		for i := range before.Traced { // within one second the order may differ
			b, a := before.Traced[i], after.Traced[i]
			if b.At.Time().Unix() != a.At.Time().Unix() || (b.State == model.DeliverySent) != (a.State == model.DeliverySent) || a.Email == "" {
				t.Fatalf("row %d was %+v and is %+v", i, b, a)
			}
			if a.State != model.DeliverySent {
				troubled++
			}
		}
		if troubled < 100 {
			t.Errorf("%d rows tell of trouble", troubled)
		}
		if n, err := s.FoldDeliveries(ctx, time.Now().Add(time.Hour)); n != 0 || err != nil {
			t.Errorf("%d were folded again, %v", n, err)
		}
	})
}

// TestFoldGoesOnAfterACrash: what a kill leaves half folded reads as before, and
// is folded to its end the next time.
func TestFoldGoesOnAfterACrash(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		d := foldRig(t, s, 8500)
		ids := finish(t, s, d)
		want := coarse(readAllKnown(t, s, d, ids).All)
		random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)) //nolint:gosec // moments of a test
		steps := 0
		for ; ; steps++ {
			ctx, cancel := context.WithCancel(context.Background())
			if steps < 200 { // the end comes at a random moment
				time.AfterFunc(time.Duration(random.IntN(12_000))*time.Microsecond, cancel)
			}
			_, err := s.FoldDeliveries(ctx, time.Now().Add(time.Hour))
			cancel()
			got := readAllKnown(t, s, d, ids)
			if !reflect.DeepEqual(coarse(got.All), want) || got.Entry.Sent+got.Entry.Failed+got.Entry.Skipped != 8500 {
				t.Fatalf("after step %d: %d deliveries, %+v", steps, len(got.All), got.Entry)
			}
			if err == nil {
				break
			}
		}
		t.Logf("ended in the middle %d times", steps)
		if n, _ := s.CountRows(context.Background(), "deliveries"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// foldRig is a list of n people and a post to them.
func foldRig(t testing.TB, s *store.Store, n int) *model.Distribution {
	t.Helper()
	ctx := context.Background()
	l := model.List{Local: "talk", Domain: "example.org"}
	if err := s.CreateList(ctx, &l); err != nil {
		t.Fatal(err)
	}
	subs := make([]model.Subscriber, n)
	for i := range subs {
		email := fmt.Sprintf("s%d@example.net", i)
		subs[i] = model.Subscriber{ListID: l.ID, Email: email, EmailKey: email, Roles: model.RoleSubscriber}
	}
	for part := range slices.Chunk(subs, 10_000) {
		if _, _, err := s.SubscribeAll(ctx, l.ID, part, model.Event{Kind: "member.added"}); err != nil {
			t.Fatal(err)
		}
	}
	return queuePost(t, s, l.ID, 1, model.At(s.Now()))
}

// finish takes a distribution to its end and gives its recipients.
func finish(t testing.TB, s *store.Store, d *model.Distribution) (ids []int64) {
	t.Helper()
	ctx := context.Background()
	for n := 0; ; n++ {
		c, subs, err := s.LeaseRange(ctx, d, model.Chunk{Owner: "a", LeaseUntil: model.At(time.Now().Add(time.Hour))}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			break
		}
		var part []int64
		for i := range subs {
			part = append(part, subs[i].ID)
		}
		ids = append(ids, part...)
		decide(t, s, c, part, n%3 == 1)
		if err := s.RecordDeliveries(ctx, nil, nil, []model.Chunk{*c}); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := s.QueueEntryOf(ctx, d.ID); err != nil || e.DoneAt == 0 {
		t.Fatalf("it is not done: %+v, %v", e, err)
	}
	return ids
}

// BenchmarkFold prints what the records of a distribution of
// PLENARY_BENCH_RECIPIENTS people (50,000) weigh before and after, and how long
// each transaction of folding takes.
func BenchmarkFold(b *testing.B) {
	n := 50_000
	if v, err := strconv.Atoi(os.Getenv("PLENARY_BENCH_RECIPIENTS")); err == nil {
		n = v
	}
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": stores.SQLite, "postgres": stores.Postgres} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				s := open(b)
				d := foldRig(b, s, n)
				finish(b, s, d)
				ctx := context.Background()
				rows, err := s.TableBytes(ctx, "deliveries")
				if err != nil {
					b.Fatal(err)
				}
				packs, err := s.TableBytes(ctx, "delivery_packs")
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				start := time.Now()
				if k, err := s.FoldDeliveries(ctx, time.Now().Add(time.Hour)); err != nil || k != int64(n) {
					b.Fatal(k, err)
				}
				took := time.Since(start)
				b.StopTimer()
				after, err := s.TableBytes(ctx, "delivery_folds")
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(rows+packs)/float64(n), "octets/unfolded")
				b.ReportMetric(float64(after)/float64(n), "octets/folded")
				b.ReportMetric(took.Seconds()*1000/float64((n+999)/1000), "ms/transaction")
			}
		})
	}
}
