package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// doors shows the connections of all doors under the same names: of one that
// tells each of them (Connection), and of those that count themselves (Door).
type doors struct {
	open, accepted, refused *prometheus.Desc

	mu      sync.Mutex
	counted map[string]float64
	asked   map[string]func() DoorFigures
}

// DoorFigures are the connections of a door that counts them itself.
type DoorFigures struct {
	Open       int   // now
	Accepted   int64 // let in since the start
	TurnedAway int64 // because there were too many
}

func newDoors() *doors {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"door"}, nil) }
	return &doors{
		open:     desc("plenary_connections", "Open connections, by door."),
		accepted: desc("plenary_connections_accepted_total", "Connections let in, by door."),
		refused:  desc("plenary_connections_refused_total", "Connections turned away because there were too many, by door."),
		counted:  map[string]float64{"imap": 0}, asked: map[string]func() DoorFigures{},
	}
}

// Door registers a door that counts its connections itself.
func (m *Metrics) Door(name string, figures func() DoorFigures) {
	if m != nil {
		m.doors.mu.Lock()
		defer m.doors.mu.Unlock()
		m.doors.asked[name] = figures
	}
}

func (d *doors) change(door string, by float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counted[door] += by
}

// Describe implements prometheus.Collector.
func (d *doors) Describe(out chan<- *prometheus.Desc) {
	out <- d.open
	out <- d.accepted
	out <- d.refused
}

// Collect implements prometheus.Collector.
func (d *doors) Collect(out chan<- prometheus.Metric) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for door, n := range d.counted {
		out <- prometheus.MustNewConstMetric(d.open, prometheus.GaugeValue, n, door)
	}
	for door, ask := range d.asked {
		f := ask()
		out <- prometheus.MustNewConstMetric(d.open, prometheus.GaugeValue, float64(f.Open), door)
		out <- prometheus.MustNewConstMetric(d.accepted, prometheus.CounterValue, float64(f.Accepted), door)
		out <- prometheus.MustNewConstMetric(d.refused, prometheus.CounterValue, float64(f.TurnedAway), door)
	}
}
