package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/list/keys"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/ca"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/sink"
)

// endpoint takes reports by HTTPS. It refuses the first to each path below
// /later.
type endpoint struct {
	mu   sync.Mutex
	got  map[string][]string // texts by path
	late map[string]bool
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/later") && !e.late[r.URL.Path] {
		e.late[r.URL.Path] = true
		http.Error(w, "later", http.StatusInternalServerError)
		return
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/tlsrpt+gzip" {
		http.Error(w, "what is this", http.StatusBadRequest)
		return
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return
	}
	e.got[r.URL.Path] = append(e.got[r.URL.Path], string(text))
	w.WriteHeader(http.StatusCreated)
}

// TestTLSReports: each domain that asks gets one report of yesterday, by mail or
// HTTPS, signed, also where its own policy makes all other mail wait; and nobody
// gets a report about reports.
func TestTLSReports(t *testing.T) {
	w := &world{t: t, port: "0"}
	var err error
	if w.dns, err = dns.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.dns.Close() })
	trusted := ca.New(t)
	falseTLS, _ := ca.New(t).Issue(t, time.Hour, "mx.false.example")
	httpsTLS, _ := trusted.Issue(t, time.Hour, "reports.example", "mta-sts.false.example")
	var mu sync.Mutex
	var mails []string
	host := w.host("127.0.0.71", sink.Options{TLS: falseTLS, OnMessage: func(m sink.Message) {
		mu.Lock()
		defer mu.Unlock()
		mails = append(mails, string(m.Data))
	}})
	w.mx("127.0.0.71", "mx.false.example", "false.example")
	w.dns.TXT("_mta-sts.false.example", "v=STSv1; id=1;")
	w.dns.Host("lists.example.org", "198.51.100.7")
	for d, rua := range map[string]string{"false.example": "mailto:tls@false.example", "web.example": "https://reports.example/in",
		"late.example": "https://reports.example/later", "moved.example": "https://reports.example/later/moved"} {
		w.dns.TXT("_smtp._tls."+d, "v=TLSRPTv1; rua="+rua)
	}
	takes := &endpoint{got: map[string][]string{}, late: map[string]bool{}}
	mux := http.NewServeMux()
	mux.Handle("reports.example/", takes)
	mux.HandleFunc("mta-sts.false.example/", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(rw, "version: STSv1\nmode: enforce\nmx: mx.false.example\nmax_age: 86400\n")
	})
	web := httptest.NewUnstartedServer(mux)
	web.TLS = httpsTLS
	web.StartTLS()
	defer web.Close()

	c := testkit.Config(t.TempDir())
	c.Hostname = "lists.example.org"
	c.Outbound.Mode, c.Outbound.Resolver, c.Outbound.MXPort, c.Outbound.MXPrivate = "direct", w.dns.Addr(), w.port, "yes"
	c.Outbound.TLSReports = "postmaster@lists.example.org"
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	a.Outside(trusted.Pool(), web.Listener.Addr().String())
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	day := today.AddDate(0, 0, -1).Format(time.DateOnly)
	var counts []model.TLSCount
	for _, d := range []string{"false.example", "web.example", "late.example", "moved.example", "silent.example"} {
		counts = append(counts, model.TLSCount{Day: day, Domain: d, Policy: "sts", MXHost: "mx." + d, Sessions: 4},
			model.TLSCount{Day: day, Domain: d, Policy: "sts", MXHost: "mx." + d, IP: "192.0.2.1", Result: "certificate-expired", Sessions: 2})
	}
	if err := a.Store.AddTLSCounts(t.Context(), counts); err != nil {
		t.Fatal(err)
	}
	_, stop := started(t, a)
	report := func(at time.Duration) {
		t.Helper()
		var wg sync.WaitGroup
		for range 2 { // as if on two nodes; the program's own job may be a third
			wg.Go(func() {
				if err := a.ReportTLS(t.Context(), today.Add(at)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	report(5 * time.Minute)
	if len(takes.got) > 0 || len(takes.late) > 0 {
		t.Errorf("too early: %v", takes.got)
	}
	report(5 * time.Hour) // there is no key yet: by mail nothing goes
	if n := len(takes.got["/in"]); n < 1 || n > 3 {
		t.Errorf("%d reports to web.example", n)
	}
	service := keys.New(keys.Deps{Store: a.Store})
	if _, err := service.Create(t.Context(), keys.Request{Domain: "lists.example.org"}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Activate(t.Context(), "lists.example.org", "", true); err != nil {
		t.Fatal(err)
	}
	a.ForgetKeys()
	for range 3 {
		report(6 * time.Hour)
	}
	eventually(t, "the report by mail", func() bool { return host.Messages() > 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(mails) != 1 {
		t.Fatalf("%d reports by mail", len(mails))
	}
	head := message.ParseHeader([]byte(mails[0]))
	if s := head.Get("DKIM-Signature"); !strings.Contains(s, "d=lists.example.org") || head.Get("TLS-Report-Domain") != "false.example" || head.Get("From") != "TLS reports <postmaster@lists.example.org>" {
		t.Errorf("%s", mails[0][:1000])
	}
	for path, most := range map[string]int{"/in": 3, "/later": 3, "/later/moved": 3} {
		texts := takes.got[path]
		if len(texts) == 0 || len(texts) > most {
			t.Errorf("%s got %d reports", path, len(texts))
			continue
		}
		var r struct {
			ID       string `json:"report-id"`
			Policies []struct {
				Summary map[string]int
				Details []map[string]any `json:"failure-details"`
			}
		}
		if err := json.Unmarshal([]byte(texts[0]), &r); err != nil || len(r.Policies) != 1 || r.Policies[0].Summary["total-failure-session-count"] != 2 ||
			r.Policies[0].Details[0]["sending-mta-ip"] != "198.51.100.7" {
			t.Errorf("%v: %s", err, texts[0])
		}
		for _, again := range texts { // who got it twice can tell
			if again != texts[0] {
				t.Errorf("%s and %s", again, texts[0])
			}
		}
	}
	left, err := a.Store.UnreportedTLS(t.Context(), day, "", 10)
	if err != nil || len(left) > 0 {
		t.Errorf("%v have no report, %v", left, err)
	}
	about, err := a.Store.TLSCounts(t.Context(), time.Now().UTC().Format(time.DateOnly))
	if err != nil || len(about) > 0 {
		t.Errorf("sessions of reports were counted: %+v, %v", about, err)
	}
	if bytes.Contains([]byte(mails[0]), []byte(net.JoinHostPort("127.0.0.71", w.port))) {
		t.Error("it tells our own addresses")
	}
}
