package queue

import (
	"math"
	"time"

	"plenary/internal/model"
)

// untriedNews is how long newsletters wait at least whose turn has not come, at a site
// that takes less than there is: they have not failed.
const untriedNews = 4 * 24 * time.Hour

// RetryWaits is the schedule of tries after temporary failures: greylisting
// (450 at first contact) is over after minutes, the rest follows RFC 5321
// 4.5.4.1 more eagerly at first. Each wait gets jitter.
func RetryWaits() []time.Duration {
	return []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
}

// backoffWaits is the schedule of connections to a site that is down. The first
// wait is short: a peer may end a connection for reasons of its own.
func backoffWaits() []time.Duration {
	return []time.Duration{50 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

const (
	jitter = 0.2 // of a wait, to both sides
	// policyTries: a 5.7.x refusal is about us, often a setting that somebody is
	// about to mend. It is final at this try or a later one, when the try before was
	// answered so too: what was greylisted twice has another chance.
	policyTries = 3
	// absentAge: a name server that errs for a minute says that nobody's domain exists.
	absentAge = 3 * 24 * time.Hour
)

// lifetime is how long after it was made a distribution's copies are tried
// again (RFC 5321 4.5.4.1 asks for 4 to 5 days; news and confirmations do not
// keep that long; for news the postmaster decides).
func (e *Engine) lifetime(l model.Lane) time.Duration {
	const day = 24 * time.Hour
	switch l {
	case model.LaneReply:
		return day
	case model.LaneLetters:
		return e.NewsLife
	default:
		return 4 * day
	}
}

// weight is a lane's share of the copies sent while several lanes have any.
func weight(l model.Lane) float64 {
	switch l {
	case model.LaneReply:
		return 64
	case model.LaneNotice:
		return 32
	case model.LanePost:
		return 16
	case model.LaneDigest:
		return 4
	default:
		return 1
	}
}

// wait is entry n of a schedule, the last one repeated, with jitter.
func (e *Engine) wait(schedule []time.Duration, n int) time.Duration {
	d := schedule[min(max(n, 0), len(schedule)-1)]
	return time.Duration(math.Round(float64(d) * (1 + jitter*(2*e.Random()-1))))
}
