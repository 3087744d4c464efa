package store

import (
	"testing"
	"time"
)

// TestClockIsTheDatabases: nodes whose clocks differ agree on when a lease ends.
func TestClockIsTheDatabases(t *testing.T) {
	there := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := time.Now()
	for _, skew := range []time.Duration{0, -10 * time.Minute, 48 * time.Hour} {
		var c clock
		here := now.Add(skew)
		if got := c.at(here); !got.Equal(here) {
			t.Errorf("without a look it is %v", got)
		}
		c.set(here, here.Add(2*time.Second), there)
		for _, later := range []time.Duration{0, time.Minute, time.Hour} {
			if got, want := c.at(here.Add(time.Second+later)), there.Add(later); !got.Equal(want) {
				t.Errorf("our clock wrong by %v, %v later: %v, want %v", skew, later, got, want)
			}
		}
	}
	// The machine slept for an hour: its count of seconds did not go on, its
	// clock did. Without the monotonic part only the clock speaks.
	var c clock
	c.set(now.Round(0), now.Round(0), there)
	if got := c.at(now.Round(0).Add(time.Hour)); !got.Equal(there.Add(time.Hour)) {
		t.Errorf("after a sleep it is %v", got)
	}
}
