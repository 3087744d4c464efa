package smtpout_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/testkit/postfix"
)

// TestPostfix sends windows of messages with refused recipients among them to a
// real Postfix: each copy arrives under its own reverse path.
func TestPostfix(t *testing.T) {
	for name, discard := range map[string]string{"bdat": "silent-discard", "data": "chunking", "lockstep": "chunking, pipelining"} {
		t.Run(name, func(t *testing.T) { throughPostfix(t, discard) })
	}
}

func throughPostfix(t *testing.T, discard string) {
	world := postfix.World{LMTP: "127.0.0.1:1", Domains: []string{"lists.example.org"}, Main: []string{
		"smtpd_recipient_restrictions = reject_unauth_destination", "smtpd_discard_ehlo_keywords = " + discard, "smtpd_error_sleep_time = 0",
		"smtpd_soft_error_limit = 1000", "smtpd_hard_error_limit = 1000"}}
	var ls letters
	for i := range 30 {
		who := fmt.Sprintf("p%d@example.net", i)
		if i%5 != 2 {
			world.Mailboxes = append(world.Mailboxes, who)
		}
		ls = append(ls, queue.Letter{ReversePath: fmt.Sprintf("bounces+%d@example.org", i), Recipient: who,
			Segments: [][]byte{[]byte("From: a@example.org\r\nSubject: x\r\n"), fmt.Appendf(nil, "X-Number: %d\r\n", i),
				[]byte("\r\n.dot\r\n" + strings.Repeat("line\r\n", 50*i))}})
	}
	p := postfix.Start(t, world)
	results, err := send(t, relay(p.Addr()), ls)
	if err != nil {
		t.Fatal(err)
	}
	for i, res := range results {
		want := queue.OK
		if i%5 == 2 {
			want = queue.Permanent
		}
		if res.State != want {
			t.Errorf("letter %d: %s %d %s", i, res.State, res.Code, res.Reply)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for i, l := range ls {
		if i%5 == 2 {
			continue
		}
		mails := p.Mailbox(l.Recipient)
		for len(mails) == 0 && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
			mails = p.Mailbox(l.Recipient)
		}
		if len(mails) != 1 {
			t.Errorf("%s got %d letters", l.Recipient, len(mails))
			continue
		}
		for _, want := range []string{fmt.Sprintf("Return-Path: <bounces+%d@example.org>", i), fmt.Sprintf("X-Number: %d\n", i), "\n\n.dot\nline\n"} {
			if i > 0 && !bytes.Contains(mails[0], []byte(want)) {
				t.Errorf("%s got no %q in %.300s", l.Recipient, want, mails[0])
			}
		}
	}
}
