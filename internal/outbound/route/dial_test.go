package route_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/testkit/ca"
	"plenary/internal/testkit/sink"
)

// TestHostsInOrder: the best host first, the next when it is not there, and
// what failed is not waited for again.
func TestHostsInOrder(t *testing.T) {
	first := mx(t, "127.0.0.11", "0", sink.Options{})
	second := mx(t, "127.0.0.12", port(first), sink.Options{})
	third := mx(t, "127.0.0.13", port(first), sink.Options{})
	var dials atomic.Int64
	r := newRig(t, func(o *route.Options) {
		o.Port = port(first)
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	})
	for i, ip := range []string{"127.0.0.11", "127.0.0.12", "127.0.0.13"} {
		host := fmt.Sprintf("mx%d.a.example", i)
		r.dns.MX("a.example", uint16(i), host)
		r.dns.Host(host, ip)
	}
	site := r.find(t, "a.example")
	seen := func() string {
		return fmt.Sprint(first.Messages(), second.Messages(), third.Messages())
	}
	for i, c := range []struct {
		before func()
		seen   string
		dials  int64
	}{
		{func() {}, "2 0 0", 1},
		{func() { _ = first.Close() }, "2 2 0", 3},
		{func() {}, "2 4 0", 4}, // the first is not knocked at again
		{func() { _ = second.Close() }, "2 4 2", 6},
		{func() { r.clock.pass(6 * time.Minute) }, "2 4 4", 9}, // both again, in vain
	} {
		c.before()
		rs, err := send(t, r.Connector(site), 2)
		if err != nil || count(rs, queue.OK) != 2 || seen() != c.seen || dials.Load() != c.dials {
			t.Errorf("step %d: %v, %s messages, %d dials; want %s, %d", i, err, seen(), dials.Load(), c.seen, c.dials)
		}
	}
	_ = third.Close()
	if _, err := send(t, r.Connector(site), 2); err == nil || !strings.Contains(err.Error(), "mx2.a.example") {
		t.Errorf("all down: %v", err)
	}
}

// TestEqualsShare: hosts of one preference are taken in random order.
func TestEqualsShare(t *testing.T) {
	a := mx(t, "127.0.0.14", "0", sink.Options{})
	b := mx(t, "127.0.0.15", port(a), sink.Options{})
	turn := 0
	r := newRig(t, func(o *route.Options) {
		o.Port = port(a)
		o.Random = func(n int) int { turn++; return turn / 2 % n }
	})
	r.dns.MX("a.example", 5, "mx1.a.example")
	r.dns.MX("a.example", 5, "mx2.a.example")
	r.dns.Host("mx1.a.example", "127.0.0.14")
	r.dns.Host("mx2.a.example", "127.0.0.15")
	site := r.find(t, "a.example")
	for range 8 {
		if _, err := send(t, r.Connector(site), 1); err != nil {
			t.Fatal(err)
		}
	}
	if a.Messages() != 4 || b.Messages() != 4 {
		t.Errorf("%d and %d messages", a.Messages(), b.Messages())
	}
}

// TestGreetings: a host that greets with a refusal is passed over.
func TestGreetings(t *testing.T) {
	for _, greeting := range []string{"421 4.3.2 later", "554 5.3.2 no mail here"} {
		bad := mx(t, "127.0.0.16", "0", sink.Options{Greeting: greeting})
		good := mx(t, "127.0.0.17", port(bad), sink.Options{})
		r := newRig(t, func(o *route.Options) { o.Port = port(bad) })
		r.dns.MX("a.example", 1, "mx1.a.example")
		r.dns.MX("a.example", 2, "mx2.a.example")
		r.dns.Host("mx1.a.example", "127.0.0.16")
		r.dns.Host("mx2.a.example", "127.0.0.17")
		if rs, err := send(t, r.Connector(r.find(t, "a.example")), 1); err != nil || count(rs, queue.OK) != 1 || good.Messages() != 1 {
			t.Errorf("%s: %v, %v", greeting, rs, err)
		}
		_ = bad.Close()
		_ = good.Close()
	}
}

