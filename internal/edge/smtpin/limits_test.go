package smtpin

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/list/intake"
)

func TestEveryKindHasAReply(t *testing.T) {
	for kind := fault.Kind(0); kind.String() != "unknown"; kind++ {
		row := codeOf(kind)
		if class := row.code / 100; class != 4 && class != 5 || row.enhanced[0] != class {
			t.Errorf("%s: %d %v", kind, row.code, row.enhanced)
		}
	}
	if got := codeOf(200); got.code != 451 {
		t.Errorf("an unknown kind gives %d", got.code)
	}
}

func TestWireText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"two\r\n250 lines\x00\u2028x\xff", "two 250 lines x?"},
		{"„Käse“ – naïve…", `"Kase" - naive...`},
		{"日", "?"},
	} {
		if got := wireText(c.in, 0, false); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	for in, want := range map[string]string{"„Käse“\x00\u2028\u200b\xff – 日": "„Käse“ ?? – 日", "a\u0308": "ä"} {
		if got := wireText(in, 0, true); got != want {
			t.Errorf("%q in UTF-8: got %q, want %q", in, got, want)
		}
	}
	if got := wireText(strings.Repeat("ä", 5000), 0, true); !utf8.ValidString(got) || len(got) > maxReplyLine {
		t.Errorf("%d octets: %q", len(got), got)
	}
	long := wireText(strings.Repeat("word ", 500), 0, false)
	if n := len("550-5.7.11 " + long + "\r\n"); n > maxReplyLine || !strings.HasSuffix(long, "word ...") {
		t.Errorf("%d octets: %q", n, long)
	}
	if got := wireText(strings.Repeat("x", 5000), 5000, false); len(got) != shortestText {
		t.Errorf("%d octets beside a long recipient", len(got))
	}
}

// One more than MaxRecipients is put off, not refused; RFC 5321 4.5.3.1.8
// asks for a hundred at least, whatever the settings say.
func TestRecipientLimit(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		h := open(t, Options{MaxRecipients: 3, LMTP: lmtp})
		c := h.dial()
		c.expect("220 ")
		if lmtp {
			c.say("LHLO client.example", "250 LIMITS RCPTMAX=100")
		} else {
			c.say("EHLO client.example", "250 LIMITS RCPTMAX=100")
		}
		c.to()
		for i := range 100 {
			c.say(fmt.Sprintf("RCPT TO:<list%d@example.org>", i), "250 ")
		}
		c.say("RCPT TO:<list100@example.org>", "452 4.5.3 ")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.expect("250 ")
		if lmtp {
			for range 99 {
				c.expect("250 ")
			}
		}
		c.say("NOOP", "250 ")
		if got := h.desk.messages(); len(got) != 1 || len(got[0].Recipients) != 100 || got[0].PerRecipient != lmtp {
			t.Fatalf("the desk got %d messages", len(got))
		}
	}
}

// An address harvester is cut after fifty refusals (go-smtp has no limit).
func TestRefusedRecipientsEndTheConnection(t *testing.T) {
	c := open(t, Options{}).dial()
	c.hello()
	c.to()
	for range 5 {
		c.say("RCPT TO:<busy@example.org>", "451 ") // our trouble, not the client's
	}
	for i := range maxRefused - 1 {
		c.say("RCPT TO:<unknown@example.org>", "550 5.1.1 ")
		if i%10 == 9 {
			c.say("RSET", "250 ")
			c.to()
		}
	}
	c.send("RCPT TO:<unknown@example.org>\r\nRCPT TO:<talk@example.org>\r\nDATA\r\n")
	c.expect("421 4.7.0 ")
	c.expect("$")
}

func TestNonsenseEndsTheConnection(t *testing.T) {
	c := open(t, Options{}).dial()
	c.hello()
	for range maxMistakes {
		c.say("MAIL FROM:<anna", "501 5.1.7 ")
	}
	c.say("MAIL FROM:<anna", "421 4.7.0 ")
	c.expect("$")
}

