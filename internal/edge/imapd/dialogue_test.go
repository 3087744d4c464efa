package imapd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// The clock of the door in tests.
var noon = time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// serve runs a door over m on a loopback port until the test ends.
func serve(t testing.TB, m *memory, change ...func(*Options, *times)) (*Server, string) {
	t.Helper()
	o := Options{
		Archive: Over(archive.NewReader(m)), Auth: people{}, Changes: m, Moderation: m, Hostname: "mail.example.org",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return noon },
	}
	tm := usualTimes()
	tm.failure, tm.access = 0, 0
	for _, f := range change {
		f(&o, &tm)
	}
	s := New(o)
	s.times = tm
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if err := <-done; err != nil {
			t.Error("serve:", err)
		}
	})
	return s, l.Addr().String()
}

// client is a raw connection.
type client struct {
	t testing.TB
	net.Conn
	r     *bufio.Reader
	exact bool // literals keep their line ends
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) reset() { c.r = bufio.NewReader(c.Conn) }

func (c *client) send(s string) {
	c.t.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal("send:", err)
	}
}

// line reads one line; io.EOF is "".
func (c *client) line() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	s, err := c.r.ReadString('\n')
	if err != nil && s == "" {
		if os.IsTimeout(err) {
			c.t.Fatal("nothing comes")
		}
		return ""
	}
	return strings.TrimRight(s, "\r\n")
}

// response reads a line with its literals; line ends inside are "\n", unless
// they are to stay.
func (c *client) response() string {
	c.t.Helper()
	s := c.line()
	for {
		m := literalEnd.FindStringSubmatch(s)
		if m == nil {
			return s
		}
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		b := make([]byte, n)
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatal("literal:", err)
		}
		text := string(b)
		if !c.exact {
			text = strings.ReplaceAll(text, "\r\n", "\n")
		}
		s += "\n" + text + c.line()
	}
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}$`)

// do sends a command and gives all responses up to its outcome.
func (c *client) do(tag, command string) []string {
	c.t.Helper()
	c.send(tag + " " + command + "\r\n")
	return c.until(tag)
}

func (c *client) until(tag string) (all []string) {
	c.t.Helper()
	for {
		s := c.response()
		all = append(all, s)
		if s == "" || strings.HasPrefix(s, tag+" ") {
			return all
		}
	}
}

// want fails unless the outcome begins so.
func (c *client) want(command, outcome string) []string {
	c.t.Helper()
	all := c.do("t", command)
	if last := all[len(all)-1]; !strings.HasPrefix(last, "t "+outcome) {
		c.t.Fatalf("%s: got %q, want %q", command, last, outcome)
	}
	return all[:len(all)-1]
}

func loggedIn(t testing.TB, addr, who string) *client {
	t.Helper()
	c := dial(t, addr)
	c.line()
	c.want("LOGIN "+who+" secret", "OK")
	return c
}

// TestDialogues plays testdata/*.dialogue. c> is sent as a line, c>> without a
// line end; s< is a response to the letter, with "..." for anything, and a
// literal's lines follow as s| lines. "@ name" changes to another connection,
// whose greeting is only shown when the name is greeting; "! word" does something
// beside.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.dialogue")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialogue"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, string(text))
		})
	}
}

func play(t *testing.T, text string) {
	m := sample(t)
	srv, addr := serve(t, m)
	conns := map[string]*client{}
	name := "main"
	conn := func() *client {
		if conns[name] == nil {
			conns[name] = dial(t, addr)
			if name != "greeting" {
				conns[name].line()
			}
		}
		return conns[name]
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "", "#":
		case "@": // the connection that speaks from here on
			name = rest
		case "c>":
			conn().send(rest + "\r\n")
		case "c>>":
			conn().send(strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(rest))
		case "s<":
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "s|") {
				i++
				rest += "\n" + strings.TrimPrefix(strings.TrimPrefix(lines[i], "s|"), " ")
			}
			if got := conn().response(); !fits(rest, got) {
				t.Fatalf("line %d:\n got %q\nwant %q", i+1, got, rest)
			}
		case "!":
			beside(t, m, srv, rest)
		default:
			t.Fatalf("line %d: %q", i+1, line)
		}
	}
}

// beside does what somebody else does meanwhile.
func beside(t *testing.T, m *memory, srv *Server, what string) {
	switch what {
	case "post":
		m.post(1, plainPost)
	case "a post waits":
		m.hold(1, mixedPost)
	case "another post waits":
		m.hold(1, strings.ReplaceAll(plainPost, "New shelves", "Old shelves"))
	case "alice moderates", "bob moderates":
		m.moderate(1, strings.Fields(what)[0]+"@example.org", true)
	case "bob decides 13":
		if err := m.Decide(context.Background(), 113, model.Accept, "bob@example.org"); err != nil {
			t.Fatal(err)
		}
	case "bob@bücher.example decides 11":
		if err := m.Decide(context.Background(), 111, model.Accept, "bob@bücher.example"); err != nil {
			t.Fatal(err)
		}
	case "alice moderates no more":
		m.moderate(1, "alice@example.org", false)
		m.wake("list:1")
	case "alice leaves":
		m.leave(1, "alice@example.org")
	case "the database is away":
		m.fail(fmt.Errorf("disk on fire"))
	case "the database is back":
		m.fail(nil)
	case "shutdown":
		go func() { _ = srv.Shutdown(context.Background()) }()
	default:
		t.Fatalf("unknown: %s", what)
	}
}

// fits compares with "..." for anything.
func fits(want, got string) bool {
	parts := strings.Split(want, "...")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(got)
}
