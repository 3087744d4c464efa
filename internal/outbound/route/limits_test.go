package route_test

import (
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/outbound/route"
)

// TestStartingTable holds the built-in table against the figures it was made
// from.
func TestStartingTable(t *testing.T) {
	tab := table(t)
	for _, c := range []struct {
		host, domain string
		name         string
		conns        int
		letters      int
		tls          string
		perSite      bool
	}{
		{"mx.example.org", "example.org", "default", 10, 100, "opportunistic", true},
		{"aspmx.l.google.com", "example.org", "google", 5, 50, "required", false},
		{"aspmx2.googlemail.com", "example.org", "google", 5, 50, "required", false},
		{"google.com.example.org", "example.org", "default", 10, 100, "opportunistic", true},
		{"evilgoogle.com", "example.org", "default", 10, 100, "opportunistic", true},
		{"mta5.am0.yahoodns.net", "yahoo.com", "yahoo", 10, 20, "opportunistic", false},
		{"example-org.mail.protection.outlook.com", "example.org", "microsoft", 5, 50, "opportunistic", false},
		{"outlook-com.olc.protection.outlook.com", "outlook.com", "microsoft", 5, 50, "opportunistic", false},
		{"a.b.mx.microsoft", "example.org", "microsoft", 5, 50, "opportunistic", false},
		{"mx01.mail.icloud.com", "me.com", "icloud", 10, 5, "opportunistic", false},
		{"mx.example.net", "comcast.net", "comcast", 25, 1000, "required", false},
		{"eu-smtp-inbound-1.mimecast.com", "example.org", "mimecast", 10, 100, "opportunistic", true},
		{"smtp-in.orange.fr", "orange.fr", "orange", 2, 100, "required", false},
	} {
		l := tab.For([]string{c.host}, c.domain)
		if l.Name != c.name || l.Connections != c.conns || l.Letters != c.letters || l.TLS != c.tls || l.PerSite != c.perSite ||
			l.Rate != 100 || l.Opens != 100 || l.Batch != 16 {
			t.Errorf("%s: %+v", c.host, l)
		}
	}
	if l := tab.For([]string{"aspmx.l.google.com", "mx.example.org"}, "example.org"); l.Name != "default" {
		t.Errorf("a site that is only partly the provider's is taken for %s", l.Name)
	}
}

func TestOwnTable(t *testing.T) {
	tab := table(t, `
[[limit]]
name = "default"
connections = 3
[[limit]]
name = "google"
mx = [".google.com"]
connections = 20
[[limit]]
name = "neighbour"
mx = ["MX.Example.NET."]
share = true
  [[limit.reaction]]
  reply = "slow down"
  rate = 1.0
  for = "5m"
`)
	g := tab.For([]string{"aspmx.l.google.com"}, "example.org")
	if g.Connections != 20 || g.Letters != 100 || g.TLS != "opportunistic" || len(g.Reactions) != 0 {
		t.Errorf("google: %+v", g)
	}
	if l := tab.For([]string{"aspmx2.googlemail.com"}, "example.org"); l.Name != "default" || l.Connections != 3 || l.Rate != 100 {
		t.Errorf("default: %+v", l)
	}
	if l := tab.For([]string{"mx.example.net"}, "example.net"); l.Name != "neighbour" || !l.Share || l.Connections != 3 || l.Reactions[0].For != 5*time.Minute {
		t.Errorf("neighbour: %+v", l)
	}
}

func TestTableMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"[[limit]]\nname = 'x'\nmx = ['.x']\nconections = 3":                                                    "unknown key",
		"[[limit]]\nname = 'x'":                                                                                 "neither mx nor domains",
		"[[limit]]\nmx = ['.x']":                                                                                "name of its own",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit]]\nname = 'x'\nmx = ['.y']":                                "name of its own",
		"[[limit]]\nname = 'x'\nmx = ['.x']\nconnections = -1":                                                  "connections",
		"[[limit]]\nname = 'x'\nmx = ['.x']\nrate = -0.5":                                                       "rate",
		"[[limit]]\nname = 'x'\nmx = ['.x']\nrate = nan":                                                        "rate",
		"[[limit]]\nname = 'x'\nmx = ['.']":                                                                     "empty",
		"[[limit]]\nname = 'x'\nmx = ['.x']\ntls = 'yes'":                                                       "tls",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = '('\nsuspend = '1m'":                   "regular expression",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = 'a'":                                   "no consequence",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = 'a'\nrate = 1.0":                       "how long",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = 'a'\nsuspend = '1000h'":                "7 days",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = 'a'\nsuspend = '1m'\ntimes = 3":        "how long",
		"[[limit]]\nname = 'default'\nconnections = 5000":                                                       "connections",
		"[[limit]]\nname = 'x'\nmx = ['.x']\n[[limit.reaction]]\nreply = 'a'\nconnections = -1\nsuspend = '1m'": "below 0",
	} {
		_, err := route.ReadTable(decode, route.DefaultTable(), text)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want %q", text, err, want)
		}
	}
	if _, err := route.ReadTable(decode, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("a table without a default: %v", err)
	}
}

// TestSharing: what is a site, and what shares limits.
func TestSharing(t *testing.T) {
	r := newRig(t, func(o *route.Options) {
		o.Table = table(t, "[[limit]]\nname = 'neighbour'\nmx = ['.neighbour.example']\nshare = true")
	})
	for _, tenant := range []string{"one", "two"} {
		r.dns.MX(tenant+".example", 0, tenant+"-example.mail.protection.outlook.com")
		r.dns.Host(tenant+"-example.mail.protection.outlook.com", "127.0.0.9")
		r.dns.MX(tenant+".org.example", 0, tenant+".neighbour.example")
		r.dns.Host(tenant+".neighbour.example", "127.0.0.9")
		r.dns.Host("alone-"+tenant+".example", "127.0.0.9")
	}
	for _, c := range []struct {
		a, b             string
		sameKey, samePac bool
	}{
		{"one.example", "two.example", false, true},
		{"one.org.example", "two.org.example", true, true},
		{"alone-one.example", "alone-two.example", false, false},
	} {
		a, b := r.find(t, c.a), r.find(t, c.b)
		if (a.Key == b.Key) != c.sameKey || (a.PaceKey() == b.PaceKey()) != c.samePac {
			t.Errorf("%s %q %q, %s %q %q", c.a, a.Key, a.PaceKey(), c.b, b.Key, b.PaceKey())
		}
	}
	if p := r.find(t, "one.example").Provider; p != "outlook.com" && !strings.HasSuffix(p, ".outlook.com") {
		t.Errorf("provider %q", p)
	}
}
