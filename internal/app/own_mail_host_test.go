package app_test

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"

	"plenary/internal/app"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/dns"
	"plenary/internal/testkit/real"
)

// TestOwnMailHost: mail for a domain whose mail host is this program, and that has
// no lists here, is not sent to ourselves; lists of ours are reached as any other
// recipient.
func TestOwnMailHost(t *testing.T) {
	t.Parallel()
	names, err := dns.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = names.Close() })
	const ip = "127.0.0.71"
	free, err := real.Port(ip)
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free)
	names.Host("mx.ours.example", ip)
	names.Host("lists.example.org", "127.0.0.72") // known by its name alone
	names.MX("forgotten.example", 10, "mx.ours.example")
	names.MX("named.example", 10, "lists.example.org")
	names.MX("lists.example.org", 10, "mx.ours.example")
	c := testkit.Config(t.TempDir())
	c.SMTP.Listen = net.JoinHostPort(ip, port)
	c.Outbound.Mode, c.Outbound.Resolver, c.Outbound.MXPort, c.Outbound.MXPrivate = "direct", names.Addr(), port, "yes"
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := testkit.Around(t, a)
	l := p.List(talk, model.Discussion)
	p.List("second@lists.example.org", model.Discussion)
	want := map[string]struct {
		state model.DeliveryState
		reply string
	}{
		"p@forgotten.example":      {model.DeliveryFailed, "5.4.6 mail for forgotten.example would come back to this server"},
		"p@named.example":          {model.DeliveryFailed, "5.4.6 mail for named.example would come back to this server"},
		"second@lists.example.org": {model.DeliverySent, ""},
		"nobody@lists.example.org": {model.DeliveryFailed, "5.1.1"},
	}
	for who := range want {
		p.Add(l, model.RoleSubscriber, who)
	}
	at, stop := started(t, a)
	if r := testkit.Send(t, at.SMTP, "p@named.example", []string{talk}, testkit.Mail("From: p@named.example", "To: "+talk, "Subject: all",
		"Message-ID: <all@named.example>", "", "To everybody.")); r.Code != 250 {
		t.Fatal(r)
	}
	var rows []model.Delivery
	eventually(t, "a fate for everybody", func() bool {
		rows, err = a.Store.DeliveriesOf(t.Context(), 1, -1, 100)
		return err == nil && len(rows) == len(want)
	})
	for _, r := range rows {
		who, err := a.Store.Recipients(t.Context(), []int64{r.RecipientID})
		if err != nil || len(who) != 1 {
			t.Fatal(who, err)
		}
		if w := want[who[0].Email]; r.State != w.state || !strings.Contains(r.Reply, w.reply) {
			t.Errorf("%s: state %d, %d %s", who[0].Email, r.State, r.Code, r.Reply)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
