package app_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/dns"
)

// braggart is a mail server that offers STARTTLS and CHUNKING and can do neither.
type braggart struct {
	net.Listener
	mu   sync.Mutex
	took []string // recipients
}

func startBraggart(t *testing.T, addr string) *braggart {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	b := &braggart{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return b
}

func (b *braggart) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(text string) { _, _ = io.WriteString(c, text+"\r\n") }
	say("220 here")
	to := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch word := strings.Fields(strings.ToUpper(line) + " -"); word[0] {
		case "EHLO":
			say("250-here\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 CHUNKING")
		case "STARTTLS":
			say("454 4.7.0 TLS not available due to local problem")
		case "BDAT":
			n, _ := strconv.Atoi(word[1])
			_, _ = r.Discard(n)
			say("502 5.5.1 not implemented")
		case "DATA":
			say("354 go on")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			b.mu.Lock()
			b.took = append(b.took, to)
			b.mu.Unlock()
			say("250 2.0.0 taken")
		case "RCPT":
			to = strings.TrimSpace(line)
			say("250 2.1.5 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// TestPeersThatOfferTooMuch: mail goes, at the first try, by a relay and to a mail
// host that offer TLS and CHUNKING and have neither.
func TestPeersThatOfferTooMuch(t *testing.T) {
	for _, mode := range []string{"relay", "direct"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel() // a site that broke a connection rests for seconds
			b := startBraggart(t, "127.0.0.69:0")
			_, port, _ := net.SplitHostPort(b.Addr().String())
			names, err := dns.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = names.Close() })
			names.Host("mx.example.net", "127.0.0.69")
			names.MX("example.net", 10, "mx.example.net")
			p := testkit.Start(t, func(c *config.Config) {
				o := &c.Outbound
				o.Mode, o.Relay, o.RelayTLS = mode, b.Addr().String(), "opportunistic"
				o.Resolver, o.MXPort, o.MXPrivate = names.Addr(), port, "yes"
			})
			l := p.List("talk@lists.example.org", model.Discussion)
			p.Add(l, model.RoleSubscriber, "ann@example.net", "bo@example.net", "cy@example.net")
			if r := p.Send("ann@example.net", []string{"talk@lists.example.org"}, testkit.Mail("From: ann@example.net", "To: talk@lists.example.org", "Subject: x", "Message-ID: <1@example.net>", "", "x")); r.Code != 250 {
				t.Fatal(r)
			}
			eventually(t, "three copies are sent", func() bool {
				n := 0
				for _, d := range deliveries(t, p, 1) {
					if d.Attempts > 1 || d.Attempts == 1 && d.State != model.DeliverySent {
						t.Fatalf("%+v", d)
					}
					n += d.Attempts
				}
				return n == 3
			})
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.took) != 3 {
				t.Errorf("it took %v", b.took)
			}
		})
	}
}

func deliveries(t *testing.T, p *testkit.Plenary, id int64) []model.Delivery {
	t.Helper()
	all, err := p.Store.DeliveriesOf(t.Context(), id, -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
