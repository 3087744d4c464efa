package queue

import (
	"math"
	"testing"
	"time"
)

// TestAnnounced: what peers announced holds until they announce something else, or
// for a time, and has a bound.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := newAnnounced()
	refuses := func(peer, size int64, at time.Time) bool { _, yes := a.refuses(peer, size, at); return yes }
	if refuses(1, 1<<40, now) {
		t.Error("nobody has said anything")
	}
	a.heard(1, 1000, now)
	a.heard(2, 50_000, now)
	if !refuses(1, 1001+sizeSpread, now) || refuses(1, 1000+sizeSpread, now) || refuses(1, 0, now) {
		t.Error("one that may be larger than its like says nothing about others")
	}
	if refuses(2, 60_000, now) || !refuses(2, 70_000, now) || refuses(3, 1<<40, now) {
		t.Error("each peer has its limit")
	}
	if r, _ := a.refuses(2, 70_000, now); r.State != Permanent || r.Code != 552 || !r.Local ||
		r.Reply != "5.3.4 the message is too large: it has 70000 octets, and the next hop announced that it takes 50000 at most" {
		t.Errorf("%+v", r)
	}
	if !refuses(1, 70_000, now.Add(announcedFor-1)) || refuses(1, 70_000, now.Add(announcedFor)) {
		t.Error("it is forgotten with time")
	}
	a.heard(1, 60_000, now)
	if refuses(1, 70_000, now) || !refuses(1, 80_000, now) || a.least.Load() != 50_000 {
		t.Error("a higher limit is not heard")
	}
	a.heard(1, 1000, now.Add(announcedFor-1)) // a backup host
	if refuses(1, 70_000, now) || !refuses(1, 80_000, now) || refuses(1, 80_000, now.Add(announcedFor)) {
		t.Error("a lower limit is heard while a higher one holds")
	}
	a.heard(2, 0, now)
	if a.heard(2, 1000, now); refuses(2, 1<<40, now) || a.least.Load() != 60_000 {
		t.Error("no limit is not heard")
	}
	a.heard(2, 1000, now.Add(announcedFor))
	if !refuses(2, 70_000, now.Add(announcedFor)) || a.least.Load() != 1000 {
		t.Error("a lower limit is not heard in the end")
	}
	if a.forget(); refuses(2, 1<<40, now) || len(a.by) != 0 || a.least.Load() != math.MaxInt64 {
		t.Errorf("%v, %d", a.by, a.least.Load())
	}
	for peer := range int64(3 * announcedMost) {
		if a.heard(peer, 1000, now); len(a.by) > announcedMost || !refuses(peer, 70_000, now) {
			t.Fatalf("%d are remembered", len(a.by))
		}
	}
}
