package peers

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postfix"
	"plenary/internal/testkit/real"
)

// between starts Plenary with a Postfix in front (LMTP) and behind (relay).
func between(t *testing.T, people ...string) (*testkit.Plenary, *postfix.Server, *model.List) {
	t.Helper()
	lmtp := real.Addr(t)
	mta := postfix.Start(t, postfix.World{LMTP: lmtp, Domains: []string{"lists.example.org"}, Mailboxes: people})
	p := testkit.Start(t, func(c *config.Config) {
		c.LMTP.Listen = lmtp
		c.Outbound.Mode, c.Outbound.Relay = "relay", mta.Addr()
	})
	l := p.List("talk@lists.example.org", model.Discussion)
	p.Add(l, model.RoleSubscriber, people...)
	return p, mta, l
}

// delivered waits until each person has n messages in the Maildir.
func delivered(t *testing.T, mta *postfix.Server, n int, people ...string) {
	t.Helper()
	deadline := time.Now().Add(2 * testkit.Patience)
	for _, who := range people {
		for len(mta.Mailbox(who)) < n {
			if time.Now().After(deadline) {
				t.Fatalf("%s has %d messages, waiting for %d", who, len(mta.Mailbox(who)), n)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if got := len(mta.Mailbox(who)); got != n {
			t.Fatalf("%s has %d messages, wants %d", who, got, n)
		}
	}
}

func swaks(t *testing.T, mta *postfix.Server, args ...string) (string, error) {
	t.Helper()
	return run(t, t.TempDir(), "swaks", append([]string{"--server", mta.Addr(), "--helo", "client.example.net"}, args...)...)
}

func TestPostfixInFrontAndBehind(t *testing.T) {
	t.Parallel()
	real.Program(t, "swaks")
	people := []string{"ann@example.org", "bo@example.net", "cy@example.com"}
	_, mta, _ := between(t, people...)
	out, err := swaks(t, mta, "--from", "ann@example.org", "--to", "talk@lists.example.org", "--header", "Subject: Book fair", "--body", "Who comes to the book fair?")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	delivered(t, mta, 1, people...)
	for _, who := range people {
		msg := mta.Mailbox(who)[0]
		for _, want := range []string{"List-Id:", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Who comes to the book fair?", "Return-Path: <talk-bounces+"} {
			if !bytes.Contains(msg, []byte(want)) {
				t.Errorf("%s: no %q in\n%s", who, want, msg)
			}
		}
	}
	out, err = swaks(t, mta, "--from", "ann@example.org", "--to", "nobody@lists.example.org")
	if err == nil || !strings.Contains(out, "550") {
		t.Errorf("an unknown address was not refused at RCPT: %v\n%s", err, out)
	}
}

func TestTheQueueSurvivesAStoppedRelay(t *testing.T) {
	t.Parallel()
	real.Program(t, "swaks")
	var people []string
	for i := range 25 {
		people = append(people, fmt.Sprintf("reader%d@example.org", i))
	}
	p, mta, _ := between(t, people...)
	mta.Stop()
	for i := range 3 {
		r := p.Send(people[0], []string{"talk@lists.example.org"}, testkit.Mail("From: "+people[0], "To: talk@lists.example.org",
			fmt.Sprintf("Subject: While the relay is away %d", i), fmt.Sprintf("Message-ID: <away%d@example.org>", i), "", fmt.Sprintf("Text %d.", i)))
		if r.Code != 250 {
			t.Fatalf("%d %s", r.Code, r.Text)
		}
	}
	time.Sleep(300 * time.Millisecond) // some attempts fail meanwhile
	mta.Run(t)
	delivered(t, mta, 3, people...)
}

func TestLifeOfASubscriberThroughPostfix(t *testing.T) {
	t.Parallel()
	real.Program(t, "swaks")
	p, mta, l := between(t, "ann@example.org", "new@example.com")
	if _, err := p.Store.Unsubscribe(t.Context(), l.ID, "new@example.com", "test"); err != nil {
		t.Fatal(err)
	}
	if out, err := swaks(t, mta, "--from", "new@example.com", "--to", "talk-join@lists.example.org", "--header", "Subject: join"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	delivered(t, mta, 1, "new@example.com")
	confirm := field(mta.Mailbox("new@example.com")[0], "Reply-To")
	if !strings.HasPrefix(confirm, "talk-confirm+") {
		t.Fatalf("the confirmation is answered at %q", confirm)
	}
	if out, err := swaks(t, mta, "--from", "new@example.com", "--to", confirm, "--header", "Subject: Re: please confirm", "--body", "yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	delivered(t, mta, 2, "new@example.com") // the welcome letter
	if s, err := p.Store.FindSubscriber(t.Context(), l.ID, "new@example.com"); err != nil || s == nil {
		t.Fatalf("not on the list: %v", err)
	}
}

// field gives a header field of a message in a Maildir.
func field(msg []byte, name string) string {
	for _, line := range strings.Split(string(msg), "\n") {
		if rest, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.Trim(strings.TrimSpace(rest), "<>")
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	return ""
}
