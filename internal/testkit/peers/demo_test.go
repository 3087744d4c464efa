package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// demo is a running `plenary demo`.
type demo struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
	done chan error
}

func startDemo(t *testing.T, dir string, args ...string) *demo {
	t.Helper()
	d := &demo{t: t, done: make(chan error, 1)}
	d.cmd = exec.Command(testkit.Binary(t), append([]string{"demo", "--dir", dir}, args...)...)
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = os.Stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			d.mu.Lock()
			d.text.WriteString(lines.Text() + "\n")
			d.mu.Unlock()
		}
		d.done <- d.cmd.Wait()
	}()
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

// shows waits until the demo has printed what matches and gives everything.
func (d *demo) shows(want string) string {
	d.t.Helper()
	re, deadline := regexp.MustCompile(want), time.Now().Add(2*testkit.Patience)
	for {
		d.mu.Lock()
		text := d.text.String()
		d.mu.Unlock()
		if re.MatchString(text) {
			return text
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the demo does not show %q:\n%s", want, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop is Ctrl-C.
func (d *demo) stop() {
	d.t.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-d.done:
		if err != nil {
			d.t.Fatalf("Ctrl-C: %v", err)
		}
	case <-time.After(2 * testkit.Patience):
		d.t.Fatal("Ctrl-C does not stop the demo")
	}
}

// paste runs a line of the banner as a person would.
func paste(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

func TestTheDemoDoesWhatItsBannerSays(t *testing.T) {
	real.Program(t, "curl")
	dir := t.TempDir()
	d := startDemo(t, dir)
	banner := d.shows(`Ctrl-C stops it`)
	var commands []string
	for _, line := range strings.Split(banner, "\n") {
		if strings.Contains(line, "curl ") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if len(commands) != 4 {
		t.Fatalf("%d commands to paste:\n%s", len(commands), banner)
	}
	page := regexp.MustCompile(`http://\S+/catch`).FindString(banner)
	paste(t, commands[0])
	wait(t, "the post in the catcher", func() bool {
		return strings.Count(paste(t, "curl -sS "+page), ">Hello</a>") >= 5
	})
	if out := paste(t, commands[1]); !strings.Contains(out, "Subject: ") {
		t.Errorf("reading by IMAP gave %q", out)
	}
	if out := paste(t, commands[2]); !regexp.MustCompile(`\* SEARCH( \d+)+`).MatchString(out) {
		t.Errorf("searching by IMAP gave %q", out)
	}
	paste(t, commands[3])
	var letter string
	wait(t, "the confirmation", func() bool {
		letter = regexp.MustCompile(`/catch/\d+`).FindString(paste(t, "curl -sS '"+page+"?to=new@example.com'"))
		return letter != ""
	})
	text := html.UnescapeString(paste(t, "curl -sS "+strings.TrimSuffix(page, "/catch")+letter))
	answer := regexp.MustCompile(`printf .* --upload-file -`).FindString(text)
	if answer == "" {
		t.Fatalf("no command that answers in\n%s", text)
	}
	paste(t, answer)
	wait(t, "the welcome letter", func() bool {
		return strings.Contains(paste(t, "curl -sS '"+page+"?to=new@example.com'"), "Welcome")
	})
	d.stop()

	again := startDemo(t, dir, "--json")
	line := strings.TrimSpace(again.shows(`\}`))
	var at map[string]string
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	for _, key := range []string{"smtp", "lmtp", "imap", "http", "list", "user", "password"} {
		if at[key] == "" {
			t.Errorf("--json has no %s: %s", key, line)
		}
	}
	if out := paste(t, "curl -sS 'http://"+at["http"]+"/catch?to=new@example.com'"); !strings.Contains(out, "Welcome") {
		t.Error("the second start did not go on with the same data")
	}
	again.stop()
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
