package app

import (
	"context"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

var garbage [][]byte

func nothing(context.Context) {}

// TestWhatABurstLeavesIsGivenBack without waiting for the runtime.
func TestWhatABurstLeavesIsGivenBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nobody else collects
	for range 64 {
		garbage = append(garbage, make([]byte, 2<<20))
	}
	garbage = nil
	var look heapLook
	look.next()
	if _, gain := look.next(); gain < 100<<20 {
		t.Fatalf("%d octets are there", gain)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() { tidyMemory(ctx, paceOfRuntime(leastGarbage), nothing); close(done) }()
	for _, gain := look.next(); gain > tidyGain && ctx.Err() == nil; _, gain = look.next() {
		time.Sleep(tidyEvery)
	}
	if ctx.Err() != nil {
		t.Error("it is still held")
	}
	cancel()
	<-done
}

// TestCalmBringsRest counts how often things are put away.
func TestCalmBringsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rests := 0
		ctx, cancel := context.WithCancel(t.Context())
		go tidyMemory(ctx, paceOfRuntime(leastGarbage), func(context.Context) { rests++ })
		after := func(d time.Duration, want int, what string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if rests != want {
				t.Errorf("%s: %d times, not %d", what, rests, want)
			}
		}
		after(restAfter-time.Second, 0, "a calm that has just begun")
		after(2*time.Second, 1, "a calm")
		after(3*restEvery, 4, "a long calm")
		for range 3 * restEvery / tidyEvery {
			garbage = append(garbage[:0], make([]byte, 2*tidyCalm))
			time.Sleep(tidyEvery)
		}
		after(0, 4, "work")
		after(restAfter+time.Second, 5, "calm again")
		cancel()
		synctest.Wait()
	})
}

// TestLittleGarbageBesideMuchInUse: how much the runtime lets gather.
func TestLittleGarbageBesideMuchInUse(t *testing.T) {
	for live, want := range map[int64]int{0: 100, 20 << 20: 100, 64 << 20: 100, 128 << 20: 50, 200 << 20: 30, 1 << 30: 25} {
		if got := pacePercent(live, leastGarbage); got != want {
			t.Errorf("%d MB in use: %d %%, not %d", live>>20, got, want)
		}
	}
}
