package route_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/sink"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// decode reads TOML as the program does: unknown keys are errors.
func decode(text string, into any) error {
	meta, err := toml.Decode(text, into)
	if err == nil && len(meta.Undecoded()) > 0 {
		err = fmt.Errorf("unknown key %s", meta.Undecoded()[0])
	}
	return err
}

func table(t testing.TB, more ...string) *route.Table {
	t.Helper()
	tab, err := route.ReadTable(decode, append([]string{route.DefaultTable()}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func names(t testing.TB) *dns.Server {
	t.Helper()
	s, err := dns.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// rig is a router over a name server, everything on loopback.
type rig struct {
	*route.Router
	dns     *dns.Server
	clock   *clock
	reports *route.Tally
}

// resolvers are the two ways to ask.
func resolvers(s *dns.Server) map[string]route.DNS {
	return map[string]route.DNS{
		"system": route.System{Resolver: s.Resolver()},
		"stub":   &route.Stub{Servers: []string{s.Addr()}, Validates: true, Timeout: time.Second},
	}
}

func newRig(t testing.TB, change ...func(*route.Options)) *rig {
	t.Helper()
	s := names(t)
	r := &rig{dns: s, clock: newClock(), reports: &route.Tally{}}
	o := route.Options{Table: table(t), Hello: "lists.example.org", DNS: resolvers(s)["stub"], Now: r.clock.Now, AllowPrivate: true,
		Reports: r.reports, Random: func(n int) int { return n - 1 }, Timeouts: smtpout.Timeouts{Dial: 5 * time.Second, Idle: time.Second}}
	for _, f := range change {
		f(&o)
	}
	var err error
	if r.Router, err = route.New(o); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) find(t testing.TB, domain string) *route.Site {
	t.Helper()
	s, fail := r.Find(t.Context(), domain, false)
	if s == nil {
		t.Fatalf("%s: %v %d %s", domain, fail.State, fail.Code, fail.Reply)
	}
	return s
}

// mx starts a sink on an address of loopback; port "0" is any.
func mx(t testing.TB, ip, port string, o sink.Options) *sink.Sink {
	t.Helper()
	o.Addr = net.JoinHostPort(ip, port)
	k, err := sink.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func port(k *sink.Sink) string {
	_, p, _ := net.SplitHostPort(k.Addr())
	return p
}

// sameLetters is a Prepared that gives everybody the same text.
type sameLetters struct{}

func (sameLetters) Letter(r queue.Recipient) queue.Letter {
	return queue.Letter{ReversePath: "talk-bounces@example.org", Recipient: r.Address, Segments: [][]byte{[]byte("Subject: hello\r\n\r\ntext\r\n")}}
}

// send offers units of so many letters over one connection.
func send(t testing.TB, connect queue.Connector, sizes ...int) (results []queue.Result, err error) {
	t.Helper()
	c, err := connect(t.Context())
	if err != nil {
		return nil, err
	}
	units := make(chan *queue.Unit, len(sizes))
	total := 0
	for _, n := range sizes {
		var to []queue.Recipient
		for range n {
			total++
			to = append(to, queue.Recipient{Address: "p" + strconv.Itoa(total) + "@example.net"})
		}
		units <- queue.NewUnit(sameLetters{}, to...)
	}
	close(units)
	outcomes := make(chan queue.Outcome, total)
	err = c.Run(context.Background(), units, outcomes)
	close(outcomes)
	for o := range outcomes {
		results = append(results, o.Result)
	}
	return results, err
}

func count(rs []queue.Result, s queue.State) (n int) {
	for _, r := range rs {
		if r.State == s {
			n++
		}
	}
	return n
}

func addrs(text ...string) (out []netip.Addr) {
	for _, s := range text {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}
