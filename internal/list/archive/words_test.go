package archive

import (
	"math/rand/v2"
	"testing"
)

// TestFoldLatin holds the short way of folding against the one for any text.
func TestFoldLatin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		word := make([]rune, 1+r.IntN(6))
		for i := range word {
			word[i] = rune(r.IntN(endLatin))
		}
		s := string(word)
		if got, ok := foldLatin(s); !ok || got != foldAny(s) {
			t.Fatalf("%q: %q, want %q", s, got, foldAny(s))
		}
	}
	if _, ok := foldLatin("a\u0301"); ok {
		t.Error("a mark was taken for a letter by itself")
	}
}
