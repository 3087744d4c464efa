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
