package imapd

import (
	"net/netip"
	"sync"
	"time"
)

// throttle counts refused logins of a network over all its connections. This
// machine's own are not counted: a webmail in front of us is many people.
type throttle struct {
	mu    sync.Mutex
	seen  map[netip.Prefix]*failures
	swept time.Time
}

type failures struct {
	n     int
	since time.Time
}

// many reports whether the network has used up its attempts.
func (t *throttle) many(peer netip.Prefix, now time.Time, window time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.seen[peer]
	return f != nil && now.Sub(f.since) < window && f.n >= maxPerNetwork
}

// add counts one. When too many networks are remembered, those whose window is
// over are forgotten, and if none is, all.
func (t *throttle) add(peer netip.Prefix, now time.Time, window time.Duration) {
	if !peer.IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= maxNetworks && now.Sub(t.swept) < window {
		t.seen = map[netip.Prefix]*failures{}
	}
	if len(t.seen) >= maxNetworks {
		t.swept = now
		for p, f := range t.seen {
			if now.Sub(f.since) >= window {
				delete(t.seen, p)
			}
		}
	}
	f := t.seen[peer]
	if f == nil || now.Sub(f.since) >= window {
		f = &failures{since: now}
		t.seen[peer] = f
	}
	f.n++
}
