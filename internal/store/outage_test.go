package store

import (
	"testing"
	"time"
)

// TestOutageIsToldNowAndThen: a database that is away for an hour is not 3600 lines.
func TestOutageIsToldNowAndThen(t *testing.T) {
	var o outage
	now := time.Unix(1_700_000_000, 0)
	if o.over() {
		t.Error("over before it began")
	}
	for _, seconds := range []int{5, 3600, 1} {
		told := 0
		for range seconds {
			if now = now.Add(time.Second); o.tell(now) {
				told++
			}
		}
		if want := min(seconds, outageFirst) + max(0, seconds-outageFirst)/30; told != want {
			t.Errorf("%d lines in %d seconds, not %d", told, seconds, want)
		}
		if !o.over() || o.over() {
			t.Error("the end is told once")
		}
	}
}
