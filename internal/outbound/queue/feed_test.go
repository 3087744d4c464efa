package queue

import "testing"

// TestRangeSize: the first range is small, so that the first copy does not wait;
// those after it are large.
func TestRangeSize(t *testing.T) {
	for _, c := range []struct{ chunk, queued, want int }{
		{0, 0, firstRange},
		{0, 1, defaultChunk},
		{100, 0, 100},
		{100, 1, 100},
	} {
		e := New(Options{Chunk: c.chunk})
		if got := e.feeder.rangeSize(&source{queued: c.queued}); got != c.want {
			t.Errorf("chunk %d, %d in hand: a range of %d, want %d", c.chunk, c.queued, got, c.want)
		}
	}
}
