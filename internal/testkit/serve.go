package testkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenary/internal/app"
)

// Serve is a `plenary serve` in a process of its own, which can be killed.
type Serve struct {
	t     testing.TB
	cmd   *exec.Cmd
	ready chan app.Addrs // gets the addresses once, when the doors are open
	done  chan struct{}  // closed when the process has ended

	mu  sync.Mutex
	log []string
}

// Env is the environment of a process that keeps SQLite in dir, listens on free
// loopback ports and logs JSON; more comes last and wins.
func Env(dir string, more ...string) []string {
	return append([]string{
		"PLENARY_DATA_DIR=" + dir, "PLENARY_HOSTNAME=lists.example.org", "PLENARY_HTTP_BASE_URL=https://lists.example.org",
		"PLENARY_SMTP_LISTEN=127.0.0.1:0", "PLENARY_LMTP_LISTEN=127.0.0.1:0", "PLENARY_IMAP_LISTEN=127.0.0.1:0",
		"PLENARY_HTTP_LISTEN=127.0.0.1:0", "PLENARY_OUTBOUND_MODE=catch", "PLENARY_LOG_FORMAT=json",
	}, more...)
}

// Launch starts the binary with the environment and waits for nothing. What
// runs at the end of the test is killed.
func Launch(t testing.TB, env []string) *Serve {
	t.Helper()
	s := &Serve{t: t, cmd: exec.Command(Binary(t), "serve"), ready: make(chan app.Addrs, 1), done: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	errs, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		lines := bufio.NewScanner(errs)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.read(lines.Text())
		}
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.Kill)
	return s
}

func (s *Serve) read(line string) {
	s.mu.Lock()
	s.log = append(s.log, line)
	s.mu.Unlock()
	if os.Getenv("PLENARY_TEST_LOG") != "" {
		_, _ = os.Stderr.WriteString(line + "\n")
	}
	var at struct {
		Msg string `json:"msg"`
		app.Addrs
	}
	if json.Unmarshal([]byte(line), &at) == nil && at.Msg == "plenary serves" {
		s.ready <- at.Addrs
	}
}

// Ready waits until the doors are open, and says where; once.
func (s *Serve) Ready() app.Addrs {
	s.t.Helper()
	select {
	case at := <-s.ready:
		return at
	case <-s.done:
		s.t.Fatalf("plenary serve ended:\n%s", s.Log())
	case <-time.After(2 * Patience):
		s.t.Fatalf("plenary serve does not get ready:\n%s", s.Log())
	}
	return app.Addrs{}
}

// Log is what it has logged so far.
func (s *Serve) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

// Memory is what the process holds in memory, in octets; 0 where the system does
// not say.
func (s *Serve) Memory() int64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kb int64
	_, _ = fmt.Sscan(rest, &kb)
	return kb << 10
}

// CPU is the time the process has computed so far; 0 where the system does not
// say.
func (s *Serve) CPU() time.Duration {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/stat")
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the third on
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * (time.Second / 100)
}

// Kill ends it as a crash does, and waits until it has ended.
func (s *Serve) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Term asks it to end, as systemd does, and does not wait.
func (s *Serve) Term() { _ = s.cmd.Process.Signal(syscall.SIGTERM) }

// Ended waits until it has ended and gives the exit code; -1 when a signal
// ended it.
func (s *Serve) Ended() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(3 * Patience):
		s.t.Fatalf("plenary serve does not end:\n%s", s.Log())
	}
	return s.cmd.ProcessState.ExitCode()
}

// Stop asks it to end and waits until it has; the exit code must be 0.
func (s *Serve) Stop() {
	s.t.Helper()
	s.Term()
	if code := s.Ended(); code != 0 {
		s.t.Fatalf("plenary serve ended with %d:\n%s", code, s.Log())
	}
}
