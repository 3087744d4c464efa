package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestNumbersAreThoseOfAMap holds them against a map, with hashes that are mostly
// alike too.
func TestNumbersAreThoseOfAMap(t *testing.T) {
	for _, spread := range []uint64{1, 1 << 40, 1<<64 - 1} {
		r := rand.New(rand.NewPCG(1, spread))
		var names numbers
		var keys []string
		var hashes []uint64
		known := map[string]uint32{}
		most := 3000
		if spread == 1 {
			most = 200
		}
		for range most {
			key := fmt.Sprint(r.IntN(most))
			hash := uint64(0)
			for _, c := range []byte(key) {
				hash = (hash ^ uint64(c)) * 1099511628211
			}
			hash %= spread
			want, had := known[key]
			got, ok := names.find(hash, func(n uint32) bool { return keys[n] == key })
			if ok != had || got != want && had {
				t.Fatalf("%q is %d %v, not %d %v", key, got, ok, want, had)
			}
			if !ok {
				n := uint32(len(keys))
				keys, hashes, known[key] = append(keys, key), append(hashes, hash), n
				names.add(n, func(n uint32) uint64 { return hashes[n] })
			}
		}
		if len(keys) != len(known) || names.used != len(keys) || len(names.slots) > 4*len(keys)+16 {
			t.Errorf("%d numbers of %d keys in %d slots", names.used, len(known), len(names.slots))
		}
	}
}
