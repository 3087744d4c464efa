package mailauth

import (
	"bytes"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"plenary/internal/testkit/postfix"
)

// TestThroughPostfix: signatures hold after a real server has repaired what is
// odd about a message.
func TestThroughPostfix(t *testing.T) {
	const reader = "reader@example.com"
	mta := postfix.Start(t, postfix.World{LMTP: "127.0.0.1:1", Domains: []string{"lists.example.org"}, Mailboxes: []string{reader}})
	const head = "From: ann@example.net\r\nTo: talk@lists.example.org\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\nMessage-ID: <1@example.net>\r\n"
	messages := map[string]string{
		"usual":            letter,
		"8-bit":            head + "Subject: Gr\xc3\xb6\xc3\x9fe\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xf6\xdfe\r\n.\r\n..x  \r\n\r\n",
		"no empty line":    head + "this is no field\r\nSubject: not here\r\n\r\nx\r\n",
		"odd name":         head + "X y: z\r\nSubject: not here\r\n\r\nx\r\n",
		"header only":      head + "Subject: x\r\n",
		"space in colon":   head + "Subject : x\r\n\r\nx\r\n",
		"blank fold":       head + "Subject: x\r\n \t\r\n y\r\n\r\nx\r\n",
		"line of 3000":     head + "Subject: x\r\n\r\n" + strings.Repeat("word ", 600) + "\r\n",
		"bare field names": head + "Subject:\r\nX:y\r\n\r\n\r\n\r\n",
	}
	for name, raw := range messages {
		p, err := Prepare([]Piece{{Data: []byte("X-Name: " + name + "\r\n")}, {Personal: true}, {Data: []byte(raw)}}, both(), Options{Time: when, Personal: unsubscribe})
		if err != nil {
			t.Fatal(err)
		}
		sig, err := p.Sign(leave("t1"))
		if err != nil {
			t.Fatal(err)
		}
		message := string(sig) + "X-Name: " + name + "\r\n" + string(leave("t1")) + raw
		if err := smtp.SendMail(mta.Addr(), nil, "talk-bounces@example.org", []string{reader}, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for len(mta.Mailbox(reader)) < len(messages) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d arrived", len(mta.Mailbox(reader)), len(messages))
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, raw := range mta.Mailbox(reader) {
		_, name, _ := bytes.Cut(raw, []byte("X-Name: "))
		name, _, _ = bytes.Cut(name, []byte("\n"))
		got := toCRLF(raw)
		if !bytes.Contains(got, []byte("\r\n\r\n")) {
			got = append(got, "\r\n"...) // of a header alone; a reader takes it so
		}
		if err := verify(got, 2); err != nil {
			t.Errorf("%s: %v\n%q", name, err, got)
		}
	}
}
