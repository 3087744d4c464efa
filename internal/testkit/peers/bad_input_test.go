package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/config"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/real"
)

const (
	talk   = "talk@lists.example.org"
	writer = "ann@example.org"
)

// nested is a multipart inside a multipart, depth times, ended or not.
func nested(depth int, ended bool) []byte {
	var b bytes.Buffer
	b.WriteString("From: " + writer + "\r\nTo: " + talk + "\r\nSubject: nested\r\nMIME-Version: 1.0\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("Content-Type: text/plain\r\n\r\ndeep\r\n")
	for i := depth - 1; ended && i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return b.Bytes()
}

func TestBadMailHasAClearAnswer(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, func(c *config.Config) { c.SMTP.MaxMessageBytes = 8 << 20 })
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, writer)
	p.Add(l, model.RoleModerator, "mod@example.org")
	from := "From: " + writer
	headers := bytes.Repeat([]byte("X-Filler: some words\r\n"), 100_000)
	for _, c := range []struct {
		name, to string
		raw      []byte
		code     int
		says     string
	}{
		{"unknown list", "nolist@lists.example.org", testkit.Mail(from, "", "x"), 550, "5.1.1"},
		{"unknown domain", "talk@elsewhere.example", testkit.Mail(from, "", "x"), 550, ""},
		{"unknown function", "talk-nothing@lists.example.org", testkit.Mail(from, "", "x"), 550, "5.1.1"},
		{"forged bounce address", "talk-bounces+abcdefgh@lists.example.org", testkit.Mail(from, "", "x"), 550, ""},
		{"oversized", talk, append(testkit.Mail(from, "To: "+talk, "Subject: big", ""), bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n"), 140_000)...), 552, "5.3.4"},
		{"thousand-deep multipart", talk, nested(1000, true), 250, ""},
		{"unterminated multipart", talk, nested(100, false), 250, ""},
		{"100,000 header lines", talk, append(append(testkit.Mail(from, "To: "+talk, "Subject: many lines"), headers...), "\r\nbody\r\n"...), 250, ""},
		{"NUL bytes", talk, testkit.Mail(from, "To: "+talk, "Subject: n\x00ul", "", "a\x00b"), 250, ""},
		{"no header at all", talk, testkit.Mail("", "just a body"), 250, ""},
		{"garbage", talk, bytes.Repeat([]byte("\xff\xfe\x80\x81 garbage \r\n"), 50), 250, ""},
		{"stranger's wrong token", "talk-confirm+00000000000000000000000000@lists.example.org", testkit.Mail("From: eve@example.net", "Subject: Re: confirm", "", "ok"), 550, "5.1.1"},
	} {
		start := time.Now()
		r := p.Send(writer, []string{c.to}, c.raw)
		if c.code != 0 && r.Code != c.code || r.Code >= 400 && r.Code < 500 || !strings.Contains(r.Text, c.says) {
			t.Errorf("%s: %d %s; wants %d %s", c.name, r.Code, r.Text, c.code, c.says)
		}
		t.Logf("%-24s %d %s (%v)", c.name, r.Code, r.Text, time.Since(start).Round(time.Millisecond))
	}
	// The list still works.
	if r := p.Send(writer, []string{talk}, testkit.Mail(from, "To: "+talk, "Subject: good", "Message-ID: <good@example.org>", "", "A good post.")); r.Code != 250 {
		t.Fatalf("afterwards: %d %s", r.Code, r.Text)
	}
	wait(t, "the good post", func() bool {
		for _, c := range p.Caught(writer, 1) {
			if full, err := p.Store.GetCaught(context.Background(), c.ID); err == nil && message.ParseHeader(full.Data).MessageID() == "good@example.org" {
				return true
			}
		}
		return false
	})
}

func TestNamesCannotInjectHeaderFields(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	p.List(talk, model.Discussion, "name=Talk")
	for _, name := range []string{
		"=?utf-8?q?Eve=0D=0ABcc=3A_victim=40example=2Ecom?=",
		"\"Eve\\\r\n Bcc: victim@example.com\"",
		"Eve =?utf-8?b?DQpCY2M6IHZpY3RpbUBleGFtcGxlLmNvbQ==?=",
	} {
		r := p.Send("eve@example.net", []string{"talk-join@lists.example.org"}, testkit.Mail("From: "+name+" <eve@example.net>", "Subject: join", "", "x"))
		if r.Code >= 400 {
			continue // refused is fine too
		}
	}
	time.Sleep(300 * time.Millisecond)
	for _, c := range p.Caught("eve@example.net", 1) {
		full, err := p.Store.GetCaught(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if message.ParseHeader(full.Data).Has("Bcc") {
			t.Errorf("a name became a header field:\n%s", full.Data)
		}
	}
}

// TestTokensEnd: an answer that comes too late changes nothing and is told so, in
// words that say what to do; the same request made again works, once.
func TestTokensEnd(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	l := p.List(talk, model.Discussion)
	ask := func(letters int) (confirm string) {
		t.Helper()
		if r := p.Send(writer, []string{"talk-join@lists.example.org"}, testkit.Mail("From: "+writer, "Subject: join", "", "x")); r.Code != 250 {
			t.Fatalf("%+v", r)
		}
		h := message.ParseHeader(letter(t, p, letters))
		return h.Addresses("Reply-To")[0].Address.String()
	}
	answer := func(to string) testkit.Reply {
		return p.Send(writer, []string{to}, testkit.Mail("From: "+writer, "To: "+to, "Subject: Re: confirm", "", "OK"))
	}
	on := func() bool {
		s, err := p.Store.FindSubscriber(context.Background(), l.ID, writer)
		if err != nil {
			t.Fatal(err)
		}
		return s.Has(model.RoleSubscriber)
	}
	old := ask(1)
	p.Membership.Now = func() time.Time { return time.Now().Add(4 * 24 * time.Hour) }
	if r := answer(old); r.Code != 250 && r.Code != 550 || on() {
		t.Errorf("too late: %+v, joined %v", r, on())
	} else if r.Code == 250 {
		if text := string(letter(t, p, 2)); !strings.Contains(text, "ended on") || !strings.Contains(text, "talk-join@") {
			t.Errorf("too late:\n%s", text)
		}
	} else if !strings.Contains(r.Text, "ended on") {
		t.Errorf("too late: %s", r.Text)
	}
	p.Membership.Now = time.Now
	fresh := ask(len(p.Caught(writer, 1)) + 1)
	if r := answer(fresh); r.Code != 250 || !on() {
		t.Fatalf("asked again: %+v, joined %v", r, on())
	}
	if _, err := p.Store.Unsubscribe(context.Background(), l.ID, writer, "test"); err != nil {
		t.Fatal(err)
	}
	if answer(fresh); on() {
		t.Error("a used token joins again")
	}
	if answer(strings.Replace(fresh, "talk-", "other-", 1)); on() {
		t.Error("a used token joins by another list's address")
	}
}

// letter gives the nth letter to the writer.
func letter(t *testing.T, p *testkit.Plenary, n int) []byte {
	t.Helper()
	full, err := p.Store.GetCaught(context.Background(), p.Caught(writer, n)[n-1].ID)
	if err != nil {
		t.Fatal(err)
	}
	return full.Data
}

// smallDisk is a file system of the size, until the test ends.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		real.Missing(t, "root for a small file system", errors.New("not root"))
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", dir).CombinedOutput(); err != nil {
		real.Missing(t, "a small file system", fmt.Errorf("mount: %w %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestAFullDiskAtTheFirstStart: it says so and ends; with room the next start
// goes on with the half-made database.
func TestAFullDiskAtTheFirstStart(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "256k")
	env := append(os.Environ(), testkit.Env(dir)...)
	cmd := exec.Command(testkit.Binary(t), "list", "create", talk)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "full") || bytes.Count(out, []byte("\n")) != 1 || !strings.Contains(string(out), "make room") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=32m", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	testkit.Run(t, env, nil, "list", "create", talk)
}

// TestAFullDiskLosesNothing runs the program on a file system of a few
// megabytes: posts are refused with 452 when it is full, everything that was
// answered with 250 is there, and with room again it goes on.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "3m")
	p := testkit.Start(t, func(c *config.Config) {
		*c = *testkit.Config(dir)
		c.Outbound.Mode = "relay"
		c.Outbound.Relay = real.Addr(t)
	})
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, writer)
	post := func(i int) testkit.Reply {
		body := make([]byte, 60_000)
		for j := range body { // does not compress
			body[j] = "abcdefghijklmnopqrstuvwxyz0123456789"[(i*7919+j*j*31+j/7*i)%36]
			if j%70 == 69 {
				body[j] = '\n'
			}
		}
		return p.Send(writer, []string{talk}, testkit.Mail("From: "+writer, "To: "+talk, fmt.Sprintf("Subject: post %d", i),
			fmt.Sprintf("Message-ID: <full%d@example.org>", i), "", string(body)))
	}
	var accepted []int
	refusedAt := -1
	for i := 0; i < 400; i++ {
		r := post(i)
		if r.Code == 250 {
			accepted = append(accepted, i)
			continue
		}
		if r.Code != 452 && r.Code != 451 {
			t.Fatalf("a full disk answers %d %s", r.Code, r.Text)
		}
		t.Logf("after %d posts: %d %s", len(accepted), r.Code, r.Text)
		refusedAt = i
		break
	}
	if refusedAt < 0 {
		t.Fatal("the file system did not fill")
	}
	wait(t, "a health check that says so", func() bool {
		code, text := health(t, p)
		return code == 503 && strings.Contains(text, "disk")
	})
	if out, err := exec.Command("mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	wait(t, "a post with room again", func() bool { return post(refusedAt).Code == 250 })
	wait(t, "a health check that is content again", func() bool {
		code, text := health(t, p)
		return code == 200 && strings.HasPrefix(text, "ok, but the disk of the database has only ")
	})
	n, err := p.Store.CountPosts(context.Background(), l.ID)
	if err != nil || int(n) != len(accepted)+1 {
		t.Fatalf("%d posts are kept, %d were accepted (%v)", n, len(accepted)+1, err)
	}
}

func health(t *testing.T, p *testkit.Plenary) (code int, text string) {
	t.Helper()
	resp, err := http.Get("http://" + p.At.HTTP + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestADatabaseThatGoesAway stops PostgreSQL under the program: mail is refused
// for now, and when the database is back everything goes on by itself.
func TestADatabaseThatGoesAway(t *testing.T) {
	t.Parallel()
	pg := postgres.Own(t)
	p := testkit.Start(t, func(c *config.Config) { c.Database.DSN = pg.DSN })
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, writer)
	send := func(i int) testkit.Reply {
		return p.Send(writer, []string{talk}, testkit.Mail("From: "+writer, "To: "+talk, fmt.Sprintf("Subject: post %d", i),
			fmt.Sprintf("Message-ID: <away%d@example.org>", i), "", fmt.Sprintf("Text %d.", i)))
	}
	if r := send(1); r.Code != 250 {
		t.Fatalf("%d %s", r.Code, r.Text)
	}
	p.Caught(writer, 1)
	pg.Stop(t)
	if r := send(2); r.Code/100 != 4 || strings.Contains(r.Text, "sql") || strings.Contains(r.Text, "connect") {
		t.Errorf("without its database it answers %d %s", r.Code, r.Text)
	}
	pg.Start(t)
	wait(t, "a post after the database is back", func() bool { return send(2).Code == 250 })
	p.Caught(writer, 2)
}

// TestAMboxCutInTheMiddle imports a file that ends inside a message.
func TestAMboxCutInTheMiddle(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	l := p.List(talk, model.Discussion)
	path := filepath.Join(t.TempDir(), "cut.mbox.gz")
	whole, err := os.ReadFile(real.Corpus(t, "archives", "usrp-users-1500.mbox.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := p.Transfer.Import(context.Background(), l, "mbox", path)
	if err != nil && report.Added == 0 || report.Added < 100 || len(report.Cut) == 0 {
		t.Fatalf("%+v %v", report, err)
	}
	t.Logf("%d added; %s", report.Added, report.Cut)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Transfer.Import(context.Background(), l, "mbox", path); err != nil {
		t.Fatal(err)
	}
	n, err := p.Store.CountPosts(context.Background(), l.ID)
	if err != nil || n < 1500 || n > 1501 {
		t.Fatalf("%d posts after the whole file (%v)", n, err)
	}
}
