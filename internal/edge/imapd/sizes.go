package imapd

import (
	"sync"

	"plenary/internal/list/archive"
)

// sizes remembers what the posts of each list measure together, so that STATUS
// SIZE adds only what is new. A list from which posts were taken is added up
// again.
type sizes struct {
	mu   sync.Mutex
	sums map[int64]sum
}

type sum struct {
	n     int
	last  archive.Row // the last one counted
	total int64
}

func (z *sizes) total(list int64, rows []archive.Row) int64 {
	z.mu.Lock()
	defer z.mu.Unlock()
	s := z.sums[list]
	if s.n > len(rows) || s.n > 0 && rows[s.n-1].UID != s.last.UID {
		s = sum{}
	}
	for ; s.n < len(rows); s.n++ {
		s.total += int64(rows[s.n].Size)
		s.last = rows[s.n]
	}
	if z.sums == nil {
		z.sums = map[int64]sum{}
	}
	z.sums[list] = s
	return s.total
}
