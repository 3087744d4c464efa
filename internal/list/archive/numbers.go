package archive

import "math/bits"

// numbers finds the number that something has. It keeps the numbers alone, by open
// addressing: what they stand for is kept once, by whoever asks. That takes 5 to
// 11 octets for each, where a map takes 20 to 60.
type numbers struct {
	slots []uint32 // the number + 1; 0 is free
	used  int
}

// find gives the number of what has this hash and for whose number is says yes.
func (t *numbers) find(hash uint64, is func(n uint32) bool) (n uint32, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	for at := t.home(hash); ; at = t.next(at) {
		if t.slots[at] == 0 {
			return 0, false
		}
		if n = t.slots[at] - 1; is(n) {
			return n, true
		}
	}
}

// add puts in a number that is not there. hashOf gives the hash of any of them.
func (t *numbers) add(n uint32, hashOf func(n uint32) uint64) {
	if 4*(t.used+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]uint32, max(16, len(old)*3/2))
		for _, s := range old {
			if s != 0 {
				t.put(s, hashOf(s-1))
			}
		}
	}
	t.put(n+1, hashOf(n))
	t.used++
}

func (t *numbers) put(slot uint32, hash uint64) {
	at := t.home(hash)
	for t.slots[at] != 0 {
		at = t.next(at)
	}
	t.slots[at] = slot
}

// home is where a hash is sought first: its high bits decide.
func (t *numbers) home(hash uint64) int {
	at, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return int(at)
}

func (t *numbers) next(at int) int {
	if at++; at == len(t.slots) {
		return 0
	}
	return at
}

// texts are strings by number, one behind another in one piece of memory.
type texts struct {
	text []byte
	end  []uint32
}

func (t *texts) at(n uint32) []byte {
	start := uint32(0)
	if n > 0 {
		start = t.end[n-1]
	}
	return t.text[start:t.end[n]:t.end[n]]
}

func (t *texts) add(s string) (n uint32) {
	t.text = append(t.text, s...)
	t.end = append(t.end, uint32(len(t.text)))
	return uint32(len(t.end) - 1)
}
