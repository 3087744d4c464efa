// Package postfix runs a real Postfix for tests, in a folder of its own and on
// a free port, configured as the handbook says: it hands the list domains to
// Plenary by LMTP, and delivers every other address into a Maildir.
//
// Postfix's master must be root; without root the test is skipped (or fails
// when real programs are required).
package postfix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"plenary/internal/testkit/real"
)

const (
	startTimeout = 30 * time.Second
	nobody       = 65534
)

// Server is one Postfix.
type Server struct {
	Port int    // of its smtpd, on 127.0.0.1
	dir  string // etc, spool, data, mail, log
	cmd  *exec.Cmd
	bin  string
	done chan struct{}
}

// World says what the Postfix knows.
type World struct {
	LMTP      string   // host:port of Plenary's LMTP door
	Domains   []string // that go there
	Mailboxes []string // addresses of other domains with a Maildir each
	Main      []string // more main.cf lines
}

// Start runs a Postfix for this world.
func Start(t testing.TB, w World) *Server {
	t.Helper()
	bin := real.Program(t, "postfix")
	if os.Getuid() != 0 {
		real.Missing(t, "root for Postfix", errors.New("not root"))
	}
	dir, err := os.MkdirTemp("", "plenary-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: dir, bin: bin}
	if s.Port, err = real.Port("127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := s.configure(w); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			text, _ := os.ReadFile(filepath.Join(dir, "stderr"))
			t.Logf("Postfix said:\n%s\nand\n%s", tail(string(log), 60), tail(string(text), 60))
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// settled gives the lines with those of more in the place of the ones they override. A
// setting that stands there twice is a warning of each Postfix program at its start, and
// more than the socket of postlogd holds: when it writes its own there it waits for itself.
func settled(lines, more []string) []string {
	name := func(line string) string { n, _, _ := strings.Cut(line, "="); return strings.TrimSpace(n) }
	var out []string
	all := append(slices.Clone(lines), more...)
	for i, line := range all {
		if !slices.ContainsFunc(all[i+1:], func(later string) bool { return name(later) == name(line) }) {
			out = append(out, line)
		}
	}
	return out
}

// Addr is where its smtpd listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *Server) configure(w World) error {
	for _, sub := range []string{"etc", "spool", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if err := os.Chown(filepath.Join(s.dir, "mail"), nobody, nobody); err != nil {
		return err
	}
	if out, err := exec.Command("chown", "postfix", filepath.Join(s.dir, "data")).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	var transport []string
	host, port, _ := net.SplitHostPort(w.LMTP)
	for _, d := range w.Domains {
		transport = append(transport, fmt.Sprintf("%s=lmtp:[%s]:%s", d, host, port))
	}
	main := settled([]string{
		"compatibility_level = 3.6",
		"queue_directory = " + s.dir + "/spool", "data_directory = " + s.dir + "/data",
		"command_directory = /usr/sbin", "daemon_directory = /usr/lib/postfix/sbin",
		"mail_owner = postfix", "setgid_group = postdrop", "maillog_file = " + s.dir + "/log", "maillog_file_prefixes = " + s.dir,
		"myhostname = mx.example.org", "mydestination =", "mynetworks = 127.0.0.0/8",
		"inet_interfaces = 127.0.0.1", "inet_protocols = ipv4", "alias_maps =", "local_recipient_maps =",
		"relay_domains = " + strings.Join(w.Domains, ", "), "relay_recipient_maps =",
		"transport_maps = inline:{ " + strings.Join(transport, ", ") + " }",
		"recipient_delimiter =", "address_verify_map =", "unverified_recipient_reject_code = 550",
		"smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient",
		"smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
		"virtual_mailbox_domains = regexp:" + s.dir + "/etc/domains",
		"virtual_mailbox_base = " + s.dir + "/mail", "virtual_minimum_uid = 1",
		"virtual_mailbox_maps = texthash:" + s.dir + "/etc/mailboxes",
		"virtual_uid_maps = static:" + strconv.Itoa(nobody), "virtual_gid_maps = static:" + strconv.Itoa(nobody),
		"smtputf8_enable = yes", "minimal_backoff_time = 1s", "maximal_backoff_time = 2s", "queue_run_delay = 1s",
	}, w.Main)
	master := []string{
		fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd", s.Port),
		"pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
		"rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
		"trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
		"proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "relay unix - - n - - smtp",
		"error unix - - n - - error", "retry unix - - n - - error", "discard unix - - n - - discard",
		"virtual unix - n n - - virtual", "lmtp unix - - n - - lmtp", "anvil unix - - n - 1 anvil",
		"scache unix - - n - 1 scache", "showq unix n - n - - showq", "postlog unix-dgram n - n - 1 postlogd",
	}
	var boxes []string
	for _, m := range w.Mailboxes {
		boxes = append(boxes, m+" "+m+"/")
	}
	for name, lines := range map[string][]string{
		"main.cf": main, "master.cf": master, "mailboxes": boxes,
		"domains": {"!/^(" + strings.ReplaceAll(strings.Join(w.Domains, "|"), ".", "[.]") + ")$/ OK"},
	} {
		if err := os.WriteFile(filepath.Join(s.dir, "etc", name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Run starts it (again) and waits until it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.bin, "-c", filepath.Join(s.dir, "etc"), "start-fg")
	out, err := os.OpenFile(filepath.Join(s.dir, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(s.cmd, s.done)
	deadline := time.Now().Add(startTimeout)
	for {
		c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err == nil {
			buf := make([]byte, 4)
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = c.Read(buf)
			_ = c.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("Postfix does not answer: %v\n%s\n%s", err, text, tail(string(log), 20))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Stop ends it; Run starts it again with the same queue.
func (s *Server) Stop() {
	if s.done == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	_ = exec.CommandContext(ctx, s.bin, "-c", filepath.Join(s.dir, "etc"), "stop").Run()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.kill()
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.done = nil
}

// kill ends the master, which does not hear, and what it started.
func (s *Server) kill() {
	text, _ := os.ReadFile(filepath.Join(s.dir, "spool", "pid", "master.pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	if group, err := syscall.Getpgid(pid); err == nil && group != syscall.Getpgrp() {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}

// Mailbox gives the messages in the Maildir of an address, oldest first.
func (s *Server) Mailbox(addr string) [][]byte {
	var out [][]byte
	paths, _ := filepath.Glob(filepath.Join(s.dir, "mail", addr, "new", "*"))
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil {
			out = append(out, data)
		}
	}
	return out
}

// Log is everything it logged.
func (s *Server) Log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(data)
}
