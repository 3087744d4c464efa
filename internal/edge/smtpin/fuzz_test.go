package smtpin

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// FuzzData sends any octets as a message, in two packets, and holds what the
// desk gets, or does not get, against a second reading of RFC 5321 4.5.2. The
// NOOP behind shows that client and server still agree where the message ended.
func FuzzData(f *testing.F) {
	for _, seed := range []string{"", "a", ".", "..", "\r\n", "\r", "\n", "a\r\r\n", "\r\n..\r\n.", "a\r\n.b", "\n.\r\n", ".\r", "a\r\n.\r",
		".\n", "\r.\r", "a\n.\nb", strings.Repeat("x\r\n", 3000), strings.Repeat("x", 16383) + "\r", strings.Repeat("x", 4095) + "\r\r\n"} {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	h := open(f, Options{})
	c := h.dial()
	c.hello()
	f.Fuzz(func(t *testing.T, body []byte, split uint16) {
		c.t = t
		c.conn.SetDeadline(time.Now().Add(patience))
		sent := append(bytes.Clone(body), "\r\n.\r\n"...)
		end := bytes.Index(append([]byte("\r\n"), sent...), []byte("\r\n.\r\n")) + len(".\r\n")
		sent = sent[:end]
		message := sent[:end-len(".\r\n")]
		broken := bytes.ContainsAny(bytes.ReplaceAll(message, []byte("\r\n"), nil), "\r\n")
		want := strings.TrimPrefix(strings.ReplaceAll("\r\n"+string(message), "\r\n.", "\r\n"), "\r\n")

		before := len(h.desk.messages())
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		at := min(int(split), len(sent))
		c.send(string(sent[:at]))
		c.send(string(sent[at:]) + "NOOP\r\n")
		if broken {
			c.expect("550 5.6.0 ")
		} else {
			c.expect("250 ")
		}
		c.expect("250 2.0.0 ")
		got := h.desk.messages()[before:]
		h.desk.mu.Lock()
		h.desk.got = nil
		h.desk.mu.Unlock()
		switch {
		case broken && len(got) > 0:
			t.Errorf("%q was passed on", sent)
		case !broken && (len(got) != 1 || string(got[0].Raw) != want):
			t.Errorf("%q became %+v", sent, got)
		}
		c.idleAgain()
	})
}

// idleAgain goes on with the connection whatever the last message was: a
// message that was refused does not earn new commands.
func (c *client) idleAgain() {
	c.to("talk@example.org")
	c.say("DATA", "354 ")
	c.send("\r\n.\r\n")
	c.expect("250 ")
}

// FuzzPath holds parsePath to its promises: canonical, clean, and read by
// go-smtp in the same way.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"<a@b>", "a@b", "<>", `<"a b"@c>`, `<"\"\\"@c> SIZE=1`, "<@x,@y:a@b>", "<a@[::1]>", "<é@é.example>",
		"<postmaster>", `<""@b>`, `<"a"@b>`, "<a@b.>", "<a@b..c>", `<"@x:y"@z>`, "<a@b>x", "<a@b", "a b@c", "<a@\u00a0>"} {
		f.Add(seed)
	}
	h := open(f, Options{})
	c := h.dial()
	c.hello()
	f.Fuzz(func(t *testing.T, s string) {
		mailbox, rest, err := parsePath(s)
		if err != nil || mailbox == "" {
			return
		}
		if !isClean(mailbox) || len(mailbox) > 2*maxLocalPart+2+1+maxDomain {
			t.Fatalf("%q gave %q", s, mailbox)
		}
		if !strings.HasSuffix(s, rest) || rest != "" && rest[0] != ' ' {
			t.Fatalf("%q left %q", s, rest)
		}
		again, rest, err := parsePath("<" + mailbox + "> X")
		if again != mailbox || rest != " X" || err != nil {
			t.Fatalf("%q gave %q, and that %q, %q, %v", s, mailbox, again, rest, err)
		}
		switch local, _, _ := strings.Cut(mailbox, "@"); local {
		case "unknown", "closed", "busy", "broken", "panic":
			return // the test desk's special ones
		}
		c.t = t
		c.conn.SetDeadline(time.Now().Add(patience))
		c.say("MAIL FROM:<> SMTPUTF8", "250 ")
		c.say("RCPT TO:<"+mailbox+">", "250 ")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.expect("250 |451 |452 |550 5.7.1 ")
		got := h.desk.messages()
		h.desk.mu.Lock()
		h.desk.got = nil
		h.desk.mu.Unlock()
		if len(got) != 1 || got[0].Recipients[0] != mailbox {
			t.Fatalf("%q reached the desk as %+v", mailbox, got)
		}
	})
}
