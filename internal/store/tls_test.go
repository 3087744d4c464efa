package store_test

import (
	"context"
	"reflect"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestTLSKept: policies over restarts, counts added up by day and domain.
func TestTLSKept(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if p, err := s.FindSTSPolicy(ctx, "a.example"); p != nil || err != nil {
			t.Fatalf("%+v, %v", p, err)
		}
		p := &model.STSPolicy{Domain: "a.example", PolicyID: "1", Mode: "testing", MaxAge: 60, Fetched: 5}
		for _, mode := range []string{"testing", "enforce"} {
			p.Mode = mode
			p.SetPatterns([]string{"mx.a.example", "*.b.example"})
			if err := s.SaveSTSPolicy(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := s.FindSTSPolicy(ctx, "a.example"); err != nil || !reflect.DeepEqual(have, p) || len(have.Patterns()) != 2 {
			t.Errorf("%+v, %v", have, err)
		}
		day := s.Now().UTC().Format("2006-01-02")
		a := model.TLSCount{Day: day, Domain: "a.example", Policy: "sts", MXHost: "mx.a.example", Sessions: 3}
		b := model.TLSCount{Day: day, Domain: "a.example", Policy: "sts", MXHost: "mx.a.example", IP: "192.0.2.1", Result: "certificate-expired", Sessions: 1}
		old := model.TLSCount{Day: "2001-01-01", Domain: "a.example", Sessions: 1}
		for range 2 {
			if err := s.AddTLSCounts(ctx, []model.TLSCount{old, a, b}); err != nil {
				t.Fatal(err)
			}
		}
		a.Sessions, b.Sessions = 6, 2
		if rows, err := s.TLSCounts(ctx, day); err != nil || !reflect.DeepEqual(rows, []model.TLSCount{a, b}) {
			t.Errorf("%+v, %v", rows, err)
		}
		if rows, err := s.TLSCounts(ctx, "2001-01-01"); err != nil || len(rows) != 0 {
			t.Errorf("%+v are kept, %v", rows, err)
		}
	})
}

// TestTLSReports: a report is noted once, with its letters or not at all.
func TestTLSReports(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		day := s.Now().UTC().Format("2006-01-02")
		var counts []model.TLSCount
		for _, d := range []string{"a.example", "b.example", "c.example"} {
			counts = append(counts, model.TLSCount{Day: day, Domain: d, Policy: "sts", MXHost: "mx1", Sessions: 1}, model.TLSCount{Day: day, Domain: d, Policy: "sts", MXHost: "mx2", Sessions: 1})
		}
		if err := s.AddTLSCounts(ctx, counts); err != nil {
			t.Fatal(err)
		}
		unreported := func(after string, limit int, want ...string) {
			t.Helper()
			if have, err := s.UnreportedTLS(ctx, day, after, limit); err != nil || len(have)+len(want) > 0 && !reflect.DeepEqual(have, want) {
				t.Errorf("%v want a report, not %v: %v", have, want, err)
			}
		}
		unreported("", 2, "a.example", "b.example")
		unreported("b.example", 2, "c.example")
		letter := store.ReportLetter{Distribution: model.Distribution{Lane: model.LaneLetters, Recipient: "tls@b.example"}, Data: []byte("Subject: x\r\n\r\nx\r\n")}
		for i := range 2 {
			fresh, err := s.SaveTLSReport(ctx, model.TLSReport{Day: day, Domain: "b.example", SentTo: "mailto:tls@b.example", At: 1}, []store.ReportLetter{letter})
			if err != nil || fresh != (i == 0) {
				t.Errorf("%d: %v, %v", i, fresh, err)
			}
		}
		if st, err := s.QueueStatus(ctx, 0); err != nil || st.Active != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		unreported("", 9, "a.example", "c.example")
		for range 2 {
			if err := s.SkipTLSReports(ctx, day, []string{"a.example", "b.example"}); err != nil {
				t.Fatal(err)
			}
		}
		unreported("", 9, "c.example")
		if rows, err := s.TLSCountsOf(ctx, day, "c.example"); err != nil || len(rows) != 2 {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}
