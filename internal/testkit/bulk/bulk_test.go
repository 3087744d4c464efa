package bulk_test

import (
	"bytes"
	"sort"
	"testing"

	"plenary/internal/mail/message"
	"plenary/internal/testkit/bulk"
)

// TestShape holds some of the measured figures against what is made.
func TestShape(t *testing.T) {
	const n = 4000
	g, again := bulk.New(bulk.Options{Seed: 7}), bulk.New(bulk.Options{Seed: 7})
	var sizes []int
	replies, html := 0, 0
	for range n {
		m := g.Next()
		if o := again.Next(); !bytes.Equal(m.Raw, o.Raw) || !m.ReceivedAt.Equal(o.ReceivedAt) {
			t.Fatal("the same seed gives another post")
		}
		h := message.ParseHeader(m.Raw)
		if len(h.References()) > 0 {
			replies++
		}
		if bytes.Contains(m.Raw, []byte("text/html")) {
			html++
		}
		sizes = append(sizes, len(m.Raw))
	}
	sort.Ints(sizes)
	within := func(what string, got, least, most int) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s: %d, not within %d and %d", what, got, least, most)
		}
	}
	within("median size", sizes[n/2], 7000, 14000)
	within("90th percentile", sizes[n*9/10], 15000, 60000)
	within("99th percentile", sizes[n*99/100], 100_000, 1_500_000)
	within("answers in a thousand", replies*1000/n, 650, 850)
	within("HTML in a thousand", html*1000/n, 400, 650)
}
