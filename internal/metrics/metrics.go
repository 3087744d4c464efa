// Package metrics counts what the program does, for Prometheus.
//
// It is the only package that knows the client library. Callers see plain
// methods; a nil *Metrics counts nothing, so services need no stub. Names begin
// with plenary_, carry their unit and keep few labels: no list names, no
// addresses, no remote texts.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is one registry with the program's counters.
type Metrics struct {
	registry   *prometheus.Registry
	received   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	sites      *prometheus.CounterVec
	commands   *prometheus.CounterVec
	logins     *prometheus.CounterVec
	doors      *doors
}

// Values of labels, so that a counter is there from the start and an alarm on it
// does not wait for the first event.
var values = struct{ outcomes, results, logins []string }{ //nolint:gochecknoglobals // a constant table
	outcomes: []string{"accepted", "held", "refused", "discarded", "duplicate", "deferred", "command", "forwarded", "bounce"},
	results:  []string{"ok", "temporary", "permanent", "skipped", "lost", "policy"},
	logins:   []string{"ok", "refused", "anonymous"},
}

// New makes a registry with Go's and the process's own figures.
func New() *Metrics {
	counter := func(name, help, label string, known []string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		for _, v := range known {
			c.WithLabelValues(v)
		}
		return c
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		received:   counter("plenary_received_total", "Messages received, one for each recipient address, by what became of them.", "outcome", values.outcomes),
		deliveries: counter("plenary_deliveries_total", "Copies by result, one for each recipient and attempt; of the temporary and permanent ones, lost and policy count some again.", "result", values.results),
		sites: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plenary_site_results_total",
			Help: "Copies tried, by result, and by relay or, in direct mode, row of the table of providers."}, []string{"site", "result"}),
		commands: counter("plenary_commands_total", "E-mail commands run, by command.", "command", nil),
		logins:   counter("plenary_logins_total", "Logins at the IMAP door, by result.", "result", values.logins),
		doors:    newDoors(),
	}
	for _, v := range values.results {
		m.sites.WithLabelValues("default", v)
	}
	m.registry.MustRegister(m.received, m.deliveries, m.sites, m.commands, m.logins, m.doors,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Received counts one message for one recipient address.
func (m *Metrics) Received(outcome string) {
	if m != nil {
		m.received.WithLabelValues(outcome).Inc()
	}
}

// Delivered counts n recipients tried with the same result.
func (m *Metrics) Delivered(result string, n int) {
	if m != nil {
		m.deliveries.WithLabelValues(result).Add(float64(n))
	}
}

// SiteResult counts n recipients tried at a site with the same result; site is
// one of a small set of names.
func (m *Metrics) SiteResult(site, result string, n int) {
	if m != nil {
		m.sites.WithLabelValues(site, result).Add(float64(n))
	}
}

// Command counts one e-mail command.
func (m *Metrics) Command(name string) {
	if m != nil {
		m.commands.WithLabelValues(name).Inc()
	}
}

// Login counts one attempt to log in.
func (m *Metrics) Login(result string) {
	if m != nil {
		m.logins.WithLabelValues(result).Inc()
	}
}

// Connection counts a connection of a door while it lasts: call it with +1 and
// then -1.
func (m *Metrics) Connection(door string, change float64) {
	if m != nil {
		m.doors.change(door, change)
	}
}

// Gauge registers a figure that is asked for at each scrape. It gives NaN when
// it is not known.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
}

// Build registers what this binary is.
func (m *Metrics) Build(version, goVersion string) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "plenary_build_info",
			Help: "The version of this binary; always 1.", ConstLabels: prometheus.Labels{"version": version, "goversion": goVersion}},
			func() float64 { return 1 }))
	}
}

// Handler serves the registry in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
