package queue

import "sync/atomic"

type counters struct {
	sent, temporary, permanent, skipped, lost, policy atomic.Int64
}

// Stats are figures of a running engine since it was made.
type Stats struct {
	Sent, Temporary, Permanent, Skipped int64  // copies by outcome
	Lost                                int64  // copies whose end was sent and never answered: tried again, possibly repeats
	Queued                              int64  // copies leased and not handed out
	Out                                 int64  // copies handed out and not recorded
	Connections                         int64  // open connections
	SitesDown                           int64  // relays, or sites in use, that take nothing now
	Down                                string // why the site cannot be reached; empty: it can
}

// Stats gives the figures now.
func (e *Engine) Stats() Stats {
	conns, down := e.out.state()
	waiting, sites := 0, e.out.downCount()
	if e.depots != nil {
		conns, waiting, sites = e.depots.state()
	}
	return Stats{
		Sent: e.counters.sent.Load(), Temporary: e.counters.temporary.Load(), Permanent: e.counters.permanent.Load(),
		Skipped: e.counters.skipped.Load(), Lost: e.counters.lost.Load(),
		Queued: int64(e.lanes.queued() + waiting), Out: int64(e.Unrecorded) - e.budget.free.Load(),
		Connections: int64(conns), Down: down, SitesDown: int64(sites),
	}
}
