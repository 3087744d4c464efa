package route_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/testkit/dns"
)

// zone is the world of the tests of Find.
func zone(s *dns.Server) {
	s.MX("three.example", 20, "b.three.example")
	s.MX("three.example", 10, "a.three.example")
	s.MX("three.example", 20, "C.three.example")
	s.Host("a.three.example", "198.51.100.1", "2001:db8::1")
	s.Host("b.three.example", "198.51.100.2")
	s.Host("c.three.example", "198.51.100.3")
	s.MX("same.example", 5, "a.three.example")
	s.MX("same.example", 7, "c.three.example")
	s.MX("same.example", 7, "b.three.example")
	s.MX("other.example", 5, "c.three.example")
	s.MX("null.example", 0, ".")
	s.MX("halfnull.example", 0, ".")
	s.MX("halfnull.example", 5, "a.three.example")
	s.Host("plain.example", "198.51.100.9")
	s.TXT("nothing.example", "no address and no MX")
	s.CNAME("alias.example", "three.example")
	s.CNAME("loop1.example", "loop2.example")
	s.CNAME("loop2.example", "loop1.example")
	s.Fail("broken.example", dnsmessage.RCodeServerFailure)
	s.MX("gone.example", 1, "nowhere.three.example")
	s.MX("halfgone.example", 1, "nowhere.three.example")
	s.MX("halfgone.example", 2, "b.three.example")
	s.MX("brokenhost.example", 1, "broken.example")
	s.MX("halfbroken.example", 1, "broken.example")
	s.MX("halfbroken.example", 2, "a.three.example")
	s.MX("inside.example", 1, "inside-host.example")
	s.Host("inside-host.example", "127.0.0.1", "10.1.2.3", "::1", "fe80::1", "169.254.1.1", "0.0.0.0", "100.64.0.1")
	s.MX("xn--mller-kva.example", 1, "a.three.example")
	s.MX("loopback.example", 10, "a.three.example")
	s.MX("loopback.example", 20, "lists.example.org")
	s.MX("loopback.example", 30, "b.three.example")
	s.Host("lists.example.org", "198.51.100.77")
	s.MX("tous.example", 10, "lists.example.org")
	s.MX("tous.example", 20, "b.three.example")
	s.Host("byaddr.example", "198.51.100.77")
	s.MX("ab--cd.example", 1, "a.three.example")
	s.MX("r3---sn.ab--cd.example", 1, "a.three.example")
	for i := range 40 {
		s.MX("many.example", uint16(i), fmt.Sprintf("m%d.many.example", i))
		s.Host(fmt.Sprintf("m%d.many.example", i), "198.51.100.40")
	}
}

