package archive

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestDictionaryFindsSubstrings: what is cut at spaces, or at commas, is found as if it
// were not, in all values and in one; nothing is found across the forms of a value.
func TestDictionaryFindsSubstrings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("aab  ,,\x01"[r.IntN(8)])
		}
		return b.String()
	}
	for _, parted := range []string{" ", ","} {
		d := newDictionary(parted, subjectKey)
		values := map[uint32]string{}
		for range 2000 {
			v := text(1 + r.IntN(12))
			values[d.add([]byte(v))] = v
		}
		for range 2000 {
			sought := strings.ReplaceAll(text(1+r.IntN(6)), "\x01", "")
			found := d.snapshot().containing(sought)
			for n, v := range values {
				want := v != "" && strings.Contains(strings.ReplaceAll(v, "\x01", "\x00"), sought)
				if found.has(int(n)) != want || d.holds(n, sought) != want {
					t.Fatalf("%q parted at %q: %q is found %v, in one %v", v, parted, sought, found.has(int(n)), d.holds(n, sought))
				}
			}
		}
	}
}
