package app_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/ca"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/sink"
)

// world is a name server and mail hosts on addresses of loopback.
type world struct {
	t    *testing.T
	dns  *dns.Server
	port string
}

func (w *world) host(ip string, o sink.Options) *sink.Sink {
	w.t.Helper()
	o.Addr = net.JoinHostPort(ip, w.port)
	k, err := sink.Start(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = k.Close() })
	_, w.port, _ = net.SplitHostPort(k.Addr())
	return k
}

// mx says where the mail of domains goes.
func (w *world) mx(ip, name string, domains ...string) {
	w.dns.Host(name, ip)
	for _, d := range domains {
		w.dns.MX(d, 10, name)
	}
}

// TestDirect: the whole program sends a post straight to the mail hosts of many
// domains, good, bad and protected; each recipient is accounted for.
func TestDirect(t *testing.T) {
	w := &world{t: t, port: "0"}
	var err error
	if w.dns, err = dns.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.dns.Close() })
	trusted := ca.New(t)
	secureTLS, _ := trusted.Issue(t, time.Hour, "mx.secure.example")
	falseTLS, _ := ca.New(t).Issue(t, time.Hour, "mx.false.example")
	daneTLS, leaf := ca.New(t).Issue(t, time.Hour, "mx.dane.example")
	policyTLS, _ := trusted.Issue(t, time.Hour, "mta-sts.secure.example", "mta-sts.false.example")

	shared := w.host("127.0.0.61", sink.Options{})
	storm := w.host("127.0.0.63", sink.Options{RefuseMail: "450 4.7.1 too much from you"})
	secure := w.host("127.0.0.64", sink.Options{TLS: secureTLS})
	unsafe := w.host("127.0.0.65", sink.Options{TLS: falseTLS})
	own := w.host("127.0.0.66", sink.Options{})
	dane := w.host("127.0.0.67", sink.Options{TLS: daneTLS})
	w.mx("127.0.0.61", "mx.shared.example", "a.example", "b.example", "c.example", "d.example")
	w.mx("127.0.0.62", "mx.down.example", "down.example") // nobody listens
	w.mx("127.0.0.63", "mx.storm.example", "storm.example")
	w.mx("127.0.0.64", "mx.secure.example", "secure.example")
	w.mx("127.0.0.65", "mx.false.example", "false.example")
	w.dns.Host("own.example", "127.0.0.66") // no MX: its own host
	w.mx("127.0.0.67", "mx.dane.example", "dane.example")
	w.dns.MX("null.example", 0, ".")
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	w.dns.TLSA("_"+w.port+"._tcp.mx.dane.example", append([]byte{3, 1, 1}, sum[:]...))
	w.dns.Secure("dane.example", "mx.dane.example", "_"+w.port+"._tcp.mx.dane.example")
	for _, d := range []string{"secure.example", "false.example"} {
		w.dns.TXT("_mta-sts."+d, "v=STSv1; id=1;")
	}
	policies := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(rw, "version: STSv1\r\nmode: enforce\r\nmx: mx.%s\r\nmax_age: 86400\r\n", strings.TrimPrefix(r.Host, "mta-sts."))
	}))
	policies.TLS = &tls.Config{Certificates: policyTLS.Certificates}
	policies.StartTLS()
	defer policies.Close()

	c := testkit.Config(t.TempDir())
	c.Outbound.Mode, c.Outbound.Resolver, c.Outbound.MXPort, c.Outbound.MXPrivate = "direct", w.dns.Addr(), w.port, "yes"
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.Outside(trusted.Pool(), policies.Listener.Addr().String())
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var people []string
	each := map[string]int{"a": 7, "b": 7, "c": 7, "d": 7, "down": 20, "storm": 30, "secure": 5, "false": 5, "own": 3, "dane": 3, "null": 4, "nowhere": 4}
	for d, n := range each {
		for i := range n {
			people = append(people, fmt.Sprintf("p%d@%s.example", i, d))
		}
	}
	p := testkit.Around(t, a)
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, people...)
	at, stop := started(t, a)
	if r := testkit.Send(t, at.SMTP, "p0@a.example", []string{talk}, testkit.Mail("From: p0@a.example", "To: "+talk, "Subject: all",
		"Message-ID: <all@a.example>", "", "To everybody.")); r.Code != 250 {
		t.Fatal(r)
	}
	var e model.Distribution
	count := func(state model.DeliveryState, domain string) (n int) {
		rows, err := a.Store.DeliveriesOf(t.Context(), e.ID, -1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[int64]string{}
		subs, err := a.Store.SubscribersOf(t.Context(), l.ID, model.RoleSubscriber, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subs {
			ids[s.ID] = s.Email
		}
		for _, r := range rows {
			if r.State == state && strings.HasSuffix(ids[r.RecipientID], "@"+domain+".example") {
				n++
			}
		}
		return n
	}
	eventually(t, "a fate for everybody", func() bool {
		st, err := a.Store.QueueStatus(t.Context(), 10)
		if err != nil || len(st.Entries) == 0 {
			return false
		}
		e = st.Entries[0].Distribution
		rows, err := a.Store.DeliveriesOf(t.Context(), e.ID, -1, 1000)
		return err == nil && len(rows) == len(people)
	})
	for d, n := range each {
		want := model.DeliverySent
		switch d {
		case "down", "storm", "false", "nowhere":
			want = model.DeliveryRetry
		case "null":
			want = model.DeliveryFailed
		}
		if have := count(want, d); have != n {
			t.Errorf("%s: %d of %d are in state %d", d, have, n, want)
		}
	}
	for name, k := range map[string]*sink.Sink{"shared": shared, "secure": secure, "own": own, "dane": dane, "unsafe": unsafe, "storm": storm} {
		snap := k.Snapshot()
		want := map[string]int64{"shared": 28, "secure": 5, "own": 3, "dane": 3}[name]
		for who, n := range snap.Recipients() {
			if n != 1 {
				t.Errorf("%s got %d copies", who, n)
			}
		}
		if snap.Messages != want {
			t.Errorf("%s took %d letters, want %d", name, snap.Messages, want)
		}
		if name == "shared" && snap.Connections > 4 {
			t.Errorf("%d connections to the host of four domains", snap.Connections)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	tlsOutcomes(t, a)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// tlsOutcomes looks at what is kept for TLS reports, and at the policies.
func tlsOutcomes(t *testing.T, a *app.App) {
	t.Helper()
	rows, err := a.Store.TLSCounts(t.Context(), time.Now().UTC().Format("2006-01-02"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Domain+" "+r.Policy+" "+r.Result] = r.Sessions > 0
	}
	for _, want := range []string{"secure.example sts ", "false.example sts certificate-not-trusted", "dane.example tlsa ", "own.example no-policy-found starttls-not-supported"} {
		if !seen[want] {
			t.Errorf("%q was not counted: %v", want, seen)
		}
	}
	if s, err := a.Store.FindSTSPolicy(t.Context(), "secure.example"); err != nil || s == nil || s.Mode != "enforce" {
		t.Errorf("%+v, %v", s, err)
	}
}