func TestFind(t *testing.T) {
	s := names(t)
	zone(s)
	for _, c := range []struct {
		domain string
		want   string // key and number of addresses of the first host, or code and status
	}{
		{"three.example", "a.three.example>b.three.example,c.three.example 2"},
		{"THREE.example.", "a.three.example>b.three.example,c.three.example 2"},
		{"same.example", "a.three.example>b.three.example,c.three.example 2"},
		{"other.example", "c.three.example 1"},
		{"null.example", "permanent 556 5.1.10"},
		{"halfnull.example", "a.three.example 2"},
		{"plain.example", "plain.example 1"},
		{"nothing.example", "permanent 550 5.1.2 no host"},
		{"absent.example", "permanent 550 5.1.2 no host"},
		{"alias.example", "a.three.example>b.three.example,c.three.example 2"},
		{"loop1.example", "451 or 5.1.2"},
		{"broken.example", "temporary 451 4.4.3"},
		{"gone.example", "permanent 550 5.4.4 no host"},
		{"halfgone.example", "b.three.example 1"},
		{"brokenhost.example", "temporary 451 4.4.3"},
		{"halfbroken.example", "a.three.example 2"},
		{"inside.example", "permanent 550 5.4.4"},
		{"müller.example", "a.three.example 2"},
		{"xn--mller-kva.example", "a.three.example 2"},
		{"AB--cd.example", "a.three.example 2"},
		{"r3---sn.ab--cd.example", "a.three.example 2"},
		{"-ab.example", "permanent 553 5.1.2"},
		{"a_b.example", "permanent 553 5.1.2"},
		{"a..example", "permanent 553 5.1.2"},
		{"a b.example", "permanent 553 5.1.2"},
		{strings.Repeat("a", 64) + ".example", "permanent 553 5.1.2"},
		{"xn--a.example", "permanent 553 5.1.2"},
		{"", "permanent 553 5.1.2"},
		{strings.Repeat("a.", 200) + "example", "permanent 553 5.1.2"},
		{"loopback.example", "a.three.example 2"},
		{"tous.example", "permanent 554 5.4.6"},
		{"byaddr.example", "permanent 554 5.4.6"},
		{"[198.51.100.5]", "[198.51.100.5] 1"},
		{"[IPv6:2001:db8::5]", "[ipv6:2001:db8::5] 1"},
		{"[IPv6:198.51.100.5]", "permanent 553 5.1.2"},
		{"[2001:db8::5]", "permanent 553 5.1.2"},
		{"[127.0.0.1]", "permanent 550 5.4.4"},
		{"[nonsense]", "permanent 553 5.1.2"},
		{"[198.51.100.77]", "permanent 554 5.4.6"},
	} {
		for name, d := range resolvers(s) {
			t.Run(name+" "+c.domain[:min(len(c.domain), 30)], func(t *testing.T) {
				r, err := route.New(route.Options{Table: table(t), Hello: "lists.example.org", DNS: documentation{d},
					Names: []string{"lists.example.org"}, Own: addrs("198.51.100.77", "18.51.100.77")})
				if err != nil {
					t.Fatal(err)
				}
				domain := strings.ReplaceAll(c.domain, "[198.51", "[18.51")
				domain = strings.ReplaceAll(domain, "2001:db8", "2606:db8")
				site, fail := r.Find(t.Context(), domain, false)
				got := ""
				if site != nil {
					got = fmt.Sprintf("%s %d", site.Key, len(site.Hosts[0].Addrs))
				} else {
					status, _, _ := strings.Cut(fail.Reply, " ")
					got = fmt.Sprintf("%s %d %s", fail.State, fail.Code, status)
					if fail.NoHost {
						got += " no host"
					}
				}
				want := strings.ReplaceAll(strings.ReplaceAll(c.want, "[198.51", "[18.51"), "2001:db8", "2606:db8")
				if c.domain == "loop1.example" {
					if site != nil || fail.Reply == "" {
						t.Errorf("a loop of CNAMEs gave %q", got)
					}
					return
				}
				if got != want {
					t.Errorf("%s, want %s (%s)", got, want, fail.Reply)
				}
			})
		}
	}
}

// documentation moves the addresses kept for documentation, which are not
// public, into public space; nothing connects to them.
type documentation struct{ route.DNS }

func (d documentation) Addrs(ctx context.Context, host string) (route.Answer[netip.Addr], error) {
	a, err := d.DNS.Addrs(ctx, host)
	for i, ip := range a.Records {
		switch s := ip.String(); {
		case strings.HasPrefix(s, "198.51."):
			a.Records[i] = netip.MustParseAddr("18.51." + s[len("198.51."):])
		case strings.HasPrefix(s, "2001:db8:"):
			a.Records[i] = netip.MustParseAddr("2606:db8:" + s[len("2001:db8:"):])
		}
	}
	return a, err
}

func TestHostsAreBounded(t *testing.T) {
	r := newRig(t)
	zone(r.dns)
	if n := len(r.find(t, "many.example").Hosts); n != 16 {
		t.Errorf("%d hosts of 40", n)
	}
}

