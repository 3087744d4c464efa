package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
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
	t     *testing.T
	cmd   *exec.Cmd
	start time.Duration // the longest it may take
	mu    sync.Mutex
	text  bytes.Buffer
	done  chan error
}

func startDemo(t *testing.T, cmd *exec.Cmd, start time.Duration) *demo {
	t.Helper()
	d := &demo{t: t, cmd: cmd, start: start, done: make(chan error, 1)}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does
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
	t.Cleanup(func() { _ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) })
	return d
}

// shows waits until the demo has printed what matches and gives everything.
func (d *demo) shows(want string) string {
	d.t.Helper()
	re, deadline := regexp.MustCompile(want), time.Now().Add(d.start)
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

// stop is Ctrl-C, which a terminal sends to go run and to what it runs.
func (d *demo) stop() {
	d.t.Helper()
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT)
	select {
	case err := <-d.done:
		if err != nil && d.cmd.Args[0] != "go" { // go run ends with 1 when it is interrupted
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

// cleanClone is what was committed, in a folder of its own.
func cleanClone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	out, err := exec.Command(real.Program(t, "git"), "clone", "--quiet", real.Root(t), dir).CombinedOutput()
	if err != nil {
		real.Missing(t, "a checkout to clone", fmt.Errorf("%w %s", err, out))
	}
	return dir
}

// TestTheDemoDoesWhatItsBannerSays is the first screen of the README: go run in
// a clean clone, then what its banner says, pasted.
func TestTheDemoDoesWhatItsBannerSays(t *testing.T) {
	t.Parallel()
	real.Program(t, "curl")
	var clone string
	var run *exec.Cmd
	if testing.Short() { // without building everything once more
		clone, run = t.TempDir(), exec.Command(testkit.Binary(t), "demo")
	} else {
		clone, run = cleanClone(t), exec.Command("go", "run", "./cmd/plenary", "demo")
	}
	run.Dir, run.Env = clone, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath") // shares what CI has built
	d := startDemo(t, run, 10*testkit.Patience)
	banner := d.shows(`Ctrl-C stops it`)
	var commands []string
	for _, line := range strings.Split(banner, "\n") {
		if strings.Contains(line, "curl ") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if len(commands) != 5 {
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
	paste(t, commands[4])
	held := regexp.MustCompile(`PLENARY_DATABASE_DSN=.* held .*`).FindAllString(banner, -1)
	if len(held) != 2 {
		t.Fatalf("%d commands that moderate:\n%s", len(held), banner)
	}
	there := "export CGO_ENABLED=0 GOFLAGS=-trimpath; cd '" + clone + "' && " // as the demo was built
	if out := paste(t, there+held[0]); !regexp.MustCompile(`(?m)^1 .* Wait for me `).MatchString(out) {
		t.Errorf("what waits: %q", out)
	}
	paste(t, there+held[1])
	wait(t, "the released post", func() bool {
		return strings.Contains(paste(t, "curl -sS '"+page+"?to=new@example.com'"), ">Wait for me</a>")
	})
	d.stop()
	if !strings.Contains(d.shows(`Stopped`), filepath.Join(clone, "plenary-demo")) {
		t.Error("it does not say where its data stays")
	}

	cmd := exec.Command(testkit.Binary(t), "demo", "--dir", filepath.Join(clone, "plenary-demo"), "--json")
	again := startDemo(t, cmd, 2*testkit.Patience)
	line := strings.TrimSpace(again.shows(`\}\n`))
	if !regexp.MustCompile(`^\{"smtp":"127\.0\.0\.1:\d+","lmtp":"127\.0\.0\.1:\d+","imap":"127\.0\.0\.1:\d+","http":"127\.0\.0\.1:\d+",` +
		`"list":"talk@[^"]+","user":"[^"]+","password":"[^"]+"\}$`).MatchString(line) {
		t.Errorf("--json prints %s", line)
	}
	var at map[string]string
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	// The user posts freely: by LMTP, with the author's own address and nothing else.
	sent := testkit.Mail("From: "+at["user"], "To: "+at["list"], "Subject: By LMTP", "Message-ID: <lmtp@"+at["list"]+">", "", "Free.")
	if replies, err := (&offer{"LHLO", at["lmtp"], at["user"], []string{at["list"]}, sent}).transact(); err != nil || replies[0].Code != 250 {
		t.Fatalf("%+v %v", replies, err)
	}
	client := testkit.DialIMAP(t, at["imap"], at["user"], at["password"])
	client.OK("EXAMINE Lists/talk")
	if found := client.OK(`SEARCH SUBJECT "By LMTP"`); !regexp.MustCompile(`^\* SEARCH \d+$`).MatchString(found[0]) {
		t.Errorf("her post is not in the archive: %q", found)
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
