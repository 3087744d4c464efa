package metrics

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestPrometheusHasNothingToSay: its own linter reads what we show.
func TestPrometheusHasNothingToSay(t *testing.T) {
	m := New()
	m.Received("accepted")
	m.Command("help")
	zero := func() float64 { return 0 }
	m.Connection("imap", 1)
	for _, door := range []string{"smtp", "lmtp"} {
		m.Door(door, func() DoorFigures { return DoorFigures{Open: 2, Accepted: 5, TurnedAway: 1} })
	}
	m.Build("v1", "go1.26")
	m.Gauge("plenary_some_seconds", "Age of something.", zero)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(strings.NewReader(string(text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{`plenary_received_total{outcome="accepted"} 1`, `plenary_received_total{outcome="held"} 0`,
		`plenary_connections{door="imap"} 1`, `plenary_connections{door="smtp"} 2`, `plenary_connections_accepted_total{door="lmtp"} 5`,
		`plenary_connections_refused_total{door="smtp"} 1`, `plenary_build_info{goversion="go1.26",version="v1"} 1`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	var none *Metrics
	none.Received("accepted")
	none.Door("smtp", nil)
	none.Build("", "")
}
