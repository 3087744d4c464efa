package store_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestUIDValidityIsNeverGivenAgain makes and removes lists within a second: the
// short mailbox name of one may pass to another (RFC 9051 2.3.1.1).
func TestUIDValidityIsNeverGivenAgain(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		now := time.Unix(1_700_000_000, 0)
		s.Now = func() time.Time { return now }
		first, second := makeList(t, s, "one"), makeList(t, s, "two")
		given := []uint32{first.UIDValidity, second.UIDValidity}
		for range 3 {
			if err := s.RemoveList(ctx, second.ID); err != nil {
				t.Fatal(err)
			}
			second = makeList(t, s, "two")
			given = append(given, second.UIDValidity)
		}
		now = now.Add(-time.Hour) // a clock that was set back
		given = append(given, makeList(t, s, "three").UIDValidity)
		now = now.Add(2 * time.Hour)
		last := makeList(t, s, "four").UIDValidity
		for i, v := range append(given, last) {
			if i > 0 && v <= given[i-1] {
				t.Errorf("%d after %d", v, given[i-1])
			}
		}
		if last != uint32(now.Unix()) {
			t.Errorf("%d, not the time", last)
		}
	})
}