func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		change func(*route.Options)
		want   string
	}{
		{func(*route.Options) {}, "[198.51.100.1 2001:db8::1]"},
		{func(o *route.Options) { o.PreferIPv6 = true }, "[2001:db8::1 198.51.100.1]"},
		{func(o *route.Options) { o.NoIPv6 = true }, "[198.51.100.1]"},
		{func(o *route.Options) { o.NoIPv4 = true }, "[2001:db8::1]"},
	} {
		r := newRig(t, c.change)
		zone(r.dns)
		if got := fmt.Sprint(r.find(t, "three.example").Hosts[0].Addrs); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestAnswersAreKept: many who ask at once ask DNS once, until the TTL is over.
func TestAnswersAreKept(t *testing.T) {
	r := newRig(t)
	zone(r.dns)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.Find(context.Background(), "three.example", false) })
	}
	wg.Wait()
	r.find(t, "same.example") // other MX, the same hosts
	asked := func() (mx, a int) {
		return r.dns.Asked("three.example", dnsmessage.TypeMX), r.dns.Asked("a.three.example", dnsmessage.TypeA)
	}
	if mx, a := asked(); mx != 1 || a != 1 {
		t.Errorf("MX asked %d times, A %d times", mx, a)
	}
	r.clock.pass(2 * time.Minute) // the records say 60 s
	r.find(t, "three.example")
	if mx, a := asked(); mx != 2 || a != 2 {
		t.Errorf("after the TTL MX asked %d times, A %d times", mx, a)
	}
	for range 5 {
		r.Find(t.Context(), "broken.example", false)
	}
	first := r.dns.Asked("broken.example", dnsmessage.TypeMX)
	r.clock.pass(2 * time.Minute)
	r.dns.Fail("broken.example", dnsmessage.RCodeSuccess)
	r.dns.Host("broken.example", "198.51.100.8")
	r.find(t, "broken.example")
	if again := r.dns.Asked("broken.example", dnsmessage.TypeMX); first > 2 || again != first+1 {
		t.Errorf("a failing domain was asked for %d times, later %d", first, again)
	}
}

// TestAbsentNamesAreAskedForAgain: a name server that does not know a domain, or its
// host, for a minute is not believed for longer.
func TestAbsentNamesAreAskedForAgain(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"three.example", "a.same.example"} {
		r.dns.Fail(name, dnsmessage.RCodeNameError)
	}
	zone(r.dns)
	r.dns.MX("named.example", 5, "a.same.example")
	r.dns.Host("a.same.example", "198.51.100.9")
	for _, domain := range []string{"three.example", "named.example"} {
		if _, fail := r.Find(t.Context(), domain, false); fail.State != queue.Permanent || !fail.NoHost {
			t.Errorf("%s: %+v", domain, fail)
		}
	}
	for _, name := range []string{"three.example", "a.same.example"} {
		r.dns.Fail(name, dnsmessage.RCodeSuccess)
	}
	r.clock.pass(2 * time.Minute)
	r.find(t, "three.example")
	r.find(t, "named.example")
}

// lasting is a DNS whose hosts stay for an hour.
type lasting struct{ *route.Stub }

func (d lasting) MX(ctx context.Context, name string) (route.Answer[route.MX], error) {
	a, err := d.Stub.MX(ctx, name)
	a.TTL = time.Hour
	return a, err
}

func (d lasting) Addrs(ctx context.Context, host string) (route.Answer[netip.Addr], error) {
	a, err := d.Stub.Addrs(ctx, host)
	a.TTL = time.Hour
	return a, err
}

// TestTLSARecordsAreAskedForAgain: they hold as long as they say, however long the
// host does, so that a new certificate is known in time.
func TestTLSARecordsAreAskedForAgain(t *testing.T) {
	r := newRig(t, func(o *route.Options) { o.DNS = lasting{o.DNS.(*route.Stub)} })
	const record, typeTLSA = "_25._tcp.mx.a.example", dnsmessage.Type(52)
	r.dns.MX("a.example", 1, "mx.a.example")
	r.dns.Host("mx.a.example", "198.51.100.7")
	r.dns.TLSA(record, append([]byte{3, 1, 1}, make([]byte, 32)...))
	r.dns.Secure("a.example", "mx.a.example", record)
	for asked := 1; asked < 4; asked++ {
		for range 3 {
			if key := r.find(t, "a.example").Key; !strings.Contains(key, "+dane") {
				t.Fatal(key)
			}
		}
		if n := r.dns.Asked(record, typeTLSA); n != asked {
			t.Errorf("asked %d times, not %d", n, asked)
		}
		r.clock.pass(2 * time.Minute) // the records say 60 s
	}
}

