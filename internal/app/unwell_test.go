package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"plenary/internal/fault"
)

// TestHealthAsksForAWrite: a database that can only be read is not well, and the
// answer holds for a while.
func TestHealthAsksForAWrite(t *testing.T) {
	var ping, write error
	var left uint64 = 1 << 40
	writes, changes := 0, 0
	now := time.Unix(1_700_000_000, 0)
	h := &health{now: func() time.Time { return now }, ok: true, text: "ok",
		ping:  func(context.Context) error { return ping },
		write: func(context.Context) error { writes++; return write },
		free:  func() (uint64, error) { return left, nil }, changed: func(bool, string, error) { changes++ }}
	for i, c := range []struct {
		ping, write error
		left        uint64
		ok          bool
		text        string
	}{
		{nil, nil, 1 << 40, true, "ok"},
		{errors.New("away"), nil, 1 << 40, false, "the database does not answer"},
		{nil, fault.New(fault.StorageFull, "no room"), 1 << 40, false, "the database cannot be written to: the disk is full, mail is refused until there is room"},
		{nil, fault.New(fault.Temporary, "read-only"), 1 << 40, false, "the database cannot be written to"},
		{nil, nil, 40<<20 + 5, true, "ok, but the disk of the database has only 40 MiB left"},
		{nil, nil, 1000, false, "the disk of the database is full"},
		{nil, nil, 1 << 40, true, "ok"},
	} {
		ping, write, left = c.ping, c.write, c.left
		now = now.Add(healthFor)
		before := writes
		for range 3 {
			if ok, text := h.Check(t.Context()); ok != c.ok || text != c.text {
				t.Errorf("%d: %v %q", i, ok, text)
			}
		}
		if writes > before+1 {
			t.Errorf("%d: three questions made %d writes", i, writes-before)
		}
	}
	if changes != 6 {
		t.Errorf("%d changes were told", changes)
	}
}
