package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/sample"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// beside is a running service and the command line beside it, on one database.
type beside struct {
	*rig
	serve *testkit.Serve
	at    app.Addrs
	sink  *sink.Sink
}

func newBeside(t *testing.T) *beside {
	t.Helper()
	k, err := sink.Start(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	b := &beside{rig: newRig(t), sink: k}
	b.environ = append(b.environ, "PLENARY_OUTBOUND_MODE=relay", "PLENARY_OUTBOUND_RELAY="+k.Addr(), "PLENARY_OUTBOUND_RELAY_TLS=none")
	b.serve = testkit.Launch(t, b.environ)
	b.at = b.serve.Ready()
	return b
}

// post sends a mail to the running service.
func (b *beside) post(from, id string) {
	b.t.Helper()
	r := testkit.Send(b.t, b.at.SMTP, from, []string{talk}, testkit.Mail("From: "+from, "To: "+talk, "Subject: "+id,
		"Message-ID: <"+id+"@example.net>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "The text of "+id+"."))
	if r.Code != 250 {
		b.t.Fatalf("%s: %d %s", id, r.Code, r.Text)
	}
}

// got tells how many copies of a post a recipient has.
func (b *beside) got(recipient, id string) int {
	return b.sink.Snapshot().Letters[sink.Letter{Recipient: recipient, MessageID: id + "@example.net"}]
}

func (b *beside) wait(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not come\n%s", what, b.serve.Log())
		}
	}
}

// TestBesideARunningService: what a verb changes, the service does at once.
func TestBesideARunningService(t *testing.T) {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("subscriber", "add", talk, "ann@example.org")
	b.ok("subscriber", "add", talk, "bo@example.net")

	b.post("ann@example.org", "first")
	b.wait("the first post", func() bool { return b.got("ann@example.org", "first") == 1 && b.got("bo@example.net", "first") == 1 })

	b.post("stranger@example.com", "held")
	b.has(b.ok("held", "ls"), "stranger@example.com")
	b.ok("held", "approve", b.held("held"))
	b.wait("the released post", func() bool { return b.got("ann@example.org", "held") == 1 && b.got("bo@example.net", "held") == 1 })

	b.ok("list", "set", talk, "nonsubscriber-action=reject")
	refused := testkit.Send(t, b.at.SMTP, "stranger@example.com", []string{talk}, testkit.Mail("From: stranger@example.com", "To: "+talk,
		"Subject: x", "Message-ID: <refused@example.net>", "", "x"))
	if refused.Code < 500 {
		t.Errorf("a setting changed on the command line is not obeyed: %d %s", refused.Code, refused.Text)
	}

	b.ok("subscriber", "rm", talk, "bo@example.net")
	b.post("ann@example.org", "after")
	b.wait("the post after", func() bool { return b.got("ann@example.org", "after") == 1 })
	if n := b.got("bo@example.net", "after"); n != 0 {
		t.Errorf("who was taken off got %d copies", n)
	}

	second := testkit.Send(t, b.at.SMTP, "x@example.org", []string{"new@lists.example.org"}, nil)
	b.ok("list", "create", "new@lists.example.org", "--set", "nonsubscriber-action=accept")
	third := testkit.Send(t, b.at.SMTP, "x@example.org", []string{"new@lists.example.org"}, testkit.Mail("From: x@example.org",
		"To: new@lists.example.org", "Subject: x", "Message-ID: <new@example.org>", "", "x"))
	if second.Code != 550 || third.Code != 250 {
		t.Errorf("before the list was made %d, after %d %s", second.Code, third.Code, third.Text)
	}

	b.environ = append(b.environ, "PLENARY_HTTP_LISTEN="+b.at.HTTP)
	b.has(b.ok("health"), "ok")
	b.serve.Stop()
	b.fails(exitFailure, "does not answer at "+b.at.HTTP, "health")
}

// TestPauseBesideARunningService: after queue pause nothing more leaves, after
// resume everything does.
func TestPauseBesideARunningService(t *testing.T) {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("list", "create", news, "--kind", "discussion")
	b.ok("subscriber", "add", talk, "ann@example.org")
	b.ok("subscriber", "add", news, "ann@example.org")
	for _, scope := range [][]string{nil, {"--list", talk}} {
		what := fmt.Sprintf("paused%d", len(scope))
		b.ok(append([]string{"queue", "pause"}, scope...)...)
		b.post("ann@example.org", what)
		b.wait("the paused post in the queue", func() bool {
			return b.json("queue", "status")[0]["active"].(float64) == 1
		})
		if scope != nil { // another list goes on, and shows that the queue had its turn
			r := testkit.Send(t, b.at.SMTP, "ann@example.org", []string{news}, testkit.Mail("From: ann@example.org", "To: "+news,
				"Subject: other", "Message-ID: <other@example.net>", "", "x"))
			if r.Code != 250 {
				t.Fatal(r)
			}
			b.wait("the other list's post", func() bool { return b.got("ann@example.org", "other") == 1 })
		}
		if b.got("ann@example.org", what) != 0 {
			t.Errorf("%s: a copy left", what)
		}
		b.ok(append([]string{"queue", "resume"}, scope...)...)
		b.wait("the resumed post", func() bool { return b.got("ann@example.org", what) == 1 })
	}
}

// TestRetryBesideARunningService: what waits hours for its next try goes now.
func TestRetryBesideARunningService(t *testing.T) {
	b := newBeside(t)
	addr := b.sink.Addr()
	_ = b.sink.Close()
	refusing, err := sink.Start(sink.Options{Addr: addr, RefuseData: "451 4.3.0 not now"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = refusing.Close() })
	b.ok("list", "create", talk)
	b.ok("subscriber", "add", talk, "ann@example.org")
	b.post("ann@example.org", "later")
	b.wait("the copy that waits", func() bool { return b.json("queue", "status")[0]["retries"].(float64) == 1 })
	b.has(b.ok("queue", "status"), "copies to try again 1", "4.3.0 not now")
	b.has(b.ok("trace", "ann@example.org"), "deferred after 1 attempt, next try", "451 4.3.0 not now")
	_ = refusing.Close()
	if b.sink, err = sink.Start(sink.Options{Addr: addr}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sink.Close() })
	b.has(b.ok("queue", "retry", "--domain", "example.com"), "0 copies")
	b.has(b.ok("queue", "retry", "--domain", "example.org"), "1 copy")
	b.wait("the copy", func() bool { return b.got("ann@example.org", "later") == 1 })
	b.wait("the trace of the copy", func() bool { return strings.Contains(b.ok("trace", "later@example.net"), "sent 1") })
}

