package peers

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plenary/internal/model"
	"plenary/internal/sample"
	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

const (
	reader  = "ann@example.org"
	mailbox = "Lists/talk"
)

// library is a running program with the sample archive imported.
type library struct {
	*testkit.Plenary
	list     *model.List
	posts    int
	password string
	host     string
	port     string
}

func open(t *testing.T) *library {
	t.Helper()
	p := testkit.Start(t)
	l := &library{Plenary: p, list: p.List("talk@lists.example.org", model.Discussion)}
	p.Add(l.list, model.RoleSubscriber, reader)
	mbox := filepath.Join(t.TempDir(), "talk.mbox")
	if err := os.WriteFile(mbox, sample.Talk(), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := p.Transfer.Import(context.Background(), l.list, "mbox", mbox)
	if err != nil {
		t.Fatal(err)
	}
	l.posts = report.Added
	l.password = p.Password(reader)
	l.host, l.port, _ = net.SplitHostPort(p.At.IMAP)
	return l
}

// run runs a program with a bound and gives everything it printed.
func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*testkit.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, real.Program(t, name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "TERM=xterm")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestMbsyncPullsAWholeList(t *testing.T) {
	t.Parallel()
	real.Program(t, "mbsync")
	l, dir := open(t), t.TempDir()
	rc := fmt.Sprintf(`IMAPAccount plenary
Host %s
Port %s
User %s
Pass %s
SSLType None
AuthMechs LOGIN

IMAPStore remote
Account plenary

MaildirStore local
Path %s/mail/
Inbox %s/inbox

Channel talk
Far :remote:"%s"
Near :local:talk
Create Near
Sync Pull
SyncState *
`, l.host, l.port, reader, l.password, dir, dir, mailbox)
	write(t, dir, "mbsyncrc", rc)
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := run(t, dir, "mbsync", "-V", "-c", "mbsyncrc", "talk")
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	if n := files(t, dir); n != l.posts {
		t.Fatalf("mbsync pulled %d messages of %d\n%s", n, l.posts, first)
	}
	before := listing(t, dir)
	second, err := run(t, dir, "mbsync", "-V", "-c", "mbsyncrc", "talk")
	if err != nil || listing(t, dir) != before {
		t.Fatalf("the second pull changed something: %v\n%s", err, second)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) int {
	t.Helper()
	a, _ := filepath.Glob(filepath.Join(dir, "mail", "talk", "new", "*"))
	b, _ := filepath.Glob(filepath.Join(dir, "mail", "talk", "cur", "*"))
	return len(a) + len(b)
}

// listing is every file of the Maildir with its time of writing.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, "mail", "talk", sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, sub, e.Name(), info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}

func TestCurlReadsOneMessage(t *testing.T) {
	t.Parallel()
	real.Program(t, "curl")
	l, dir := open(t), t.TempDir()
	out, err := run(t, dir, "curl", "-sS", "--user", reader+":"+l.password, "imap://"+l.At.IMAP+"/"+url.PathEscape(mailbox)+"/;UID=1")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := l.bytes(t, 1); out != string(want) {
		t.Errorf("curl got %d octets, the archive has %d", len(out), len(want))
	}
}

// bytes gives a post as the archive keeps it.
func (l *library) bytes(t *testing.T, uid model.UID) []byte {
	t.Helper()
	post, err := l.Store.GetPost(context.Background(), model.MakePostID(l.list.ID, uid))
	if err != nil {
		t.Fatal(err)
	}
	data, err := l.Store.PostBytes(context.Background(), post)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const imaplibScript = `
import imaplib, sys
host, port, user, password, box = sys.argv[1:6]
m = imaplib.IMAP4(host, int(port))
assert m.login(user, password)[0] == 'OK'
print('CAPABILITY', b' '.join(m.capability()[1]).decode())
typ, boxes = m.list('""', '*'); assert typ == 'OK' and any(box.encode() in b for b in boxes), boxes
typ, n = m.select('"%s"' % box); assert typ == 'OK', n
total = int(n[0]); print('EXISTS', total)
typ, d = m.search(None, 'TEXT', 'library'); assert typ == 'OK' and d[0], d
typ, d = m.uid('search', None, 'SUBJECT', 'e-readers', 'SINCE', '1-Jan-2025'); assert typ == 'OK', d
typ, d = m.fetch('1:5', '(FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)'); assert typ == 'OK' and len(d) == 5, d
typ, d = m.fetch('2', '(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] BODY.PEEK[TEXT]<0.20>)'); assert typ == 'OK', d
typ, d = m.store('3', '+FLAGS', '(\\Seen \\Flagged)'); assert typ == 'OK', d
typ, d = m.search(None, 'FLAGGED'); assert d[0] == b'3', d
for refused in (lambda: m.store('3', '+FLAGS', '(\\Deleted)'), lambda: m.create('x'), lambda: m.delete(box),
                lambda: m.append('"%s"' % box, '', None, b'Subject: x\r\n\r\nx'), lambda: m.copy('1', '"%s"' % box)):
    typ, why = refused()
    print('REFUSED', typ, why)
    assert typ == 'NO', why
typ, d = m.expunge(); assert typ in ('OK', 'NO')
typ, d = m.status('"%s"' % box, '(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)'); assert typ == 'OK'; print('STATUS', d)
m.close(); m.logout()
m = imaplib.IMAP4(host, int(port)); m.login(user, password); m.select('"%s"' % box, readonly=True)
utf8 = imaplib.IMAP4(host, int(port)); utf8.login(user, password)
typ, d = utf8.enable('UTF8=ACCEPT'); assert typ == 'OK', d  # it looks at what was announced before login
utf8.select('"%s"' % box); typ, d = utf8.search(None, 'SUBJECT', '"朝の読書"'); assert typ == 'OK' and d[0], d
utf8.logout()
typ, d = m.search(None, 'FLAGGED'); assert d[0] == b'3', d
typ, d = m.store('1', '+FLAGS', '(\\Seen)'); assert typ == 'NO', d
m.select('"%s"' % box)
other = imaplib.IMAP4(host, int(port)); other.login(user, password); other.select('"%s"' % box)
m.send(b'idle1 IDLE\r\n')
line = m.readline()
while not line.startswith(b'+'): line = m.readline()
typ, d = other.store('4', '+FLAGS', '(\\Flagged)'); assert typ == 'OK', d
line = m.readline(); assert line.startswith(b'* 4 FETCH') and b'Flagged' in line, line
m.send(b'DONE\r\n'); line = m.readline(); assert line.startswith(b'idle1 OK'), line
other.logout(); m.logout(); print('DONE')
`

func TestPythonImaplib(t *testing.T) {
	t.Parallel()
	real.Program(t, "python3")
	l, dir := open(t), t.TempDir()
	write(t, dir, "session.py", imaplibScript)
	out, err := run(t, dir, "python3", "session.py", l.host, l.port, reader, l.password, mailbox)
	if err != nil || !strings.Contains(out, "DONE") || !strings.Contains(out, fmt.Sprintf("EXISTS %d\n", l.posts)) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestMuttThreadsAndSearches drives mutt and neomutt in a terminal as a person
// would.
func TestMuttThreadsAndSearches(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"mutt", "neomutt"} {
		t.Run(program, func(t *testing.T) { muttReads(t, program) })
	}
}

func muttReads(t *testing.T, program string) {
	l, dir := open(t), t.TempDir()
	write(t, dir, "muttrc", fmt.Sprintf(`set imap_user="%s"
set imap_pass="%s"
set ssl_starttls=no ssl_force_tls=no
set imap_condstore=yes imap_qresync=yes
set header_cache="%s/cache"
set sort=threads
set mail_check=1 timeout=1
set folder="%s"
set pager_index_lines=0 wait_key=no
set ascii_chars=yes
set charset=utf-8
`, reader, l.password, dir, dir))
	box := fmt.Sprintf("imap://%s/%s", l.At.IMAP, mailbox)
	s := terminal(t, dir, real.Program(t, program)+" -F "+dir+"/muttrc -f '"+box+"'")
	s.shows("opening", fmt.Sprintf(`Msgs:%d`, l.posts))
	s.shows("threading", `[|\x60]->`)
	c := testkit.DialIMAP(t, l.At.IMAP, reader, l.password)
	c.OK("SELECT " + mailbox)
	found := len(strings.Fields(c.OK("SEARCH BODY grant")[0])) - 2
	s.keys("l", "=b grant", "Enter") // a server-side body search
	s.shows("searching", fmt.Sprintf(`Msgs:%d/%d`, found, l.posts))
	s.keys("l", "all", "Enter")
	s.shows("all again", fmt.Sprintf(`Msgs:%d`, l.posts))
	s.keys("=", "Enter") // first message, open it
	s.shows("reading", `(?m)^Subject: `)
	s.keys("q", "q")
	s.ends()

	// It comes back, and asks what changed meanwhile (QRESYNC).
	c.OK("STORE 5 +FLAGS (\\Flagged)")
	if r := l.Send(reader, []string{"talk@lists.example.org"}, testkit.Mail("From: "+reader, "To: talk@lists.example.org", "Subject: Fresh",
		"Message-ID: <fresh@example.org>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "News.")); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	s = terminal(t, dir, real.Program(t, program)+" -F "+dir+"/muttrc -f '"+box+"'")
	s.shows("coming back", fmt.Sprintf(`Msgs:%d .*Flag:1`, l.posts+1))
	s.keys("q")
}
