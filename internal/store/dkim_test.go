package store_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestDKIMKeys(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		now := time.Unix(1_700_000_000, 0)
		s.Now = func() time.Time { return now }
		b := &model.DKIMKey{Domain: "b.example", Selector: "s1", Record: "v=DKIM1; p=b", Private: []byte{0, 1, 255}}
		one := &model.DKIMKey{Domain: "a.example", Selector: "s1", Record: "v=DKIM1; p=1", Private: []byte{1}, ActiveAt: 5}
		two := &model.DKIMKey{Domain: "a.example", Selector: "s1e", Algorithm: model.DKIMEd25519, Private: []byte{2}}
		if err := s.SaveDKIMKeys(ctx, b); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveDKIMKeys(ctx, one, two); err != nil || one.ID == 0 || one.CreatedAt != model.At(now) {
			t.Fatal(one, err)
		}
		fresh := &model.DKIMKey{Domain: "a.example", Selector: "s2", Private: []byte{3}}
		again := &model.DKIMKey{Domain: "a.example", Selector: "s1", Private: []byte{4}}
		wantKind(t, s.SaveDKIMKeys(ctx, fresh, again), fault.Conflict)
		if err := s.ActivateDKIMKey(ctx, two.ID, 7); err != nil {
			t.Fatal(err)
		}
		two.ActiveAt = 7
		all, err := s.DKIMKeys(ctx)
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		for i, want := range []*model.DKIMKey{one, two, b} {
			got := all[i]
			if !bytes.Equal(got.Private, want.Private) {
				t.Errorf("key %d: the octets became %x", i, got.Private)
			}
			got.Private = want.Private
			if got.ID != want.ID || got.Domain != want.Domain || got.Selector != want.Selector || got.Algorithm != want.Algorithm ||
				got.Record != want.Record || got.CreatedAt != want.CreatedAt || got.ActiveAt != want.ActiveAt {
				t.Errorf("key %d: %+v, want %+v", i, got, *want)
			}
		}
		if err := s.RemoveDKIMKey(ctx, one.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.RemoveDKIMKey(ctx, one.ID), fault.NotFound)
		wantKind(t, s.ActivateDKIMKey(ctx, one.ID, 9), fault.NotFound)
		if all, err = s.DKIMKeys(ctx); err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
	})
}
