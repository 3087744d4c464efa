package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestOfflineIMAPKeepsACopyInStep: a whole list is pulled into a Maildir, a mark
// made there is pushed, and a second run has nothing to do.
func TestOfflineIMAPKeepsACopyInStep(t *testing.T) {
	t.Parallel()
	program := real.Program(t, "offlineimap")
	l, dir := open(t), t.TempDir()
	write(t, dir, "rc", fmt.Sprintf(`[general]
accounts = lists
metadata = %s/state
fsync = False
[Account lists]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = %s/mail
sep = .
[Repository there]
type = IMAP
remotehost = %s
remoteport = %s
remoteuser = %s
remotepass = %s
ssl = no
starttls = no
auth_mechanisms = LOGIN
folderfilter = lambda name: name == '%s'
nametrans = lambda name: 'talk'
createfolders = False
`, dir, dir, l.host, l.port, reader, l.password, mailbox))
	sync := func() string {
		t.Helper()
		out, err := run(t, dir, program, "-o", "-1", "-u", "basic", "-c", "rc")
		if err != nil || strings.Contains(out, "ERROR") {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	first := sync()
	if n := files(t, dir); n != l.posts {
		t.Fatalf("offlineimap pulled %d messages of %d\n%s", n, l.posts, first)
	}
	fresh, _ := filepath.Glob(filepath.Join(dir, "mail", "talk", "*", "*,U=2,*"))
	if len(fresh) != 1 {
		t.Fatal("no message 2")
	}
	name := strings.TrimSuffix(filepath.Base(fresh[0]), ":2,")
	if err := os.Rename(fresh[0], filepath.Join(dir, "mail", "talk", "cur", name+":2,FS")); err != nil {
		t.Fatal(err)
	}
	sync()
	c := testkit.DialIMAP(t, l.At.IMAP, reader, l.password)
	c.OK("EXAMINE " + mailbox)
	if got := strings.Join(c.OK("SEARCH SEEN FLAGGED"), ""); got != "* SEARCH 2" {
		t.Errorf("the marks were not pushed: %q", got)
	}
	before := listing(t, dir)
	if out := sync(); listing(t, dir) != before {
		t.Errorf("the last run changed something:\n%s", out)
	}
}