// TestWaitingEndsWithItsContext: who gives up neither waits nor spoils it for
// the others.
func TestWaitingEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	r.dns.Silent("silent.example")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan queue.Result)
	go func() {
		_, fail := r.Find(ctx, "silent.example", false)
		done <- fail
	}()
	for r.dns.Asked("silent.example", dnsmessage.TypeMX) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if fail := <-done; fail.State != queue.Unsent {
		t.Errorf("%v %s", fail.State, fail.Reply)
	}
	r.dns.Forget("silent.example")
	if _, fail := r.Find(t.Context(), "silent.example", false); fail.State != queue.Permanent {
		t.Errorf("%v %s", fail.State, fail.Reply)
	}
}

func TestStubReadsLongAnswersByTCP(t *testing.T) {
	s := names(t)
	s.SmallUDP()
	s.TXT("long.example", strings.Repeat("x", 2000))
	a, err := resolvers(s)["stub"].TXT(t.Context(), "long.example")
	if err != nil || len(a.Records) != 1 || len(a.Records[0]) != 2000 || a.TTL != time.Minute {
		t.Errorf("%d records, %v, %v", len(a.Records), a.TTL, err)
	}
}

func TestPublic(t *testing.T) {
	for a, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1": true, "127.0.0.1": false, "10.0.0.1": false, "192.168.1.1": false, "172.16.0.1": false,
		"169.254.1.1": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "100.64.1.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "ff02::1": false, "::ffff:127.0.0.1": false, "2002:7f00:1::": false,
		"192.0.2.1": false, "240.0.0.1": false, "2001:db8::1": false,
	} {
		if got := route.Public(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}

// TestOurOwnDomains: that the mail of a domain comes to us is right where we take it.
func TestOurOwnDomains(t *testing.T) {
	r := newRig(t, func(o *route.Options) {
		o.Names = []string{"a.three.example"}
		o.Local = func(_ context.Context, domain string) bool { return domain == "three.example" }
	})
	zone(r.dns)
	if n := len(r.find(t, "three.example").Hosts); n < 2 {
		t.Errorf("%d hosts of a domain of ours", n)
	}
	if site, fail := r.Find(t.Context(), "same.example", false); site != nil || !strings.HasPrefix(fail.Reply, "5.4.6") {
		t.Errorf("the same host for a stranger's domain: %+v, %+v", site, fail)
	}
}

// TestAHostThatIsMissingIsAskedForAgain: one name server that fails for a moment does
// not take the best mail host away for as long as the others stay.
func TestAHostThatIsMissingIsAskedForAgain(t *testing.T) {
	r := newRig(t, func(o *route.Options) { o.DNS = lasting{o.DNS.(*route.Stub)} })
	zone(r.dns)
	const record = "_25._tcp.mx.dane.example"
	r.dns.MX("dane.example", 1, "mx.dane.example")
	r.dns.MX("dane.example", 2, "b.three.example")
	r.dns.Host("mx.dane.example", "198.51.100.7")
	r.dns.Secure("dane.example", "mx.dane.example", record)
	for _, name := range []string{"a.three.example", record} {
		r.dns.Fail(name, dnsmessage.RCodeServerFailure)
	}
	keys := func() string { return r.find(t, "three.example").Key + " " + r.find(t, "dane.example").Key }
	if got := keys(); got != "b.three.example,c.three.example b.three.example" {
		t.Errorf("without the best: %s", got)
	}
	for _, name := range []string{"a.three.example", record} {
		r.dns.Fail(name, dnsmessage.RCodeSuccess)
	}
	r.clock.pass(61 * time.Second)
	if got := keys(); got != "a.three.example>b.three.example,c.three.example mx.dane.example>b.three.example" {
		t.Errorf("a minute later: %s", got)
	}
}
