package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	tidyEvery = 250 * time.Millisecond
	tidyCalm  = 1 << 20  // octets: who allocates no more between two looks is at rest
	tidyGain  = 16 << 20 // octets that are worth a collection
)

// tidyMemory gives back to the machine what a burst of work leaves (two thousand
// handshakes, an import), as soon as it is over. By itself the runtime keeps as
// much again as is in use, for minutes: with many idle connections that is the
// larger part of what they hold.
func tidyMemory(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var look heapLook
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if allocated, gain := look.next(); allocated < tidyCalm && gain > tidyGain {
			debug.FreeOSMemory()
		}
	}
}

// heapLook reads how the heap stands.
type heapLook struct {
	samples   [4]metrics.Sample
	allocated uint64
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
	return allocated, int64(objects) - int64(live) + int64(free)
}
