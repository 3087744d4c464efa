package app

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	tidyEvery = 250 * time.Millisecond
	tidyCalm  = 1 << 20  // octets: who allocates no more between two looks is at rest
	tidyGain  = 16 << 20 // octets that are worth a collection

	soonAfter = time.Second // of calm: less is worth one
	soonGain  = 4 << 20

	restAfter = 10 * time.Second // of calm: what is quickly there again is let go
	restEvery = time.Minute      // while the calm lasts: what nobody has used for minutes is, too

	leastGarbage  = 64 << 20 // octets that may wait for a collection, however little is in use
	directGarbage = 6 << 20  // the same where mail goes straight to its hosts: what is in use follows their number there
)

// tidyMemory gives back to the machine what a burst of work leaves (two thousand
// handshakes, an import), as soon as it is over, and a moment later what was kept
// in case it goes on. By itself the runtime keeps as much again as is in use, for
// minutes: with many idle connections that is the larger part of what they hold.
func tidyMemory(ctx context.Context, pace *pace, rest func(context.Context)) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var look heapLook
	calm, rested := 0*time.Second, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		allocated, gain := look.next()
		pace.follow(look.live)
		if allocated >= tidyCalm {
			calm, rested = 0, false
			continue
		}
		if calm += tidyEvery; rested && calm >= restEvery || !rested && calm >= restAfter {
			rest(ctx)
			calm, rested = 0, true
			runtime.GC() // what lies in a sync.Pool outlives one collection, and deep stacks shrink by half in each
			debug.FreeOSMemory()
			look.next()
		} else if gain > tidyGain || !rested && calm == soonAfter && gain > soonGain {
			debug.FreeOSMemory()
		}
	}
}

// rest is called when nobody has wanted anything for a moment.
func (a *App) rest(ctx context.Context) {
	a.Reader.Tidy()
	a.Store.Tidy(ctx)
}

// pace is how much garbage the runtime lets gather. As much again as is in use is
// right for little; of the index of a million posts, which costs nothing to look
// through, it would be hundreds of megabytes.
type pace struct {
	percent int // 0: the operator has set GOGC
	least   int64
}

// paceOfRuntime is a pace at which least octets of garbage may always gather.
func paceOfRuntime(least int64) *pace {
	if os.Getenv("GOGC") != "" {
		return &pace{least: least}
	}
	return &pace{100, least}
}

// pace is that of this node.
func (a *App) pace() *pace {
	if a.Config.Outbound.Mode == "direct" {
		return paceOfRuntime(directGarbage)
	}
	return paceOfRuntime(leastGarbage)
}

// follow sets the pace for so many octets in use.
func (p *pace) follow(live int64) {
	percent := pacePercent(live, p.least)
	if p.percent == 0 || percent == p.percent {
		return
	}
	p.percent = percent
	debug.SetGCPercent(percent)
}

func pacePercent(live, least int64) int {
	percent := int(math.Round(100 * float64(least) / float64(max(live, least))))
	return max(percent/5*5, 25)
}

// heapLook reads how the heap stands.
type heapLook struct {
	samples   [4]metrics.Sample
	allocated uint64
	live      int64 // octets in use when they were last counted
}

// next gives how many octets were allocated since the last time, and how many could
// be given back at most.
func (h *heapLook) next() (allocated, gain int64) {
	for i, name := range [...]string{"/gc/heap/allocs:bytes", "/gc/heap/live:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes"} {
		h.samples[i].Name = name
	}
	metrics.Read(h.samples[:])
	at := h.samples[0].Value.Uint64()
	allocated, h.allocated = int64(at-h.allocated), at
	live, objects, free := h.samples[1].Value.Uint64(), h.samples[2].Value.Uint64(), h.samples[3].Value.Uint64()
	h.live = int64(live)
	return allocated, int64(objects) - int64(live) + int64(free)
}
