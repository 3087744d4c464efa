package model

import "time"

// Instant is a point in time in microseconds since 1970-01-01 UTC, as both
// database dialects keep it. Zero means "never" or "not yet".
type Instant int64

// At converts a time; the zero time gives the zero Instant.
func At(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMicro())
}

// Time converts back, in UTC; zero gives the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// IsZero reports whether the instant is unset.
func (i Instant) IsZero() bool { return i == 0 }

// Add moves the instant by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Microseconds()) }
