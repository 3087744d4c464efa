package peers

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postfix"
	"plenary/internal/testkit/real"
)

// block gives the first code block of the handbook's operations page that holds
// the words.
func block(t *testing.T, words string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(real.Root(t), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 1 && strings.Contains(part, words) {
			_, body, _ := strings.Cut(part, "\n")
			return body
		}
	}
	t.Fatalf("no block with %q", words)
	return ""
}

// TestHandbookUnit: systemd has nothing to say about the unit people copy.
func TestHandbookUnit(t *testing.T) {
	verify := real.Program(t, "systemd-analyze")
	unit := filepath.Join(t.TempDir(), "plenary.service")
	text := strings.Replace(block(t, "[Service]"), "/usr/local/bin/plenary", testkit.Binary(t), 1)
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(verify, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHandbookPostfix: with the lines people copy, a post goes through and an
// unknown address is refused for good in the dialogue.
func TestHandbookPostfix(t *testing.T) {
	t.Parallel()
	real.Program(t, "swaks")
	lmtp := real.Addr(t)
	lines := strings.Replace(block(t, "relay_recipient_maps"), "[127.0.0.1]:2424", "[127.0.0.1]:"+lmtp[strings.LastIndexByte(lmtp, ':')+1:], 1)
	mta := postfix.Start(t, postfix.World{LMTP: lmtp, Domains: []string{"lists.example.org"}, Mailboxes: []string{writer}, Main: strings.Split(strings.TrimSpace(lines), "\n")})
	p := testkit.Start(t, func(c *config.Config) {
		c.LMTP.Listen = lmtp
		c.Outbound.Mode, c.Outbound.Relay = "relay", mta.Addr()
	})
	p.Add(p.List(talk, model.Discussion), model.RoleSubscriber, writer)
	if out, err := swaks(t, mta, "--from", writer, "--to", talk, "--header", "Subject: by the book", "--body", "Hello."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	delivered(t, mta, 1, writer)
	out, err := swaks(t, mta, "--from", writer, "--to", "nobody@lists.example.org", "--body", "Hello.")
	if err == nil || !strings.Contains(out, "<** 550 ") {
		t.Errorf("an unknown address: %v\n%s", err, out)
	}
}

// TestImage builds by hand what the Dockerfile says and runs it the same way: an
// empty root with one static binary, another user, its environment, its health
// check.
func TestImage(t *testing.T) {
	if os.Getuid() != 0 {
		real.Missing(t, "root for a root folder", errors.New("not root"))
	}
	text, err := os.ReadFile(filepath.Join(real.Root(t), "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	docker := strings.ReplaceAll(string(text), "\\\n", " ")
	for _, want := range []string{"CGO_ENABLED=0 go build", "FROM scratch", "USER 65532:65532", "VOLUME /var/lib/plenary", `CMD ["/plenary", "health"]`,
		`ENTRYPOINT ["/plenary"]`, `CMD ["serve"]`, "--chown=65532:65532 /rootfs/ /"} {
		if !strings.Contains(docker, want) {
			t.Fatalf("the Dockerfile has no %s", want)
		}
	}
	binary := testkit.Binary(t)
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary is not static")
		}
	}
	root, err := os.MkdirTemp("", "plenary-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	for _, dir := range []string{root, filepath.Join(root, "tmp"), filepath.Join(root, "var/lib/plenary")} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755), os.Chown(dir, 65532, 65532)); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "plenary"), program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	env := regexp.MustCompile(`PLENARY_[A-Z_]+=\S+`).FindAllString(docker, -1)
	if len(env) < 5 {
		t.Fatalf("the environment is %v", env)
	}
	for i, v := range env { // the ports may be taken here
		if name, _, found := strings.Cut(v, "_LISTEN="); found {
			_, port, _ := net.SplitHostPort(real.Addr(t))
			env[i] = name + "_LISTEN=:" + port
		}
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/plenary", args...)
		cmd.Dir, cmd.Env = "/", append(env, "PLENARY_OUTBOUND_MODE=catch")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return cmd
	}
	serve := command("serve")
	log, err := serve.StderrPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Process.Kill() })
	lines := bufio.NewScanner(log)
	said := ""
	for !strings.Contains(said, "plenary serves") {
		if !lines.Scan() {
			t.Fatalf("it ended:\n%s", said)
		}
		said += lines.Text() + "\n"
	}
	if out, err := command("health").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "ok") {
		t.Errorf("its health check: %v %s", err, out)
	}
	if out, err := command("list", "create", talk).CombinedOutput(); err != nil {
		t.Errorf("a verb beside it: %v %s", err, out)
	}
	_ = serve.Process.Signal(syscall.SIGTERM)
	for lines.Scan() {
		said += lines.Text() + "\n"
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, said)
	}
}
