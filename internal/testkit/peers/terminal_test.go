package peers

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// screen is a program in a terminal, driven as a person would.
type screen struct {
	t      *testing.T
	dir    string
	tmux   string
	socket string
}

// terminal starts a command in a terminal whose home is dir.
func terminal(t *testing.T, dir, command string) *screen {
	t.Helper()
	s := &screen{t: t, dir: dir, tmux: real.Program(t, "tmux"), socket: filepath.Join(dir, "tmux")}
	s.run("new-session", "-d", "-x", "140", "-y", "50", command)
	t.Cleanup(func() { _ = exec.Command(s.tmux, "-S", s.socket, "kill-server").Run() })
	return s
}

func (s *screen) run(args ...string) string {
	s.t.Helper()
	out, err := run(s.t, s.dir, s.tmux, append([]string{"-S", s.socket, "-f", "/dev/null"}, args...)...)
	if err != nil {
		s.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return out
}

// ends waits until the program has ended, and the terminal with it.
func (s *screen) ends() {
	s.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); exec.Command(s.tmux, "-S", s.socket, "has-session").Run() == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it does not end:\n%s", s.run("capture-pane", "-p"))
		}
	}
}

func (s *screen) keys(keys ...string) {
	s.t.Helper()
	s.run(append([]string{"send-keys"}, keys...)...)
}

// shows waits until the screen has what matches and gives it.
func (s *screen) shows(what, want string) string {
	s.t.Helper()
	re, deadline := regexp.MustCompile(want), time.Now().Add(testkit.Patience)
	for {
		out := s.run("capture-pane", "-p")
		if re.MatchString(out) {
			return out
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: the screen does not show %q:\n%s", what, want, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestAlpineReads opens the list in alpine, searches on the server and reads a
// message.
func TestAlpineReads(t *testing.T) {
	t.Parallel()
	alpine := real.Program(t, "alpine")
	l, dir := open(t), t.TempDir()
	write(t, dir, "pinerc", fmt.Sprintf(`personal-name=Ann
user-domain=example.org
inbox-path={%s/user=%s/notls}INBOX
folder-collections={%s/user=%s/notls}[]
feature-list=quell-user-lookup-in-passwd-file,enable-incoming-folders
disable-these-authenticators=
last-time-prune-questioned=126.11
last-version-used=6.26
`, l.At.IMAP, reader, l.At.IMAP, reader))
	s := terminal(t, dir, fmt.Sprintf("%s -p %s/pinerc -P /dev/null -f '{%s/user=%s/notls}%s'", alpine, dir, l.At.IMAP, reader, mailbox))
	s.shows("asking", `ENTER PASSWORD`)
	s.keys(l.password, "Enter")
	s.shows("asking", `Preserve password`)
	s.keys("n")
	s.shows("opened", fmt.Sprintf(`opened with %d messages`, l.posts))
	s.keys("i")
	s.shows("listing", fmt.Sprintf(`MESSAGE INDEX.*Message %d of %d`, l.posts, l.posts))
	s.keys(`\;`, "t", "a", "grant", "Enter") // select by all text: a search on the server
	c := testkit.DialIMAP(t, l.At.IMAP, reader, l.password)
	c.OK("SELECT " + mailbox)
	found := len(strings.Fields(c.OK("SEARCH TEXT grant")[0])) - 2
	s.shows("searching", fmt.Sprintf(`Select matched %d messages`, found))
	s.keys("Enter")
	s.shows("reading", `MESSAGE TEXT(?s:.*)(?m:^ *Subject: )`)
	s.keys("q", "y")
}

// TestAercReads opens the list in aerc, which asks for SORT and THREAD, and
// reads a message.
func TestAercReads(t *testing.T) {
	t.Parallel()
	aerc := real.Program(t, "aerc")
	l, dir := open(t), t.TempDir()
	conf := filepath.Join(dir, ".config", "aerc")
	user := strings.ReplaceAll(reader, "@", "%40")
	mkdir(t, conf)
	write(t, conf, "accounts.conf", fmt.Sprintf("[lists]\nsource = imap+insecure://%s:%s@%s\ndefault = %s\nfrom = Ann <%s>\n",
		user, l.password, l.At.IMAP, mailbox, reader))
	write(t, conf, "aerc.conf", "[general]\nunsafe-accounts-conf=true\n[ui]\nthreading-enabled=true\n[filters]\ntext/plain=cat\n")
	s := terminal(t, dir, aerc)
	s.shows("opening", `talk`)
	s.shows("listing", `Re: |library|e-readers`)
	s.keys("Enter")
	s.shows("reading", `(?m)From: `)
	s.keys(":quit", "Enter")
}
