package route_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/route"
	"plenary/internal/testkit/ca"
	"plenary/internal/testkit/sink"
)

// TestTLSIsCountedForAllWhoShare: domains with the same hosts share connections, and
// each is told of them by its own policy (RFC 8460 4). One that tries out a policy
// shares none with one that has no policy.
func TestTLSIsCountedForAllWhoShare(t *testing.T) {
	auth := ca.New(t)
	server, _ := ca.New(t).Issue(t, time.Hour, "mx.host.example")
	k := mx(t, "127.0.0.18", "0", sink.Options{TLS: server})
	w := &web{files: map[string]string{}}
	r := newRig(t, func(o *route.Options) {
		o.Port, o.TLSConfig = port(k), &tls.Config{RootCAs: auth.Pool(), MinVersion: tls.VersionTLS12}
		o.STS = &route.STS{DNS: o.DNS, Fetcher: w, Now: o.Now}
	})
	r.dns.Host("mx.host.example", "127.0.0.18")
	for domain, text := range map[string]string{"a.example": "", "b.example": "", "c.example": policy("testing", 86400, "mx.host.example"),
		"d.example": policy("testing", 86400, "mx.other.example"), "e.example": policy("none", 86400, "mx.host.example")} {
		r.dns.MX(domain, 1, "mx.host.example")
		if w.files[domain] = text; text != "" {
			r.dns.TXT("_mta-sts."+domain, "v=STSv1; id=1")
		}
	}
	sites := map[string]*route.Site{}
	for _, domain := range []string{"a.example", "b.example", "c.example", "d.example", "e.example"} {
		sites[domain] = r.find(t, domain)
	}
	counted := func(domain string) string {
		t.Helper()
		if _, err := send(t, r.Connector(sites[domain]), 1); err != nil {
			t.Fatal(err)
		}
		var parts []string
		counts, _ := r.reports.Drain()
		for _, c := range counts {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", c.Domain, c.Sessions, c.Policy, c.Result)))
		}
		return strings.Join(parts, ", ")
	}
	for domain, want := range map[string]string{
		"a.example": "a.example 1 no-policy-found, b.example 1 no-policy-found, e.example 1 no-policy-found",
		"b.example": "a.example 1 no-policy-found, b.example 1 no-policy-found, e.example 1 no-policy-found",
		"c.example": "c.example 1 sts certificate-not-trusted, d.example 1 sts validation-failure",
	} {
		if got := counted(domain); got != want {
			t.Errorf("%s: %s, want %s", domain, got, want)
		}
	}
	r.clock.pass(11 * time.Minute) // nobody has asked for the others since
	r.find(t, "e.example")
	if got := counted("a.example"); got != "a.example 1 no-policy-found, e.example 1 no-policy-found" {
		t.Errorf("later: %s", got)
	}
	r.clock.pass(11 * time.Minute)
	r.Tidy()
	if got := counted("a.example"); got != "a.example 1 no-policy-found" {
		t.Errorf("at last: %s", got)
	}
}

// TestSharingIsBounded: a connection is counted for so many domains and no more.
func TestSharingIsBounded(t *testing.T) {
	k := mx(t, "127.0.0.19", "0", sink.Options{})
	r := newRig(t, func(o *route.Options) { o.Port = port(k) })
	r.dns.Host("mx.host.example", "127.0.0.19")
	find := func(i int) *route.Site {
		domain := fmt.Sprintf("d%d.example", i)
		r.dns.MX(domain, 1, "mx.host.example")
		return r.find(t, domain)
	}
	for i := range 600 {
		find(i)
	}
	r.clock.pass(11 * time.Minute)
	for i := 600; i < 1200; i++ {
		find(i)
	}
	if _, err := send(t, r.Connector(find(1300)), 1); err != nil {
		t.Fatal(err)
	}
	if counts, lost := r.reports.Drain(); len(counts) != 500 || lost != 0 {
		t.Errorf("counted for %d domains, %d lost", len(counts), lost)
	}
}
