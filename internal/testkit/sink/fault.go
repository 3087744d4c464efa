package sink

// verdict is what is to happen to one attempt.
type verdict uint8

const (
	accept verdict = iota
	temporaryRcpt
	temporaryEnd
	permanentRcpt
	permanentEnd
	dropBefore
	dropAfter
)

// judge decides an attempt for a recipient, by seed, recipient and the number
// of attempts before.
func (s *Sink) judge(recipient string) verdict {
	if s.Temporary+s.Permanent+s.DropBefore+s.DropAfter == 0 {
		return accept
	}
	sh := s.shard(recipient)
	sh.mu.Lock()
	n := sh.tries[recipient]
	sh.tries[recipient] = n + 1
	sh.mu.Unlock()
	person := hash(s.Seed+1, recipient, 0)
	if share(person) < s.Permanent {
		return permanentRcpt + verdict(person&1)
	}
	h := hash(s.Seed+2, recipient, n)
	p := share(h)
	if p < s.Temporary {
		return temporaryRcpt + verdict(h&1)
	}
	if p -= s.Temporary; p < s.DropBefore {
		return dropBefore
	}
	if p -= s.DropBefore; p < s.DropAfter {
		return dropAfter
	}
	return accept
}

// Condemned reports whether a recipient is always refused.
func (s *Sink) Condemned(recipient string) bool {
	return share(hash(s.Seed+1, recipient, 0)) < s.Permanent
}

// share maps a hash to [0,1).
func share(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// hash is FNV-1a with a final mix.
func hash(seed uint64, text string, n uint32) uint64 {
	h := uint64(14695981039346656037) ^ seed*0x9e3779b97f4a7c15
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h ^= uint64(n) * 0x9e3779b97f4a7c15
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
