package archive

import "math/bits"

// bitset is a set of places in a list's rows.
type bitset struct {
	words []uint64
	n     int // places
}

func newBitset(n int) bitset { return bitset{make([]uint64, (n+63)/64), n} }

func fullBitset(n int) bitset {
	b := newBitset(n)
	for i := range b.words {
		b.words[i] = ^uint64(0)
	}
	b.trim()
	return b
}

func (b bitset) trim() {
	if r := b.n % 64; r != 0 {
		b.words[len(b.words)-1] &= 1<<r - 1
	}
}

func (b bitset) add(i int)      { b.words[i/64] |= 1 << (i % 64) }
func (b bitset) remove(i int)   { b.words[i/64] &^= 1 << (i % 64) }
func (b bitset) has(i int) bool { return b.words[i/64]&(1<<(i%64)) != 0 }

func (b bitset) and(o bitset) {
	for i := range b.words {
		b.words[i] &= o.words[i]
	}
}

func (b bitset) or(o bitset) {
	for i := range b.words {
		b.words[i] |= o.words[i]
	}
}

func (b bitset) minus(o bitset) {
	for i := range b.words {
		b.words[i] &^= o.words[i]
	}
}

// not gives the places that are not in b.
func (b bitset) not() bitset {
	o := newBitset(b.n)
	for i := range b.words {
		o.words[i] = ^b.words[i]
	}
	o.trim()
	return o
}

func (b bitset) clone() bitset {
	o := newBitset(b.n)
	copy(o.words, b.words)
	return o
}

func (b bitset) count() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// all yields the places in order.
func (b bitset) all(yield func(int) bool) {
	for i, w := range b.words {
		for w != 0 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
			w &= w - 1
		}
	}
}

// bounds gives the first and the last place; ok is false for an empty set.
func (b bitset) bounds() (first, last int, ok bool) {
	for i, w := range b.words {
		if w == 0 {
			continue
		}
		if !ok {
			first, ok = i*64+bits.TrailingZeros64(w), true
		}
		last = i*64 + 63 - bits.LeadingZeros64(w)
	}
	return first, last, ok
}
