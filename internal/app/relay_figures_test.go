package app_test

import (
	"fmt"
	"testing"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// TestFiguresOfRelays: /metrics says how many copies wait, and what became of
// them by relay and result.
func TestFiguresOfRelays(t *testing.T) {
	for _, relays := range []int{1, 2} {
		t.Run(fmt.Sprint(relays), func(t *testing.T) {
			k, err := sink.Start(sink.Options{Seed: 3, Permanent: 0.3})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			p := testkit.Start(t, func(c *config.Config) {
				c.Outbound.Mode, c.Outbound.Relay = "relay", k.Addr()
				if relays > 1 {
					c.Outbound.Relay += ", 127.0.0.1:1 weight=0"
				}
			})
			l := p.List("talk@lists.example.org", model.Discussion)
			const people = 100
			for i := range people {
				p.Add(l, model.RoleSubscriber, fmt.Sprintf("p%d@example.net", i))
			}
			if err := p.Store.PauseQueue(t.Context(), store.QueueScope{}, "test"); err != nil {
				t.Fatal(err)
			}
			if r := p.Send("p1@example.net", []string{"talk@lists.example.org"}, testkit.Mail("From: p1@example.net", "To: talk@lists.example.org", "Subject: x", "Message-ID: <1@example.net>", "", "x")); r.Code != 250 {
				t.Fatal(r)
			}
			read := func(name string) float64 {
				_, text := get(t, "http://"+p.At.HTTP+"/metrics")
				return figure(text, name)
			}
			eventually(t, "the post's copies are counted as waiting", func() bool { return read("plenary_queue_copies") == people })
			if _, err := p.Store.ResumeQueue(t.Context(), store.QueueScope{}, "test"); err != nil {
				t.Fatal(err)
			}
			at := func(result string) float64 {
				return read(`plenary_site_results_total{result="` + result + `",site="` + k.Addr() + `"}`)
			}
			eventually(t, "every copy is counted by relay and result", func() bool { return at("ok")+at("permanent") == people && read("plenary_queue_copies") == 0 })
			if ok := at("ok"); ok != float64(k.Messages()) || ok == people {
				t.Errorf("%v counted as taken, the relay took %d", ok, k.Messages())
			}
		})
	}
}
