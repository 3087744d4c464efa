package smtpin

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"plenary/internal/list/intake"
)

// nullDesk takes everything and keeps nothing.
type nullDesk struct{}

func (nullDesk) Accepts(context.Context, string) error { return nil }

func (nullDesk) Receive(_ context.Context, in intake.Incoming) []intake.Outcome {
	out := make([]intake.Outcome, len(in.Recipients))
	for i := range out {
		out[i].Accepted = true
	}
	return out
}

// BenchmarkPosts measures posts per second over four connections that pipeline
// as Postfix does: MAIL, RCPT and DATA in one packet, then the message.
func BenchmarkPosts(b *testing.B) {
	for name, octets := range map[string]int{"3KB": 3 << 10, "1MB": 1 << 20} {
		b.Run("DATA/"+name, func(b *testing.B) { benchmark(b, octets) })
	}
}

func benchmark(b *testing.B, octets int) {
	server := New(Options{Desk: nullDesk{}, Hostname: "mail.example.org", Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(context.Background(), l)
	defer server.Shutdown(context.Background())
	body := strings.ReplaceAll(message(octets), "\r\n.", "\r\n..") + ".\r\n"
	work := make(chan bool)
	var wg sync.WaitGroup
	for range 4 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		c := newClient(b, conn)
		c.hello()
		wg.Go(func() {
			for range work {
				c.send("MAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\nDATA\r\n")
				for range 3 {
					c.line()
				}
				c.send(body)
				c.expect("250 ")
			}
			c.say("QUIT", "221 ")
		})
	}
	b.SetBytes(int64(octets))
	b.ReportAllocs()
	for b.Loop() {
		work <- true
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}
