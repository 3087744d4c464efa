package route_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
)

// web serves policy files, and counts.
type web struct {
	mu    sync.Mutex
	files map[string]string // absent: an error
	asked int
}

func (w *web) Policy(_ context.Context, domain string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if f, ok := w.files[domain]; ok {
		return []byte(f), nil
	}
	return nil, errors.New("404")
}

// shelf is a PolicyStore in memory.
type shelf map[string]route.Policy

func (s shelf) LoadPolicy(_ context.Context, domain string) (*route.Policy, error) {
	if p, ok := s[domain]; ok {
		return &p, nil
	}
	return nil, nil
}

func (s shelf) SavePolicy(_ context.Context, p *route.Policy) error {
	s[p.Domain] = *p
	return nil
}

func policy(mode string, age int, mx ...string) string {
	return fmt.Sprintf("version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %d\r\n", mode, strings.Join(mx, "\r\nmx: "), age)
}

func TestParsePolicy(t *testing.T) {
	for text, want := range map[string]string{
		"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backup.example.com\nmax_age: 604800\n": "enforce [mail.example.com *.example.net backup.example.com] 168h0m0s",
		policy("testing", 60, "MX.Example.com."):                          "testing [mx.example.com] 1m0s",
		"version: STSv1\nmode: none\nmax_age: 0":                          "none [] 0s",
		policy("enforce", 60, "a.example") + "mode: none\nfuture: x\n":    "enforce [a.example] 1m0s",
		"version:STSv1\nmode:\tenforce \nmx:a.example\nmax_age: 31557600": "enforce [a.example] 8766h0m0s",
		"version: STSv2\nmode: none\nmax_age: 1":                          "",
		"mode: none\nmax_age: 1":                                          "",
		policy("maybe", 60, "a.example"):                                  "",
		policy("enforce", 31557601, "a.example"):                          "",
		policy("enforce", -1, "a.example"):                                "",
		policy("enforce", 60, "a..example"):                               "",
		policy("enforce", 60, "*"):                                        "",
		policy("enforce", 60, "a.*.example"):                              "",
		"version: STSv1\nmode: enforce\nmax_age: 60":                      "",
		"version: STSv1\nmode: enforce\nmx: a.example\n":                  "",
		"<html>not found</html>":                                          "",
		"":                                                                "",
		policy("enforce", 60, "a.example") + strings.Repeat("x\n", 40000): "",
	} {
		p, err := route.ParsePolicy([]byte(text))
		got := ""
		if err == nil {
			got = fmt.Sprintf("%s %v %v", p.Mode, p.MX, p.MaxAge)
		}
		if got != want {
			t.Errorf("%.100q: %q, want %q (%v)", text, got, want, err)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(policy("enforce", 60, "a.example", "*.b.example")))
	f.Add([]byte("version: STSv1\nmode: none\nmax_age: 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := route.ParsePolicy(text)
		if err != nil {
			return
		}
		again, err := route.ParsePolicy([]byte(policy(string(p.Mode), int(p.MaxAge/time.Second), p.MX...)))
		if len(p.MX) > 0 && (err != nil || fmt.Sprint(again.MX) != fmt.Sprint(p.MX)) {
			t.Errorf("%q: %v, %v", p.MX, again, err)
		}
		p.Allows("mx.example.org")
	})
}

func TestPolicyAllows(t *testing.T) {
	p := route.Policy{MX: []string{"mail.example.com", "*.example.net"}}
	for host, want := range map[string]bool{
		"mail.example.com": true, "MAIL.example.com.": true, "a.example.net": true, "a.b.example.net": false, "example.net": false,
		".example.net": false, "xexample.net": false, "mail.example.com.evil.example": false, "": false,
	} {
		if p.Allows(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func stsRig(t *testing.T) (*rig, *route.STS, *web, shelf) {
	w, kept := &web{files: map[string]string{}}, shelf{}
	s := &route.STS{Fetcher: w, Store: kept}
	r := newRig(t, func(o *route.Options) {
		s.DNS, s.Now, s.Reports = o.DNS, o.Now, o.Reports
		o.STS = s
	})
	return r, s, w, kept
}

// TestPolicyIsKept walks through the life of a policy.
func TestPolicyIsKept(t *testing.T) {
	r, s, w, kept := stsRig(t)
	mode := func() string {
		if p := s.Find(t.Context(), "a.example"); p != nil {
			return p.ID + " " + string(p.Mode)
		}
		return "none"
	}
	expect := func(when, want string, asked int) {
		t.Helper()
		if got := mode(); got != want || w.asked != asked {
			t.Errorf("%s: %s, fetched %d times; want %s, %d", when, got, w.asked, want, asked)
		}
	}
	const at = "_mta-sts.a.example"
	announce := func(texts ...string) {
		r.dns.Forget(at)
		for _, txt := range texts {
			r.dns.TXT(at, txt)
		}
	}
	expect("no record", "none", 0)
	announce("v=STSv1; id=1;", "v=STSv1; id=2;")
	expect("two records", "none", 0)
	announce("v=STSv1; id=-;")
	expect("a bad id", "none", 0)
	announce("v=spf1 -all", "v=STSv1; id=1;")
	expect("a record without a file", "none", 1)
	expect("asked again at once", "none", 1)
	r.clock.pass(6 * time.Minute)
	w.files["a.example"] = policy("enforce", 7*86400, "mx.a.example")
	expect("the file is there", "1 enforce", 2)
	expect("again", "1 enforce", 2)
	announce("v=STSv1; id=2")
	delete(w.files, "a.example")
	expect("a new id without a file", "1 enforce", 3)
	announce()
	expect("the record is gone", "1 enforce", 3)
	r.dns.Fail(at, dnsmessage.RCodeServerFailure)
	expect("DNS is broken", "1 enforce", 3)
	// Another process, the same shelf.
	s = &route.STS{DNS: s.DNS, Fetcher: w, Store: kept, Now: r.clock.Now}
	expect("after a restart", "1 enforce", 3)
	r.clock.pass(8 * 24 * time.Hour)
	expect("too old", "none", 3)
	r.dns.Fail(at, dnsmessage.RCodeSuccess)
	announce("v=STSv1; id=3")
	w.files["a.example"] = policy("none", 86400, "x.example")
	expect("mode none", "3 none", 4)
	r.clock.pass(13 * time.Hour)
	expect("refreshed after half its age", "3 none", 5)
	counts, _ := r.reports.Drain()
	if len(counts) == 0 || counts[0].Result != "sts-policy-fetch-error" || counts[0].Policy != route.PolicySTS {
		t.Errorf("%+v", counts)
	}
}

func TestEnforceFiltersHosts(t *testing.T) {
	r, _, w, _ := stsRig(t)
	for _, d := range []string{"a.example", "b.example", "c.example"} {
		r.dns.MX(d, 1, "mx1.a.example")
		r.dns.MX(d, 2, "mx2.a.example")
		r.dns.TXT("_mta-sts."+d, "v=STSv1; id=1")
	}
	r.dns.Host("mx1.a.example", "127.0.0.1")
	r.dns.Host("mx2.a.example", "127.0.0.2")
	w.files["a.example"] = policy("enforce", 86400, "mx2.a.example")
	w.files["b.example"] = policy("testing", 86400, "mx2.a.example")
	w.files["c.example"] = policy("enforce", 86400, "mx.c.example")
	if k := r.find(t, "a.example").Key; k != "mx2.a.example+tls" {
		t.Errorf("enforce: %s", k)
	}
	if k := r.find(t, "b.example").Key; k != "mx1.a.example>mx2.a.example+testing" {
		t.Errorf("testing: %s", k)
	}
	if _, fail := r.Find(t.Context(), "c.example", false); fail.State != queue.Temporary || !strings.HasPrefix(fail.Reply, "4.7.5") {
		t.Errorf("%v", fail)
	}
}

// TestEnforceBesideUnusableTLSA: TLSA records that cannot be used prove nothing, so
// the policy holds (RFC 7672 2.2, RFC 8461 2).
func TestEnforceBesideUnusableTLSA(t *testing.T) {
	r, _, w, _ := stsRig(t)
	const record = "_25._tcp.mx.a.example"
	r.dns.MX("a.example", 1, "mx.a.example")
	r.dns.Host("mx.a.example", "127.0.0.1")
	r.dns.TXT("_mta-sts.a.example", "v=STSv1; id=1")
	r.dns.TLSA(record, append([]byte{1, 0, 1}, make([]byte, 32)...))
	r.dns.Secure("a.example", "mx.a.example", record)
	w.files["a.example"] = policy("enforce", 86400, "other.example")
	if s, fail := r.Find(t.Context(), "a.example", false); s != nil || fail.State != queue.Temporary || !strings.HasPrefix(fail.Reply, "4.7.5") {
		t.Errorf("%+v, %v", s, fail)
	}
}
