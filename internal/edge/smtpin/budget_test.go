package smtpin

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// TestBudget: who may have how much, in MiB of a budget of 512.
func TestBudget(t *testing.T) {
	const mb = 1 << 20
	type ask struct {
		peer    string
		kb      int64 // of one message
		times   int   // so many messages
		granted int
	}
	for _, c := range []struct {
		name string
		asks []ask
	}{
		{"one front server alone has the most of it", []ask{{"front", 32 << 10, 20, 10}}},
		{"who holds most is refused first", []ask{{"a", 32 << 10, 99, 10}, {"b", 16 << 10, 99, 6}, {"c", 8 << 10, 99, 3}}},
		{"small messages have room of their own", []ask{{"a", 8 << 10, 99, 42}, {"a", 256, 40, 40}, {"b", 256, 40, 40}, {"c", 4 << 10, 1, 1}}},
		{"small ones have an end too", []ask{{"a", 256, 4000, 2048}, {"b", 4, 1, 0}}},
		{"a refusal takes nothing", []ask{{"a", 600 << 10, 9, 0}, {"a", 32 << 10, 10, 10}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBudget(512 * mb)
			var all []*holder
			for _, a := range c.asks {
				granted := 0
				for range a.times {
					h := &holder{budget: b, peer: a.peer}
					if all = append(all, h); h.take(a.kb << 10) {
						granted++
					}
				}
				if granted != a.granted {
					t.Errorf("%s: %d messages of %d kB of %d", a.peer, granted, a.kb, a.times)
				}
			}
			for _, h := range all {
				h.release()
			}
			if b.held != 0 || len(b.by) != 0 {
				t.Errorf("%d octets stay counted: %v", b.held, b.by)
			}
		})
	}
}

// TestOneClientDoesNotTakeAllMemory: one address announces large messages on many
// connections, sends the first part of each and falls silent. Others are let in
// beside it, and soon its memory is taken back.
func TestOneClientDoesNotTakeAllMemory(t *testing.T) {
	for _, how := range []string{"DATA", "BDAT"} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, Options{MaxMessageBytes: 1 << 20, MaxHeldBytes: 8 << 20}, false, func(b *bubble) {
				part := message(400 << 10)
				var silent []*client
				for range 40 {
					c := b.dial()
					c.hello()
					c.say("MAIL FROM:<anna@example.org> SIZE=1048576", "250 ")
					c.say("RCPT TO:<talk@example.org>", "250 ")
					if how == "DATA" {
						c.say("DATA", "354 ")
						c.send(part)
					} else {
						c.send(fmt.Sprintf("BDAT %d\r\n%s", len(part), part))
						if line := c.line(); !strings.HasPrefix(line, "250 ") {
							continue // put off at once
						}
					}
					silent = append(silent, c)
				}
				held := b.server.Stats().HeldBytes
				if held <= 4<<20 {
					t.Fatalf("only %d octets are held", held)
				}
				for i, size := range []int{900 << 10, 4 << 10, 200 << 10} {
					c := b.dialFrom(net.IPv4(198, 51, 100, byte(i)))
					c.hello()
					c.to("talk@example.org")
					c.say("DATA", "354 ")
					c.send(message(size) + ".\r\n")
					c.expect("250 ")
					c.say("QUIT", "221 ")
				}
				said := make(chan string, len(silent))
				for _, c := range silent {
					go func() { said <- c.line() }()
				}
				for held > 4<<20 { // the least that burdens others
					if line := <-said; !strings.HasPrefix(line, "421 4.3.1 ") {
						t.Fatalf("%d octets are held, and the next is told %q", held, line)
					}
					synctest.Wait()
					held = b.server.Stats().HeldBytes
				}
			})
		})
	}
}

// dialFrom is dial from another address.
func (b *bubble) dialFrom(ip net.IP) *client {
	ours, theirs := net.Pipe()
	b.conns <- fromConn{theirs, ip}
	return &client{t: b.t, conn: ours, in: bufio.NewReader(ours)}
}

// fromConn seems to come from an address.
type fromConn struct {
	net.Conn
	ip net.IP
}

func (c fromConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: c.ip, Port: 4711} }
