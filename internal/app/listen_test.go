package app_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// TestTakenPort: a second start says which key to change, and leaves nothing
// open.
func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	for key, set := range map[string]func(*config.Config){
		"smtp.listen":            func(c *config.Config) { c.SMTP.Listen = busy },
		"smtp.submission_listen": func(c *config.Config) { c.SMTP.SubmissionListen = busy },
		"lmtp.listen":            func(c *config.Config) { c.LMTP.Listen = busy },
		"imap.listen":            func(c *config.Config) { c.IMAP.Listen = busy },
		"http.listen":            func(c *config.Config) { c.HTTP.Listen = busy },
		"http.metrics_listen":    func(c *config.Config) { c.HTTP.MetricsListen = busy },
	} {
		c := testkit.Config(t.TempDir())
		c.SMTP.Listen = real.Addr(t)
		first := c.SMTP.Listen
		set(c)
		a := made(t, c)
		if _, err := a.Listen(); err == nil || !strings.Contains(err.Error(), busy) || !strings.Contains(err.Error(), "set "+key+" to another") {
			t.Errorf("%s: %v", key, err)
		}
		if l, err := net.Listen("tcp", first); err != nil {
			t.Errorf("%s: the first door stays open: %v", key, err)
		} else {
			_ = l.Close()
		}
	}
}

// TestOneProcessADataDir: leases are held by the folder's name.
func TestOneProcessADataDir(t *testing.T) {
	dir := t.TempDir()
	first, second := made(t, testkit.Config(dir)), made(t, testkit.Config(dir))
	if _, err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Listen(); err == nil || !strings.Contains(err.Error(), "another plenary serves with data_dir "+dir) {
		t.Errorf("a second process on the same folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Listen(); err != nil {
		t.Error(err)
	}
}

// TestOneProcessADatabase: by another folder or a link it is the same file.
func TestOneProcessADatabase(t *testing.T) {
	for _, name := range []string{"plenary.db", "other.db"} {
		dir, link := t.TempDir(), filepath.Join(t.TempDir(), "link.db")
		db := filepath.Join(dir, name)
		if err := os.Symlink(db, link); err != nil {
			t.Fatal(err)
		}
		at := func(dir, path string) *app.App {
			c := testkit.Config(dir)
			c.Database.DSN = "sqlite:" + path
			return made(t, c)
		}
		first := at(dir, db)
		if first.Served() {
			t.Errorf("%s: somebody serves", name)
		}
		if _, err := first.Listen(); err != nil {
			t.Fatal(err)
		}
		second := at(t.TempDir(), link)
		if _, err := second.Listen(); err == nil || !strings.Contains(err.Error(), "another plenary serves with the database") {
			t.Errorf("%s: a second process on the same file: %v", name, err)
		}
		if !second.Served() {
			t.Errorf("%s: nobody serves", name)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if second.Served() {
			t.Errorf("%s: somebody serves still", name)
		}
		if _, err := second.Listen(); err != nil {
			t.Error(err)
		}
	}
}

func TestLMTPOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as a killed process leaves it
	_ = stale.Close()
	c := testkit.Config(t.TempDir())
	c.LMTP.Listen = "unix:" + path
	a := made(t, c)
	list(t, a, "ann@example.org")
	at, stop := started(t, a)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 || at.LMTP != "unix:"+path {
		t.Errorf("%s: %v %v", at.LMTP, info.Mode(), err)
	}
	other := testkit.Config(t.TempDir())
	other.LMTP.Listen = c.LMTP.Listen
	if _, err := made(t, other).Listen(); err == nil || !strings.Contains(err.Error(), "lmtp.listen") || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("a second process on the same socket: %v", err)
	}
	nc := dial(t, at.LMTP)
	in := bufio.NewReader(nc)
	line(t, in, "")
	for _, say := range []string{"LHLO mx.example.net", "MAIL FROM:<ann@example.org>", "RCPT TO:<" + talk + ">", "DATA"} {
		if r := ask(t, nc, in, say); r[0] > '3' {
			t.Fatal(say, r)
		}
	}
	mail := string(testkit.Mail("From: ann@example.org", "To: "+talk, "Subject: by socket", "Message-ID: <u@example.org>", "", "Hello."))
	if r := ask(t, nc, in, mail+"."); !strings.HasPrefix(r, "250") {
		t.Error(r)
	}
	_ = nc.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket stays behind")
	}
	file := testkit.Config(t.TempDir())
	file.LMTP.Listen = "unix:" + filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file.LMTP.Listen[5:], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := made(t, file).Listen(); err == nil {
		t.Error("a file that is no socket was replaced")
	}
}

// TestServeRefusesItselfAsRelay: the check stands before any door opens.
func TestServeRefusesItselfAsRelay(t *testing.T) {
	c := testkit.Config(t.TempDir())
	c.SMTP.Listen = real.Addr(t)
	c.Outbound.Mode, c.Outbound.Relay = "relay", strings.Replace(c.SMTP.Listen, "127.0.0.1", "localhost", 1)
	if _, err := made(t, c).Listen(); err == nil || !strings.Contains(err.Error(), "own smtp.listen") {
		t.Errorf("%v", err)
	}
	c.Outbound.Mode = "catch"
	if _, err := made(t, c).Listen(); err != nil {
		t.Errorf("a relay that is not used: %v", err)
	}
}

// TestDefaultsWorkTogether: the built-in configuration is no circle.
func TestDefaultsWorkTogether(t *testing.T) {
	a := made(t, testkit.Config(t.TempDir()))
	dsn := a.Config.Database.DSN
	*a.Config = *config.Default()
	a.Config.Database.DSN = dsn
	if err := a.CheckRelays(); err != nil {
		t.Error(err)
	}
}

// TestNodesHaveNamesOfTheirOwn: what an earlier run with the same data_dir held
// is taken back, what a namesake holds is not.
func TestNodesHaveNamesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	name := func(dir string, lock bool) string {
		a := made(t, testkit.Config(dir))
		if lock {
			if _, err := a.Listen(); err != nil {
				t.Fatal(err)
			}
		}
		if a.Queue.Node != a.Node {
			t.Errorf("the queue is %q, the node %q", a.Queue.Node, a.Node)
		}
		defer a.Close()
		return a.Node
	}
	first := name(dir, true)
	if again := name(dir, true); again != first {
		t.Errorf("the next run is %q, the first was %q", again, first)
	}
	if beside := name(dir, false); beside == first {
		t.Errorf("a command beside it is %q too", beside)
	}
	if err := os.Remove(filepath.Join(dir, "serve.lock")); err != nil { // as on another machine with the same names
		t.Fatal(err)
	}
	if other := name(dir, true); other == first {
		t.Errorf("another is %q too", other)
	}
}
