package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// IMAP is a client that sends and reads what a test tells it.
type IMAP struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
	n int
}

// DialIMAP connects, reads the greeting and logs in; without a name it does not.
func DialIMAP(t testing.TB, addr, user, password string) *IMAP {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	return OverIMAP(t, conn, user, password)
}

// OverIMAP is DialIMAP over a connection that is there.
func OverIMAP(t testing.TB, conn net.Conn, user, password string) *IMAP {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	c := &IMAP{t: t, Conn: conn, r: bufio.NewReaderSize(conn, 512)}
	c.Response()
	if user != "" {
		c.OK("LOGIN " + user + " " + password)
	}
	return c
}

// Say sends a line.
func (c *IMAP) Say(line string) {
	c.t.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(c.Conn, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

var literalSize = regexp.MustCompile(`\{(\d+)\}$`)

// Response reads one response with its literals; "" at the end of the
// connection.
func (c *IMAP) Response() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(Patience))
	all := ""
	for {
		s, err := c.r.ReadString('\n')
		if err != nil && s == "" {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				c.t.Fatal("the IMAP server says nothing")
			}
			return all
		}
		all += strings.TrimRight(s, "\r\n")
		m := literalSize.FindStringSubmatch(all)
		if m == nil {
			return all
		}
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		b := make([]byte, n)
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatal(err)
		}
		all += "\r\n" + string(b)
	}
}

// Do sends a command and gives its outcome without the tag, and what came
// before.
func (c *IMAP) Do(command string) (outcome string, before []string) {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("a%d", c.n)
	c.Say(tag + " " + command)
	for {
		s := c.Response()
		if rest, ok := strings.CutPrefix(s, tag+" "); ok || s == "" {
			return rest, before
		}
		before = append(before, s)
	}
}

// OK is Do of what must succeed.
func (c *IMAP) OK(command string) []string {
	c.t.Helper()
	outcome, before := c.Do(command)
	if !strings.HasPrefix(outcome, "OK") {
		c.t.Fatalf("%s: %q %q", command, outcome, before)
	}
	return before
}

// No is Do of what must be refused, and gives the words.
func (c *IMAP) No(command string) string {
	c.t.Helper()
	outcome, before := c.Do(command)
	if !strings.HasPrefix(outcome, "NO") {
		c.t.Fatalf("%s: %q %q", command, outcome, before)
	}
	return outcome
}

// Idle begins IDLE.
func (c *IMAP) Idle() {
	c.t.Helper()
	c.n++
	c.Say(fmt.Sprintf("a%d IDLE", c.n))
	for s := c.Response(); !strings.HasPrefix(s, "+"); s = c.Response() {
		if s == "" {
			c.t.Fatal("no IDLE")
		}
	}
}

// Done ends IDLE and gives what came meanwhile and was not read.
func (c *IMAP) Done() (rest []string) {
	c.t.Helper()
	c.Say("DONE")
	for s := c.Response(); !strings.HasPrefix(s, fmt.Sprintf("a%d ", c.n)); s = c.Response() {
		if s == "" {
			c.t.Fatal("the connection ended")
		}
		rest = append(rest, s)
	}
	return rest
}