// TestTLSOfSites: what is demanded, what is offered, what comes of it and what
// is counted.
func TestTLSOfSites(t *testing.T) {
	auth := ca.New(t)
	good, leaf := auth.Issue(t, time.Hour, "mx.a.example")
	other, _ := auth.Issue(t, time.Hour, "mx.b.example")
	old, _ := auth.Issue(t, -time.Hour, "mx.a.example")
	stranger, _ := ca.New(t).Issue(t, time.Hour, "mx.a.example")
	ancient := good.Clone()
	ancient.MinVersion, ancient.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	domain, _ := auth.Issue(t, time.Hour, "a.example")
	own, anchor := sha256.Sum256(leaf.RawSubjectPublicKeyInfo), sha256.Sum256(good.Certificates[0].Certificate[1])
	tlsa := func(b []byte) []byte { return append([]byte{3, 1, 1}, b...) }
	for i, c := range []struct {
		name   string
		server *tls.Config // nil: no STARTTLS
		policy string      // of MTA-STS
		tlsa   []byte
		secure bool
		err    string // empty: letters go
		count  string
	}{
		{"opportunistic, stranger", stranger, "", nil, false, "", "no-policy-found"},
		{"opportunistic, in clear", nil, "", nil, false, "", "no-policy-found starttls-not-supported"},
		{"opportunistic, broken TLS, then in clear", ancient, "", nil, false, "", "no-policy-found validation-failure"},
		{"enforce, good", good, policy("enforce", 86400, "mx.a.example"), nil, false, "", "sts"},
		{"enforce, in clear", nil, policy("enforce", 86400, "mx.a.example"), nil, false, "no STARTTLS", "sts starttls-not-supported"},
		{"enforce, another name", other, policy("enforce", 86400, "mx.a.example"), nil, false, "certificate", "sts certificate-host-mismatch"},
		{"enforce, too old", old, policy("enforce", 86400, "mx.a.example"), nil, false, "expired", "sts certificate-expired"},
		{"enforce, stranger", stranger, policy("enforce", 86400, "mx.a.example"), nil, false, "unknown authority", "sts certificate-not-trusted"},
		{"enforce, broken TLS", ancient, policy("enforce", 86400, "mx.a.example"), nil, false, "TLS", "sts validation-failure"},
		{"testing, stranger", stranger, policy("testing", 86400, "mx.a.example"), nil, false, "", "sts certificate-not-trusted"},
		{"testing, good", good, policy("testing", 86400, "mx.a.example"), nil, false, "", "sts"},
		{"testing, not named", good, policy("testing", 86400, "mx.c.example"), nil, false, "", "sts validation-failure"},
		{"none", nil, policy("none", 86400, "mx.a.example"), nil, false, "", "no-policy-found starttls-not-supported"},
		{"DANE, good", good, "", tlsa(own[:]), true, "", "tlsa"},
		{"DANE, another key", stranger, "", tlsa(own[:]), true, "TLSA", "tlsa validation-failure"},
		{"DANE, anchor, good", good, "", append([]byte{2, 0, 1}, anchor[:]...), true, "", "tlsa"},
		{"DANE, anchor, a certificate for the domain", domain, "", append([]byte{2, 0, 1}, anchor[:]...), true, "not mx.a.example", "tlsa certificate-host-mismatch"},
		{"DANE, in clear", nil, "", tlsa(own[:]), true, "no STARTTLS", "tlsa starttls-not-supported"},
		{"DANE, no usable record", stranger, "", []byte{0, 0, 1, 9}, true, "", "tlsa"},
		{"DANE, no usable record, in clear", nil, "", []byte{0, 0, 1, 9}, true, "no STARTTLS", "tlsa starttls-not-supported"},
		{"DANE, no usable record, and a policy, good", good, policy("enforce", 86400, "mx.a.example"), []byte{1, 0, 1, 9}, true, "", "sts"},
		{"DANE, no usable record, and a policy, stranger", stranger, policy("enforce", 86400, "mx.a.example"), []byte{1, 0, 1, 9}, true, "unknown authority", "sts certificate-not-trusted"},
		{"DANE, no usable record, and a policy under test, stranger", stranger, policy("testing", 86400, "mx.a.example"), []byte{1, 0, 1, 9}, true, "", "sts certificate-not-trusted"},
		{"DANE, not validated", stranger, "", tlsa(own[:]), false, "", "no-policy-found"},
		{"DANE before a policy that does not name the host", good, policy("enforce", 86400, "mx.c.example"), tlsa(own[:]), true, "", "tlsa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := mx(t, fmt.Sprintf("127.0.1.%d", i+1), "0", sink.Options{TLS: c.server})
			w := &web{files: map[string]string{"a.example": c.policy}}
			r := newRig(t, func(o *route.Options) {
				o.Port, o.TLSConfig = port(k), &tls.Config{RootCAs: auth.Pool(), MinVersion: tls.VersionTLS12}
				o.STS = &route.STS{DNS: o.DNS, Fetcher: w, Now: o.Now}
			})
			r.dns.MX("a.example", 1, "mx.a.example")
			r.dns.Host("mx.a.example", fmt.Sprintf("127.0.1.%d", i+1))
			if c.policy != "" {
				r.dns.TXT("_mta-sts.a.example", "v=STSv1; id=1")
			}
			record := "_" + port(k) + "._tcp.mx.a.example"
			if c.tlsa != nil {
				r.dns.TLSA(record, c.tlsa)
			}
			if c.secure {
				r.dns.Secure("a.example", "mx.a.example", record)
			}
			rs, err := send(t, r.Connector(r.find(t, "a.example")), 1)
			switch {
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || k.Messages() != 0):
				t.Errorf("%v, want %q", err, c.err)
			case c.err == "" && (err != nil || count(rs, queue.OK) != 1):
				t.Errorf("%v, %v", rs, err)
			}
			counts, _ := r.reports.Drain()
			if len(counts) != 1 || counts[0].Sessions != 1 || counts[0].Domain != "a.example" ||
				strings.TrimSpace(string(counts[0].Policy)+" "+counts[0].Result) != c.count {
				t.Errorf("counted %+v, want %s", counts, c.count)
			}
		})
	}
}