func TestIdleCommandsEndTheConnection(t *testing.T) {
	c := open(t, Options{}).dial()
	c.hello()
	for range maxIdleCommands - 10 {
		c.say("NOOP", "250 ")
	}
	c.to("talk@example.org") // a message earns as many again
	c.say("DATA", "354 ")
	c.send("hi\r\n.\r\n")
	c.expect("250 ")
	for range maxIdleCommands {
		c.say("NOOP", "250 ")
	}
	c.say("NOOP", "421 4.7.0 ")
	c.expect("$")
}

func TestConnectionLimits(t *testing.T) {
	for name, opt := range map[string]Options{"in all": {MaxConnections: 2}, "per address": {MaxPerIP: 2}} {
		t.Run(name, func(t *testing.T) {
			h := open(t, opt)
			first, second := h.dial(), h.dial()
			first.hello()
			second.hello()
			third := h.dial()
			third.expect("421 4.7.0 ")
			third.expect("$")
			first.say("QUIT", "221 ")
			first.expect("$")
			h.waitFor(func(s Stats) bool { return s.Open == 1 })
			h.dial().hello()
			if s := h.server.Stats(); s.TurnedAway != 1 || s.Connections != 3 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// waitFor polls: the server's side of an end is not seen on the wire.
func (h *house) waitFor(done func(Stats) bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !done(h.server.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("still %+v", h.server.Stats())
		}
	}
}

func TestCountKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:25":                  "192.0.2.1",
		"[::ffff:192.0.2.1]:25":         "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:25":     "2001:db8:1:2::/64",
		"[fe80::1%lo]:25":               "fe80::/64",
		"[2001:db8:1:2:ffff:4:5:6]:587": "2001:db8:1:2::/64",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		peer, near := peerOf(tcp)
		if got := countKey(peer); got != want || near {
			t.Errorf("%s: %q, %v", addr, got, near)
		}
	}
}

// All messages in memory together have a bound; what is beyond is put off.
func TestHeldOctets(t *testing.T) {
	h := open(t, Options{MaxMessageBytes: 64 << 10, MaxHeldBytes: 100 << 10})
	entered, leave := make(chan bool), make(chan bool)
	h.desk.receive = func(_ context.Context, in intake.Incoming) []intake.Outcome {
		entered <- true
		<-leave
		return []intake.Outcome{{Accepted: true}}
	}
	first, second := h.dial(), h.dial()
	for _, c := range []*client{first, second} {
		c.hello()
		c.to("talk@example.org")
		c.say("DATA", "354 ")
	}
	first.send(message(60<<10) + ".\r\n")
	<-entered
	second.send(message(60<<10) + ".\r\n")
	second.expect("452 4.3.1 ")
	if !strings.Contains(h.log.String(), "most_by=127.0.0.1 ") {
		t.Error("the log does not name who holds most")
	}
	close(leave)
	first.expect("250 ")
	h.waitFor(func(s Stats) bool { return s.HeldBytes == 0 })
	second.to("talk@example.org")
	second.say("DATA", "354 ")
	second.send(message(60<<10) + ".\r\n")
	<-entered
	second.expect("250 ")
}

func TestUnixSocket(t *testing.T) {
	h := openOn(t, Options{LMTP: true, MaxPerIP: 1}, "unix", filepath.Join(t.TempDir(), "lmtp"), false)
	for range 3 { // not counted per address
		c := h.dial()
		c.expect("220 mail.example.org LMTP")
		c.say("LHLO client.example", "250 ")
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.expect("250 ")
	}
	if got := h.desk.messages(); len(got) != 3 || got[0].Peer.Addr.IsValid() {
		t.Fatalf("%d messages", len(got))
	}
}

// A defect of our own costs one connection, not the server.
func TestPanicInsideTheWire(t *testing.T) {
	var armed atomic.Bool
	h := open(t, Options{Now: func() time.Time {
		if armed.Swap(false) {
			panic("out of time")
		}
		return time.Now()
	}})
	c := h.dial()
	c.hello()
	armed.Store(true)
	c.send("NOOP\r\n")
	for line := c.line(); line != ""; line = c.line() {
		if line[0] == '5' {
			t.Errorf("permanent: %s", line)
		}
	}
	h.dial().hello()
	if !strings.Contains(h.log.String(), "out of time") {
		t.Error("not in the log")
	}
}
