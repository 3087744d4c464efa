package cli

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
)

// reader is a mail program that idles in a list's mailbox.
type reader struct {
	t  *testing.T
	nc net.Conn
	c  *textproto.Conn
}

// idles logs in at an IMAP door and waits there for news.
func idles(t *testing.T, at, user, secret, mailbox string) *reader {
	t.Helper()
	nc, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(testkit.Patience))
	r := &reader{t, nc, textproto.NewConn(nc)}
	r.until("* OK")
	for i, line := range []string{"LOGIN " + user + " " + secret, "SELECT " + mailbox} {
		_ = r.c.PrintfLine("a%d %s", i, line)
		if reply := r.until(fmt.Sprintf("a%d", i)); !strings.Contains(reply, " OK ") {
			t.Fatal(reply)
		}
	}
	_ = r.c.PrintfLine("a9 IDLE")
	r.until("+")
	return r
}

func (r *reader) until(prefix string) string {
	r.t.Helper()
	for {
		line, err := r.c.ReadLine()
		if err != nil {
			r.t.Fatalf("waiting for %q: %v", prefix, err)
		}
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
}

// TestIdleHearsTheEnd: who loses the right to read is told at once, also when
// another process takes it, and also when something else happened just before.
func TestIdleHearsTheEnd(t *testing.T) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, end := range [][]string{
			{"subscriber", "rm", talk, "ann@example.org"},
			{"ban", "add", "@example.org", "--site", "--remove"},
			{"list", "rm", talk, "--yes"},
		} {
			t.Run(dialect+" "+end[0], func(t *testing.T) {
				r := newRig(t)
				if dialect == "postgres" {
					r.environ = append(r.environ, "PLENARY_DATABASE_DSN="+postgres.DSN(t))
				}
				s := testkit.Launch(t, r.environ)
				at := s.Ready()
				r.ok("list", "create", talk)
				r.ok("subscriber", "add", talk, "ann@example.org")
				secret := strings.TrimSpace(r.ok("access", "ann@example.org"))
				ann := idles(t, at.IMAP, "ann@example.org", secret, "Lists/talk")
				// Less than the time after which an idle session looks by itself.
				_ = ann.nc.SetDeadline(time.Now().Add(18 * time.Second))
				r.ok("subscriber", "add", talk, "bo@example.net") // wakes everybody on SQLite
				r.ok(end...)
				if bye := ann.until("* "); !strings.HasPrefix(bye, "* BYE The list "+talk+" is no longer open to you") {
					t.Errorf("%q", bye)
				}
				s.Stop()
			})
		}
	}
}