// TestTLSARecordsThatCannotBeTold: such a host is not used (RFC 7672 2.1.1).
func TestTLSARecordsThatCannotBeTold(t *testing.T) {
	r := newRig(t)
	r.dns.MX("a.example", 1, "mx.a.example")
	r.dns.Host("mx.a.example", "127.0.0.1")
	r.dns.Secure("a.example", "mx.a.example")
	r.dns.Fail("_25._tcp.mx.a.example", 2)
	if _, fail := r.Find(t.Context(), "a.example", false); fail.State != queue.Temporary {
		t.Errorf("%v %s", fail.State, fail.Reply)
	}
}

// TestADownSiteIsTriedOnce: with its pace, a thousand letters that wait make
// one attempt.
func TestADownSiteIsTriedOnce(t *testing.T) {
	var dials atomic.Int64
	r := newRig(t, func(o *route.Options) {
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, errors.New("connection refused")
		}
	})
	r.dns.Host("a.example", "127.0.0.1")
	site := r.find(t, "a.example")
	p := route.NewPaces(r.clock.Now, func() float64 { return 0.5 }, func(route.Change) {}).Of(site)
	for range 1000 {
		if _, _, down := p.Down(); down {
			continue
		}
		if ok, _ := p.Acquire(); ok {
			_, err := r.Connector(site)(t.Context())
			p.Done(err, false)
		}
	}
	if dials.Load() != 1 {
		t.Errorf("%d attempts", dials.Load())
	}
}
