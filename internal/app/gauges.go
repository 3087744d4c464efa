package app

import (
	"context"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"plenary/internal/edge/smtpin"
	"plenary/internal/metrics"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
)

// Figures for one scrape are asked for once.
const (
	statusFor      = time.Second
	statusPatience = 2 * time.Second
)

// gauges registers figures that are asked for at each scrape.
func (a *App) gauges() {
	version, goVersion := Version()
	a.Metrics.Build(version, goVersion)
	for name, s := range map[string]*smtpin.Server{"smtp": a.smtp, "submission": a.submission, "lmtp": a.lmtp} {
		a.Metrics.Door(name, func() metrics.DoorFigures {
			st := s.Stats()
			return metrics.DoorFigures{Open: st.Open, Accepted: st.Connections, TurnedAway: st.TurnedAway}
		})
	}
	if dir := a.databaseDir(); dir != "" {
		a.Metrics.Gauge("plenary_disk_free_bytes", "Octets left on the disk of the database; only with SQLite.", func() float64 {
			left, err := diskFree(dir)
			if err != nil {
				return math.NaN()
			}
			return float64(left)
		})
	}
	q := &queueFigures{store: a.Store}
	a.Metrics.Gauge("plenary_queue_distributions", "Posts and letters that still have copies to send.",
		q.figure(func(s *store.QueueStatus) float64 { return float64(s.Active + s.Waiting + s.Held + s.Stale) }))
	a.Metrics.Gauge("plenary_queue_copies", "Copies that posts and letters still owe, those included that wait for another try or a person.",
		q.figure(func(*store.QueueStatus) float64 { return float64(q.copies) }))
	a.Metrics.Gauge("plenary_queue_retries", "Copies that wait for another try.",
		q.figure(func(s *store.QueueStatus) float64 { return float64(s.Retries) }))
	a.Metrics.Gauge("plenary_queue_oldest_age_seconds", "Age of the oldest post or letter that still has copies to send; 0 without any.",
		q.figure(func(s *store.QueueStatus) float64 {
			if s.Oldest.IsZero() {
				return 0
			}
			return time.Since(s.Oldest.Time()).Seconds()
		}))
	for _, g := range []struct {
		name, help string
		value      func(queue.Stats) float64
	}{
		{"plenary_queue_in_hand", "Copies this node has read and not begun to send.", func(s queue.Stats) float64 { return float64(s.Queued) }},
		{"plenary_queue_on_the_way", "Copies handed to connections whose outcome is not recorded.", func(s queue.Stats) float64 { return float64(s.Out) }},
		{"plenary_queue_connections", "Connections to relays or mail hosts.", func(s queue.Stats) float64 { return float64(s.Connections) }},
		{"plenary_queue_sites_down", "Relays or sites in use that take nothing now.", func(s queue.Stats) float64 { return float64(s.SitesDown) }},
	} {
		a.Metrics.Gauge(g.name, g.help, func() float64 { return g.value(a.Queue.Stats()) })
	}
}

// queueFigures asks the database for the state of the queue.
type queueFigures struct {
	store *store.Store

	mu    sync.Mutex
	until time.Time
	last  *store.QueueStatus // nil: not known

	depth  store.Depth
	copies int64
}

func (q *queueFigures) figure(pick func(*store.QueueStatus) float64) func() float64 {
	return func() float64 {
		q.mu.Lock()
		defer q.mu.Unlock()
		if time.Now().After(q.until) {
			ctx, cancel := context.WithTimeout(context.Background(), statusPatience)
			defer cancel()
			var err error
			if q.last, err = q.store.QueueStatus(ctx, 0); err == nil {
				q.copies, err = q.store.QueueDepth(ctx, &q.depth)
			}
			if err != nil {
				q.last = nil
			}
			q.until = time.Now().Add(statusFor)
		}
		if q.last == nil {
			return math.NaN()
		}
		return pick(q.last)
	}
}

// Version is what this binary was built from: the module's version, with the
// commit where it is known, and Go's.
func Version() (version, goVersion string) {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	version = b.Main.Version
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" {
			version += " " + s.Value
		}
	}
	return version, b.GoVersion
}
