package app

import (
	"context"
	"runtime/debug"
	"testing"
	"time"
)

var garbage [][]byte

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
	go func() { tidyMemory(ctx); close(done) }()
	for _, gain := look.next(); gain > tidyGain && ctx.Err() == nil; _, gain = look.next() {
		time.Sleep(tidyEvery)
	}
	if ctx.Err() != nil {
		t.Error("it is still held")
	}
	cancel()
	<-done
}