// TestImportIsAnnounced: a mail program that idles sees an import of another
// process.
func TestImportIsAnnounced(t *testing.T) {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("subscriber", "add", talk, "ann@example.org")
	secret := strings.TrimSpace(b.ok("access", "ann@example.org"))
	ann := idles(t, b.at.IMAP, "ann@example.org", secret, "Lists/talk")
	mbox := filepath.Join(t.TempDir(), "talk.mbox")
	if err := os.WriteFile(mbox, sample.Talk(), 0o600); err != nil {
		t.Fatal(err)
	}
	n := int(b.json("import", "mbox", talk, mbox)[0]["added"].(float64))
	for want := fmt.Sprintf("* %d EXISTS", n); ann.until("* ") != want; {
	}
	_ = ann.c.PrintfLine("DONE")
	ann.until("a9 OK")
	_ = ann.c.PrintfLine("b1 UID FETCH %d (FLAGS)", n)
	ann.until(fmt.Sprintf("* %d FETCH", n))
}

// TestAccessTakenBackEndsConnections: a mail program that idles is told to go when
// its app password is taken back.
func TestAccessTakenBackEndsConnections(t *testing.T) {
	b := newBeside(t)
	b.ok("list", "create", talk)
	b.ok("subscriber", "add", talk, "ann@example.org")
	secret := strings.TrimSpace(b.ok("access", "ann@example.org"))
	ann := idles(t, b.at.IMAP, "ann@example.org", secret, "Lists/talk")
	b.ok("access", "rm", "ann@example.org", "--all")
	ann.until("* BYE")
}

