package route

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// PolicyType is the kind of policy a session was held against (RFC 8460 4.4).
type PolicyType string

// The types.
const (
	PolicySTS  PolicyType = "sts"
	PolicyTLSA PolicyType = "tlsa"
	PolicyNone PolicyType = "no-policy-found"
)

// Results that are failures, by RFC 8460 4.3.
const (
	resultNoTLS   = "starttls-not-supported"
	resultHost    = "certificate-host-mismatch"
	resultExpired = "certificate-expired"
	resultUnknown = "certificate-not-trusted"
	resultOther   = "validation-failure"
	resultMX      = "validation-failure" // the RFC has none for a host that a policy does not name
	resultFetch   = "sts-policy-fetch-error"
	resultPolicy  = "sts-policy-invalid"
	maxTally      = 20000 // counts kept in memory
	dayForm       = "2006-01-02"
)

// TLSSession is the outcome of TLS on one connection, or of the attempt to
// protect it.
type TLSSession struct {
	Day    string // 2006-01-02, UTC
	Domain string // of the recipients
	Policy PolicyType
	MXHost string // may be empty when none was reached
	IP     string // of the host; empty for successes, which are only counted
	Result string // empty: TLS as the policy wants it; else a result type of RFC 8460 4.3
}

// Reports counts sessions per domain and day, for TLS-RPT (RFC 8460). It is
// called once per connection and must not block for long.
type Reports interface {
	Count(s TLSSession)
}

// TLSCount is how many sessions were the same.
type TLSCount struct {
	TLSSession
	Sessions int64
}

// Tally is a Reports in memory, for who writes the counts down now and then.
// The zero value is ready.
type Tally struct {
	mu     sync.Mutex
	counts map[TLSSession]int64
	lost   int64
}

// Count implements Reports.
func (t *Tally) Count(s TLSSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, have := t.counts[s]; !have && len(t.counts) >= maxTally {
		t.lost++
		return
	}
	if t.counts == nil {
		t.counts = map[TLSSession]int64{}
	}
	t.counts[s]++
}

// Drain gives the counts so far, in order, and forgets them. lost is how many
// sessions there was no room to count.
func (t *Tally) Drain() (counts []TLSCount, lost int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, n := range t.counts {
		counts = append(counts, TLSCount{s, n})
	}
	slices.SortFunc(counts, func(a, b TLSCount) int { return strings.Compare(a.order(), b.order()) })
	lost, t.counts, t.lost = t.lost, nil, 0
	return counts, lost
}

func (c *TLSCount) order() string {
	return strings.Join([]string{c.Day, c.Domain, string(c.Policy), c.MXHost, c.IP, c.Result}, "\x00")
}

func day(t time.Time) string { return t.UTC().Format(dayForm) }
