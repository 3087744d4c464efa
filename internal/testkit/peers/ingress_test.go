package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit"
)

// TestEachListJudgesForItself: one message to a list that takes it and one that
// refuses it. LMTP has a reply for each; over SMTP the refusal becomes a hold.
func TestEachListJudgesForItself(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	open := p.List(talk, model.Discussion)
	strict := p.List("strict@lists.example.org", model.Discussion, "nonsubscriber-action=reject")
	p.Add(open, model.RoleSubscriber, writer)
	both := []string{talk, strict.Address()}
	count := func() (posts, held int) {
		t.Helper()
		n, err := p.Store.CountPosts(context.Background(), open.ID)
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.Store.HeldOf(context.Background(), strict.ID, model.HeldPending)
		if err != nil {
			t.Fatal(err)
		}
		return int(n), len(h)
	}
	send := func(hello, addr, id string) []testkit.Reply {
		t.Helper()
		raw := testkit.Mail("From: "+writer, "To: "+strings.Join(both, ", "), "Subject: to both", "Message-ID: <"+id+"@example.org>", "", "Text "+id+".")
		o := &offer{hello: hello, addr: addr, from: writer, to: both, raw: raw}
		if hello == "EHLO" {
			r := testkit.Send(t, addr, writer, both, raw)
			return []testkit.Reply{r}
		}
		replies, err := o.transact()
		if err != nil {
			t.Fatal(err)
		}
		return replies
	}
	r := send("LHLO", p.At.LMTP, "one")
	if posts, held := count(); r[0].Code != 250 || r[1].Code != 550 || posts != 1 || held != 0 {
		t.Errorf("LMTP: %+v, %d posts, %d held", r, posts, held)
	}
	r = send("EHLO", p.At.SMTP, "two")
	if posts, held := count(); r[0].Code != 250 || posts != 2 || held != 1 {
		t.Errorf("SMTP: %+v, %d posts, %d held", r, posts, held)
	}
	r = []testkit.Reply{p.Send(writer, both[1:], testkit.Mail("From: "+writer, "To: "+both[1], "Subject: to one", "Message-ID: <three@example.org>", "", "Text."))}
	if posts, held := count(); r[0].Code != 550 || !strings.Contains(r[0].Text, "5.7.1") || posts != 2 || held != 1 {
		t.Errorf("SMTP to the strict list alone: %+v, %d posts, %d held", r, posts, held)
	}
}

// TestWhatIsAnnouncedIsHonoured speaks to the whole program as the most modern
// client does: all commands in one packet, an international list, 8-bit octets,
// the message in chunks. The archive has the octets.
func TestWhatIsAnnouncedIsHonoured(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	l := p.List("größe@bücher.example", model.Discussion)
	author := "zoë@example.org"
	p.Add(l, model.RoleSubscriber, author, reader)
	dial := func() *textproto.Conn {
		t.Helper()
		conn, err := net.DialTimeout("tcp", p.At.SMTP, testkit.Patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
		return textproto.NewConn(conn)
	}
	expect := func(c *textproto.Conn, want ...string) {
		t.Helper()
		for _, w := range want {
			code, text, err := c.ReadResponse(0)
			if got := fmt.Sprintf("%d %s", code, text); !strings.HasPrefix(got, w) {
				t.Fatalf("%s instead of %s (%v)", got, w, err)
			}
		}
	}
	raw := []byte("From: Zoë <" + author + ">\r\nTo: größe@bücher.example\r\nSubject: Größe\r\nMessage-ID: <chunks@example.org>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n.Wie groß?\r\n.\r\nSo: \xc3\xa4.\r\n")
	c := dial()
	if err := c.PrintfLine("EHLO client.example.net"); err != nil {
		t.Fatal(err)
	}
	expect(c, "220 ")
	code, text, err := c.ReadResponse(250)
	for _, word := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "SIZE 2"} {
		if !strings.Contains(text, word) {
			t.Errorf("EHLO: %d %s (%v) lacks %s", code, text, err, word)
		}
	}
	all := fmt.Sprintf("MAIL FROM:<%s> SIZE=%d BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<größe@bücher.example>\r\nRCPT TO:<nobody@bücher.example>\r\nBDAT %d\r\n%sBDAT %d LAST\r\n%sMAIL FROM:<%s> SIZE=999999999\r\nQUIT\r\n",
		author, len(raw), len(raw)-50, raw[:len(raw)-50], 50, raw[len(raw)-50:], writer)
	if _, err := io.WriteString(c.W, all); err != nil || c.W.Flush() != nil {
		t.Fatal(err)
	}
	expect(c, "250 2.1.0 ", "250 2.1.5 ", "550 5.1.1 ", "250 2.", "250 2.", "552 5.3.4 ", "221 2.0.0 ")
	archived := fetchAll(t, p.At.IMAP, p.Password(reader), "Lists/größe")
	if len(archived) != 1 {
		t.Errorf("%d posts in the archive", len(archived))
	}
	for uid, got := range archived {
		post, err := p.Store.GetPost(context.Background(), model.MakePostID(l.ID, uid))
		if err != nil || post.OwnLen == 0 || !bytes.Equal(got[post.OwnLen:], raw) {
			t.Errorf("UID %d by IMAP: %v\n%s", uid, err, got)
		}
	}
}

// TestAnybodyReadsAPublicList: by either way of saying that one is nobody; other
// lists are not there, and nothing is remembered.
func TestAnybodyReadsAPublicList(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	for _, l := range []*model.List{p.List("open@lists.example.org", model.Discussion, "archive-access=public"), p.List(talk, model.Discussion)} {
		p.Add(l, model.RoleSubscriber, writer)
		if r := p.Send(writer, []string{l.Address()}, testkit.Mail("From: "+writer, "To: "+l.Address(), "Subject: to all", "Message-ID: <1@"+l.Address()+">", "", "Read me.")); r.Code != 250 {
			t.Fatal(r)
		}
	}
	for way, login := range map[string]func(c *testkit.IMAP){
		"LOGIN": func(c *testkit.IMAP) { c.OK("LOGIN anonymous guest@example.net") },
		"SASL":  func(c *testkit.IMAP) { c.OK("AUTHENTICATE ANONYMOUS Z3Vlc3Q=") },
	} {
		c := testkit.DialIMAP(t, p.At.IMAP, "", "")
		login(c)
		if boxes := strings.Join(c.OK(`LIST "" "Lists/*"`), "\n"); !strings.Contains(boxes, `"Lists/open"`) || strings.Contains(boxes, "talk") {
			t.Errorf("%s sees %s", way, boxes)
		}
		c.No("SELECT Lists/talk")
		c.OK("SELECT Lists/open")
		if got := c.OK("FETCH 1 BODY[]"); !strings.Contains(got[0], "Read me.") {
			t.Errorf("%s reads %q", way, got)
		}
		c.No(`STORE 1 +FLAGS (\Flagged)`)
	}
}