// TestSecondDemo: a demo in the folder of a running one is refused and changes
// nothing there.
func TestSecondDemo(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"PLENARY_SMTP_LISTEN=127.0.0.1:0", "PLENARY_LMTP_LISTEN=127.0.0.1:0", "PLENARY_IMAP_LISTEN=127.0.0.1:0", "PLENARY_HTTP_LISTEN=127.0.0.1:0"}
	ctx, stop := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	var log bytes.Buffer
	first := &env{ctx: ctx, out: bufio.NewWriter(printed), err: &log, environ: environ}
	ended := make(chan int, 1)
	go func() {
		code := first.run([]string{"demo", "--dir", dir, "--json"})
		_ = printed.CloseWithError(fmt.Errorf("the demo ended with %d: %s", code, log.String()))
		ended <- code
	}()
	late := time.AfterFunc(3*time.Minute, func() { _ = printed.CloseWithError(errors.New("the demo says nothing")) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	late.Stop()
	shape := regexp.MustCompile(`^\{"smtp":"127\.0\.0\.1:\d+","lmtp":"127\.0\.0\.1:\d+","imap":"127\.0\.0\.1:\d+","http":"127\.0\.0\.1:\d+",` +
		`"list":"talk@[^"]+","user":"[^"]+@[^"]+","password":"[0-9a-z-]+"\}\n$`)
	if !shape.MatchString(line) {
		t.Errorf("demo --json prints %s", line)
	}
	var at map[string]string
	if err := json.Unmarshal([]byte(line), &at); err != nil {
		t.Fatal(err)
	}
	second := &rig{t: t, environ: environ, ran: map[string]bool{}}
	second.fails(exitFailure, "another plenary serves with data_dir "+dir, "demo", "--dir", dir, "--json")
	beside := &rig{t: t, environ: testkit.Env(dir), ran: map[string]bool{}}
	if _, err := beside.app().Auth.Authenticate(t.Context(), at["user"], at["password"]); err != nil {
		t.Errorf("the first demo's password no longer works: %v", err)
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("the demo ended with %d", code)
	}
}

// TestVerbsDuringAFanOut: the database is busy, and every verb still gets its
// turn.
func TestVerbsDuringAFanOut(t *testing.T) {
	b := newBeside(t)
	const people, posts = 2000, 4
	b.ok("list", "create", talk)
	var csv strings.Builder
	for i := range people {
		fmt.Fprintf(&csv, "p%d@example.org\n", i)
	}
	b.ok("subscriber", "import", talk, b.file("people.csv", csv.String()))
	for i := range posts {
		b.post("p0@example.org", fmt.Sprint("busy", i))
	}
	turns := 0
	for ; b.sink.Messages() < people*posts && turns < 200; turns++ {
		b.ok("subscriber", "add", talk, fmt.Sprintf("late%d@example.net", turns))
		b.ok("queue", "status")
	}
	b.wait("all copies", func() bool { return b.sink.Messages() == people*posts })
	t.Logf("%d verbs had their turn", 2*turns)
	b.serve.Stop()
	if n := len(b.sink.Snapshot().Letters); n != people*posts {
		t.Errorf("%d different copies of %d: who joined later must not get them", n, people*posts)
	}
}

// TestBaseURLIsTheServices: a post released on the command line carries the
// links of the service, whatever this machine is called; with a relay as with
// the catcher.
func TestBaseURLIsTheServices(t *testing.T) {
	r := newRig(t)
	served := append(append([]string{}, r.environ...), "PLENARY_HTTP_BASE_URL=", "PLENARY_HOSTNAME=archive.example.org")
	r.environ = append(r.environ, "PLENARY_HTTP_BASE_URL=", "PLENARY_HOSTNAME=")
	s := testkit.Launch(t, served)
	at := s.Ready()
	b := &beside{rig: r, serve: s, at: at}
	b.wait("the warning", func() bool { return strings.Contains(s.Log(), "http.base_url is not set") })
	r.ok("list", "create", talk)
	r.ok("subscriber", "add", talk, "bo@example.net")
	b.post("stranger@example.com", "held")
	r.ok("held", "approve", r.held("held"))
	a := r.app()
	copies := testkit.Around(t, a).Caught("bo@example.net", 1)
	r.has(string(copies[0].Data), "<https://archive.example.org/archive/", "<https://archive.example.org/unsubscribe/", "<https://archive.example.org/list/")
	if strings.Contains(string(copies[0].Data), "localhost") {
		t.Errorf("%s", copies[0].Data)
	}
}
