package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// Limits of the throttle.
const (
	maxFailures = 20               // for one user name in the window
	window      = 10 * time.Minute // counted from the first failure
	maxNames    = 20_000           // user names remembered; beyond, the oldest windows go
	maxGood     = 20_000           // right pairs remembered
)

// throttle counts failures for each user name. It is the memory of one process:
// several nodes allow several times the limit, which changes nothing that
// matters.
type throttle struct {
	mu    sync.Mutex
	salt  [32]byte
	fails map[[32]byte]*count
	right map[[32]byte]struct{} // keyed hashes of pairs that were right
}

type count struct {
	n     int
	since time.Time
}

func newThrottle() *throttle {
	t := &throttle{fails: map[[32]byte]*count{}, right: map[[32]byte]struct{}{}}
	rand.Read(t.salt[:]) // never fails
	return t
}

// key hides user names and secrets from a memory dump, and bounds their size.
func (t *throttle) key(parts ...string) [32]byte {
	h := sha256.New()
	h.Write(t.salt[:])
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return [32]byte(h.Sum(nil))
}

// mayTry tells whether the pair is worth a look.
func (t *throttle) mayTry(user, secret string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.fails[t.key(user)]
	if c == nil || now.Sub(c.since) >= window || c.n < maxFailures {
		return true
	}
	_, ok := t.right[t.key(user, secret)]
	return ok
}

func (t *throttle) failed(user string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.key(user)
	c := t.fails[k]
	if c == nil || now.Sub(c.since) >= window {
		if c == nil && len(t.fails) >= maxNames {
			t.forget(now)
		}
		c = &count{since: now}
		t.fails[k] = c
	}
	c.n++
}

// forget makes room: windows that are over, or else all of them.
func (t *throttle) forget(now time.Time) {
	for k, c := range t.fails {
		if now.Sub(c.since) >= window {
			delete(t.fails, k)
		}
	}
	if len(t.fails) >= maxNames {
		clear(t.fails)
	}
}

func (t *throttle) good(user, secret string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.right) >= maxGood {
		clear(t.right)
	}
	t.right[t.key(user, secret)] = struct{}{}
}
