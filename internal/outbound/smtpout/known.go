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
	mu  sync.Mutex
	bad map[offer]time.Time // since when
}

// offer is an extension that a peer offers and has not.
type offer struct{ addr, extension string }

const (
	chunking   = "CHUNKING"
	pipelining = "PIPELINING"
)

// avoid notes that a peer does not hold to an extension. It reports whether that
// will be remembered.
func (k *Known) avoid(addr, extension string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bad == nil || len(k.bad) >= knownMost {
		k.bad = map[offer]time.Time{}
	}
	k.bad[offer{addr, extension}] = time.Now()
	return true
}

// avoids reports whether an extension is left alone with a peer.
func (k *Known) avoids(addr, extension string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	since, bad := k.bad[offer{addr, extension}]
	return bad && time.Since(since) < knownFor
}
