package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plenary/internal/testkit/postgres"
)

const patience = 5 * time.Minute // for any run

// site is a prepared installation: lists with people, nothing posted.
type site struct {
	dir, dsn string
}

// list is LOCAL@lists.example.org with as many people.
func address(local string) string { return local + "@lists.example.org" }

// prepare makes an installation with these lists, or gives the one made before.
func (b *bench) prepare(dialect string, lists map[string]int, more ...[]string) (*site, error) {
	key := fmt.Sprint(dialect, lists, more)
	if s := b.seen[key]; s != nil {
		return s, nil
	}
	s := &site{dir: filepath.Join(b.work, fmt.Sprintf("site%d", len(b.seen)))}
	if err := os.Mkdir(s.dir, 0o750); err != nil {
		return nil, err
	}
	if dialect == "postgres" {
		dsn, stop, err := postgres.Open()
		if err != nil {
			return nil, err
		}
		b.stops = append(b.stops, stop)
		s.dsn = dsn
	}
	for local, n := range lists {
		if err := b.list(s, local, n, func(i int) string { return fmt.Sprintf("reader%d@example.org", i) }); err != nil {
			return nil, err
		}
	}
	for _, args := range more {
		if _, err := b.plenary(s, args...); err != nil {
			return nil, err
		}
	}
	b.seen[key] = s
	return s, nil
}

// list makes a list with so many people.
func (b *bench) list(s *site, local string, n int, email func(i int) string) error {
	if _, err := b.plenary(s, "list", "create", address(local), "--set", "hold-size=0"); err != nil {
		return err
	}
	people := filepath.Join(s.dir, "people.csv")
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%s,Reader %d\n", email(i), i)
	}
	if err := os.WriteFile(people, []byte(text.String()), 0o600); err != nil {
		return err
	}
	_, err := b.plenary(s, "subscriber", "import", address(local), people)
	return err
}

// fresh gives a copy of an SQLite installation that may be used up.
func (b *bench) fresh(s *site) (*site, error) {
	if s.dsn != "" {
		return s, nil
	}
	dir, err := os.MkdirTemp(b.work, "run")
	if err != nil {
		return nil, err
	}
	c := &site{dir: filepath.Join(dir, "data")}
	return c, exec.Command("cp", "-r", s.dir, c.dir).Run()
}

func (s *site) remove() {
	if s.dsn == "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *site) env(more ...string) []string {
	env := append(os.Environ(), "PLENARY_DATA_DIR="+s.dir, "PLENARY_LOG_LEVEL=error", "PLENARY_IMAP_LISTEN=", "PLENARY_HTTP_LISTEN=",
		"PLENARY_SMTP_LISTEN=", "PLENARY_HTTP_BASE_URL=https://lists.example.org")
	if s.dsn != "" {
		env = append(env, "PLENARY_DATABASE_DSN="+s.dsn)
	}
	return append(env, more...)
}

func (b *bench) plenary(s *site, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(b.bin, "plenary"), args...)
	cmd.Env = s.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("plenary %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return out, nil
}

// process is a program that runs beside us.
type process struct {
	cmd  *exec.Cmd
	addr string
	out  io.ReadCloser
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	timer := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	timer.Stop()
}

// cpu is the user and system time so far, in steps of 10 ms.
func (p *process) cpu() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the largest resident memory in MB.
func (p *process) peak() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kb / 1024
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer l.Close()
	return l.Addr().String()
}

// serve starts the program with this relay; addr is its SMTP door, or LMTP.
func (b *bench) serve(s *site, relay, door string) (*process, error) {
	return b.serveWith(s, door, "PLENARY_OUTBOUND_RELAY="+relay)
}

// serveWith starts the program with these variables.
func (b *bench) serveWith(s *site, door string, env ...string) (*process, error) {
	p := &process{cmd: exec.Command(filepath.Join(b.bin, "plenary"), "serve"), addr: freePort()}
	p.cmd.Env = s.env(append(env, "PLENARY_"+door+"_LISTEN="+p.addr)...)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", p.addr); err == nil {
			_ = c.Close()
			time.Sleep(300 * time.Millisecond) // the start's own work
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("plenary serve does not answer")
}

// summary is what the sink says at its end.
type summary struct {
	Messages    int64
	First, Last time.Time
	CPU         time.Duration
}

// took is the time from the first message to the last.
func (s *summary) rate() float64 {
	return float64(s.Messages) / max(s.Last.Sub(s.First).Seconds(), 1e-6)
}

func (s *summary) cpu() float64 { return s.CPU.Seconds() * 1000 / float64(s.Messages) }

// sink starts the counting server; it ends by itself after so many messages.
func (b *bench) sink(until int, args ...string) (*process, error) {
	p := &process{addr: freePort()}
	args = append([]string{"-listen", p.addr, "-count-only", "-until", strconv.Itoa(until)}, args...)
	p.cmd = exec.Command(filepath.Join(b.bin, "sink"), args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", p.addr); err == nil {
			return p, c.Close()
		}
	}
	return nil, fmt.Errorf("the sink does not answer")
}

// summary waits for the sink's end.
func (p *process) summary() (*summary, error) {
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Signal(os.Interrupt) })
	defer timer.Stop()
	line, err := bufio.NewReader(p.out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the sink said nothing: %w", err)
	}
	_ = p.cmd.Wait()
	var s summary
	return &s, json.Unmarshal(line, &s)
}

// post sends a post of so many octets and gives the time of its 250.
func post(door, list, id string, size int) (time.Time, error) {
	return postFrom("reader1@example.org", door, list, id, size)
}

func postFrom(author, door, list, id string, size int) (time.Time, error) {
	var text strings.Builder
	id = fmt.Sprintf("%s-%d", id, time.Now().UnixNano()) // the same text again would be held
	fmt.Fprintf(&text, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s.%d@example.org>\r\n\r\n", author, list, id, id, time.Now().UnixNano())
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, "A line of the post, about sixty octets, number %s %d of many.\r\n", id, i)
	}
	err := smtp.SendMail(door, nil, author, []string{list}, []byte(text.String()))
	return time.Now(), err
}
