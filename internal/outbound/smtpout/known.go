package smtpout

import (
	"sync"
	"time"
)

const (
	knownFor  = time.Hour // then a peer is given another chance: somebody may have mended it
	knownMost = 10_000    // peers
)

// Known is what was learnt of peers on earlier connections; the zero value is
// ready.
type Known struct {
	mu     sync.Mutex
	noBDAT map[string]time.Time // peers that offer CHUNKING and cannot do it, since when
}

// avoidBDAT notes that a peer does not understand BDAT. It reports whether that
// will be remembered.
func (k *Known) avoidBDAT(addr string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.noBDAT == nil || len(k.noBDAT) >= knownMost {
		k.noBDAT = map[string]time.Time{}
	}
	k.noBDAT[addr] = time.Now()
	return true
}

// avoidsBDAT reports whether a peer gets its letters by DATA.
func (k *Known) avoidsBDAT(addr string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	since, bad := k.noBDAT[addr]
	return bad && time.Since(since) < knownFor
}
