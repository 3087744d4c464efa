// Package testkit runs the whole program on ephemeral loopback ports, for tests
// of any package: the real doors, the real store, and the built-in catcher or a
// sink in the place of the world's mail servers.
//
// Folders below it: postgres, postfix (real servers), stores (a store on each
// dialect), sink (an SMTP server that counts and breaks things), sample (the
// demo's archive), real (where real programs and corpora are).
package testkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/fault"
	"plenary/internal/list/settings"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/real"
)

// Patience bounds every wait of a test.
const Patience = 30 * time.Second

// Plenary is a running program.
type Plenary struct {
	*app.App
	At app.Addrs
	t  testing.TB
}

// Config gives the configuration of a test: SQLite in dir, all doors on free
// loopback ports, mail to the catcher.
func Config(dir string) *config.Config {
	c := config.Default()
	c.DataDir, c.Hostname = dir, "lists.example.org"
	c.Database.DSN = "sqlite:" + filepath.Join(dir, "plenary.db")
	c.SMTP.Listen, c.LMTP.Listen, c.IMAP.Listen, c.HTTP.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.HTTP.BaseURL = "https://lists.example.org"
	c.Outbound.Mode = "catch"
	return c
}

// Start runs the program until the test ends; change may adjust its
// configuration.
func Start(t testing.TB, change ...func(*config.Config)) *Plenary {
	t.Helper()
	c := Config(t.TempDir())
	for _, f := range change {
		f(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(&testLog{t: t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(ctx, c, log)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	at, err := a.Listen()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the program ended with %v", err)
			}
		case <-time.After(2 * Patience):
			t.Error("the program does not stop")
		}
		_ = a.Close()
	})
	return &Plenary{App: a, At: at, t: t}
}

// Around gives the helpers of Plenary to a program that the test made itself.
func Around(t testing.TB, a *app.App) *Plenary { return &Plenary{App: a, t: t} }

// testLog passes warnings to the test's log while it runs.
type testLog struct {
	mu sync.Mutex
	t  testing.TB
}

// Write implements io.Writer.
func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if os.Getenv("PLENARY_TEST_LOG") != "" {
		_, _ = os.Stderr.Write(p)
	}
	return len(p), nil
}

// List makes a list; set are KEY=VALUE settings.
func (p *Plenary) List(addr string, kind model.ListKind, set ...string) *model.List {
	p.t.Helper()
	a, err := address.Parse(addr)
	if err != nil {
		p.t.Fatal(err)
	}
	l := settings.New(kind, a.Local, a.Domain)
	for _, kv := range set {
		k, v, _ := strings.Cut(kv, "=")
		if err := settings.Set(l, k, v); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.Store.CreateList(context.Background(), l); err != nil {
		p.t.Fatal(err)
	}
	return l
}

// Add puts people on a list with the roles.
func (p *Plenary) Add(l *model.List, roles model.Role, emails ...string) {
	p.t.Helper()
	for _, e := range emails {
		a, err := address.Parse(e)
		if err != nil {
			p.t.Fatal(err)
		}
		_, err = p.Store.Subscribe(context.Background(), &model.Subscriber{ListID: l.ID, Email: a.String(), EmailKey: a.Key(), Roles: roles})
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// Password makes an app password.
func (p *Plenary) Password(email string) string {
	p.t.Helper()
	a, err := address.Parse(email)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := p.Auth.NewAppPassword(context.Background(), a, "test")
	if err != nil {
		p.t.Fatal(err)
	}
	return secret
}

// Reply is one SMTP reply.
type Reply struct {
	Code int
	Text string
}

// Mail is a mail for tests; lines are joined with CRLF.
func Mail(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

// Send hands raw to the SMTP door and gives the reply that decided: of the
// first refused RCPT, or after the final dot.
func (p *Plenary) Send(from string, to []string, raw []byte) Reply {
	p.t.Helper()
	return Send(p.t, p.At.SMTP, from, to, raw)
}

// Send speaks SMTP to addr: one transaction, one reply at a time.
func Send(t testing.TB, addr, from string, to []string, raw []byte) Reply {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * Patience))
	c := textproto.NewConn(conn)
	say := func(line string) Reply {
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		code, text, err := c.ReadResponse(0)
		if err != nil && code == 0 {
			t.Fatalf("after %q: %v", line, err)
		}
		return Reply{code, text}
	}
	say("")
	say("EHLO test.example.net")
	lines := []string{fmt.Sprintf("MAIL FROM:<%s>%s", from, utf8Param(from, to))}
	for _, r := range to {
		lines = append(lines, "RCPT TO:<"+r+">")
	}
	for _, l := range append(lines, "DATA") {
		if r := say(l); r.Code >= 400 {
			return r
		}
	}
	w := c.DotWriter()
	_, _ = w.Write(raw)
	_ = w.Close()
	code, text, err := c.ReadResponse(0)
	if err != nil && code == 0 {
		t.Fatal(err)
	}
	return Reply{code, text}
}

func utf8Param(from string, to []string) string {
	for _, a := range append(to, from) {
		for _, r := range a {
			if r > 127 {
				return " SMTPUTF8"
			}
		}
	}
	return ""
}

// Caught waits until the catcher holds n letters for recipient and gives them,
// oldest first.
func (p *Plenary) Caught(recipient string, n int) []store.Caught {
	p.t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		rows, err := p.Store.CaughtPage(context.Background(), recipient, 0, 10000)
		if err != nil && !fault.Is(err, fault.Temporary) { // a database that was away leaves dead connections
			p.t.Fatal(err)
		}
		if len(rows) >= n {
			for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
				rows[i], rows[j] = rows[j], rows[i]
			}
			return rows
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s got %d letters, waiting for %d (%v)", recipient, len(rows), n, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var build struct { //nolint:gochecknoglobals // one binary a test process
	once sync.Once
	path string
	end  io.WriteCloser // of the shell that removes it; closes when this process ends
	err  error
}

// Binary builds the program once for this test process.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "plenary-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "plenary")
		rm := exec.Command("/bin/sh", "-c", `trap '' INT TERM; read -r _; rm -rf "$1"`, "sh", dir)
		if build.end, build.err = rm.StdinPipe(); build.err == nil {
			build.err = rm.Start()
		}
		if build.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", build.path, "./cmd/plenary")
		cmd.Dir = real.Root(t)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Run runs the binary with the environment and gives its standard output.
func Run(t testing.TB, env []string, stdin io.Reader, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = stdin
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("plenary %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}
