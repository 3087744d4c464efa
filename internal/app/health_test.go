package app_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
)

// TestHealthAndMetrics: what a monitor sees.
func TestHealthAndMetrics(t *testing.T) {
	p := testkit.Start(t, func(c *config.Config) { c.HTTP.MetricsListen = "127.0.0.1:0" })
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, "ann@example.org", "bo@example.net")
	p.Send("ann@example.org", []string{talk}, testkit.Mail("From: ann@example.org", "To: "+talk, "Subject: counted", "Message-ID: <c@example.org>", "", "Hello."))
	p.Send("x@example.net", []string{talk}, testkit.Mail("From: x@example.net", "To: "+talk, "Subject: held", "Message-ID: <h@example.org>", "", "Hello."))
	p.Caught("bo@example.net", 1)
	login := dial(t, p.At.IMAP)
	in := bufio.NewReader(login)
	line(t, in, "")
	ask(t, login, in, "a LOGIN ann@example.org "+p.Password("ann@example.org"))
	for _, base := range []string{"http://" + p.At.HTTP, "http://" + p.At.Metrics} {
		if code, text := get(t, base+"/healthz"); code != 200 || text != "ok\n" {
			t.Errorf("%s: %d %s", base, code, text)
		}
		eventually(t, "the figures of two copies at "+base, func() bool {
			_, text := get(t, base+"/metrics")
			return figure(text, `plenary_deliveries_total\{result="ok"\}`) >= 2
		})
		_, text := get(t, base+"/metrics")
		for name, least := range map[string]float64{`plenary_received_total\{outcome="[a-z]+"\}`: 1, `plenary_logins_total\{result="ok"\}`: 1,
			`plenary_connections\{door="imap"\}`: 1, `plenary_queue_distributions`: 0, `plenary_disk_free_bytes`: 1, `plenary_queue_retries`: 0, `plenary_queue_oldest_age_seconds`: 0,
			`go_goroutines`: 1, `process_open_fds`: 1} {
			if v := figure(text, name); v < least {
				t.Errorf("%s: %s is %v", base, name, v)
			}
		}
	}
	c := *p.Config
	c.HTTP.Listen, c.HTTP.MetricsListen = p.At.HTTP, ""
	if text, err := app.AskHealth(t.Context(), &c); err != nil || text != "ok" {
		t.Error(text, err)
	}
	ill := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the database is away", http.StatusServiceUnavailable)
	})}
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ill.Close()
	go func() { _ = ill.Serve(nl) }()
	c.HTTP.Listen = nl.Addr().String()
	if _, err := app.AskHealth(t.Context(), &c); err == nil || !strings.Contains(err.Error(), "the database is away") {
		t.Error(err)
	}
	c.HTTP.Listen = ""
	if _, err := app.AskHealth(t.Context(), &c); err == nil || !strings.Contains(err.Error(), "http.listen is off") {
		t.Error(err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url) //nolint:gosec // our own address
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// figure finds the first figure of this name; -1 when there is none.
func figure(text, name string) float64 {
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	v := -1.0
	if m != nil {
		_ = json.Unmarshal([]byte(m[1]), &v)
	}
	return v
}
