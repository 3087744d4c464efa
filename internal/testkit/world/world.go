package world

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/sink"
)

const (
	goodHosts = 100             // addresses that share the mail of the good domains of the tail
	slowness  = 2 * time.Second // of slow hosts, for each message
)

// World is a running world.
type World struct {
	Plan
	Port string // of all mail hosts
	dns  *dns.Server

	sinks       [kinds][]*sink.Sink
	taken       []atomic.Uint32 // copies, by recipient
	good        int64           // people of good domains
	got         atomic.Int64    // of them, have a copy
	strange     atomic.Int64    // copies for who is not of the plan
	first, last atomic.Int64
	done        chan struct{}
	once        sync.Once
}

// Start makes the world of a plan.
func Start(p Plan) (*World, error) {
	w := &World{Plan: p, Port: "0", taken: make([]atomic.Uint32, p.People), done: make(chan struct{})}
	for i := range p.People {
		if p.Kind(p.Domain(i)) == Good {
			w.good++
		}
	}
	var err error
	if w.dns, err = dns.Start(); err != nil {
		return nil, err
	}
	if err := w.hosts(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.names()
	return w, nil
}

// hosts starts the mail hosts: of the good ones many, of the others one each.
func (w *World) hosts() error {
	for n := range goodHosts + len(providers) {
		if err := w.host(Good, n, sink.Options{}); err != nil {
			return err
		}
	}
	return errors.Join(w.host(Mute, 0, sink.Options{Mute: true}), w.host(Slow, 0, sink.Options{Slow: slowness}),
		w.host(Storm, 0, sink.Options{RefuseMail: "451 4.7.1 too much from you"}))
}

func (w *World) host(k Kind, n int, o sink.Options) error {
	o.Addr, o.ForgetLetters, o.OnTaken = net.JoinHostPort(address(k, n), w.Port), true, w.take
	s, err := sink.Start(o)
	if err != nil {
		return err
	}
	_, w.Port, _ = net.SplitHostPort(s.Addr())
	w.sinks[k] = append(w.sinks[k], s)
	return nil
}

// address is the n-th address for hosts of a kind.
func address(k Kind, n int) string { return fmt.Sprintf("127.%d.%d.%d", 1+k, n/250, 1+n%250) }

// names tells the name server of all domains.
func (w *World) names() {
	for d := range w.Domains {
		name, host := DomainName(d), "mx."+DomainName(Host(d))
		kind := w.Kind(d)
		switch kind {
		case NoName:
			continue
		case Null:
			w.dns.MX(name, 0, ".")
			continue
		case NoDNS:
			w.dns.Fail(name, dnsmessage.RCodeServerFailure)
			continue
		}
		w.dns.MX(name, 10, host)
		if Host(d) != d {
			continue
		}
		n := 0
		switch {
		case kind == Down:
			n = d // nobody else's address: who fails there is avoided
		case d < len(providers):
			n = d
		case kind == Good:
			n = len(providers) + d%goodHosts
		}
		w.dns.Host(host, address(kind, n))
	}
}

// take counts copies.
func (w *World) take(recipients []string) {
	now := time.Now().UnixNano()
	w.first.CompareAndSwap(0, now)
	for _, r := range recipients {
		i := w.Number(r)
		if i < 0 {
			w.strange.Add(1)
			continue
		}
		if w.taken[i].Add(1) > 1 || w.Kind(w.Domain(i)) != Good {
			continue
		}
		w.last.Store(now)
		if w.got.Add(1) == w.good {
			w.once.Do(func() { close(w.done) })
		}
	}
}

// Resolver is the address of the name server.
func (w *World) Resolver() string { return w.dns.Addr() }

// Done is closed when everybody in a good domain has a copy.
func (w *World) Done() <-chan struct{} { return w.done }

// Taken is how many copies recipient i got.
func (w *World) Taken(i int) int { return int(w.taken[i].Load()) }

// Open is the number of connections to mail hosts that are open now; those to
// mute hosts do not count.
func (w *World) Open() (n int) {
	for _, s := range append(append([]*sink.Sink{}, w.sinks[Good]...), w.sinks[Slow][0], w.sinks[Storm][0]) {
		n += s.Open()
	}
	return n
}

// Summary is what a world has seen.
type Summary struct {
	Good, Got    int64            // people of good domains, and who of them has a copy
	Repeats      int64            // copies that somebody got again
	Strange      int64            // copies for who is not of the plan
	Others       int64            // people of other domains who have a copy
	First, Last  time.Time        // copies; Last is of a good domain
	Questions    int              // asked of the name server
	MostAsked    int              // how often the question was asked that was asked most
	Connections  map[string]int64 // to hosts of each kind
	Refused      int64            // attempts that the storm refused
	LargestSite  int64            // copies that went to the host with most
	LargestConns int64            // in so many connections
}

// Summary says what the world has seen so far.
func (w *World) Summary() Summary {
	s := Summary{Good: w.good, Got: w.got.Load(), Strange: w.strange.Load(), Connections: map[string]int64{}}
	for i := range w.taken {
		n := int64(w.taken[i].Load())
		s.Repeats += max(0, n-1)
		if n > 0 && w.Kind(w.Domain(i)) != Good {
			s.Others++
		}
	}
	if n := w.first.Load(); n != 0 {
		s.First, s.Last = time.Unix(0, n), time.Unix(0, w.last.Load())
	}
	s.Questions, s.MostAsked = w.dns.Questions()
	for k := range w.sinks {
		for _, h := range w.sinks[k] {
			snap := h.Snapshot()
			s.Connections[Kind(k).String()] += snap.Connections
			s.Refused += snap.Refused
			if snap.Messages > s.LargestSite {
				s.LargestSite, s.LargestConns = snap.Messages, snap.Connections
			}
		}
	}
	return s
}

// Close ends it.
func (w *World) Close() error {
	err := w.dns.Close()
	for _, all := range w.sinks {
		for _, s := range all {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}
