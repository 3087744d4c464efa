package smtpin

import (
	"crypto/tls"
	"io"
	"net/smtp"
	"testing"
)

// Without TLS a password from elsewhere is neither asked for nor taken.
func TestAuthNeedsTLS(t *testing.T) {
	inBubble(t, Options{Authenticator: &testDesk{}, TLSConfig: testTLS(), Submission: true}, false, func(b *bubble) {
		c := b.dial()
		c.expect("220 ")
		if caps := c.ehlo(); caps["AUTH PLAIN LOGIN"] || !caps["STARTTLS"] {
			t.Errorf("announced: %v", caps)
		}
		c.say("AUTH PLAIN AGFubmEAcmlnaHQ=", "538 5.7.11 ")
		c.say("MAIL FROM:<anna@example.org>", "530 5.7.0 ")
		c.say("STARTTLS", "220 ")
		c.startTLS()
		if caps := c.ehlo(); !caps["AUTH PLAIN LOGIN"] || caps["STARTTLS"] {
			t.Errorf("announced inside TLS: %v", caps)
		}
		c.say("AUTH PLAIN AGFubmEAcmlnaHQ=", "235 ")
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.expect("250 ")
		if p := b.desk.messages()[0].Peer; p.Protocol != "ESMTPSA" || !p.TLS || p.Account != "anna@example.org" || p.Addr.String() != "192.0.2.7" {
			t.Errorf("%+v", p)
		}
		c.say("QUIT", "221 ")
	})
}

func TestServeTLSNeedsTLS(t *testing.T) {
	server, _, _ := build(t, Options{})
	if err := server.ServeTLS(t.Context(), &pipeListener{}); err == nil {
		t.Error("no error")
	}
}

// Port 465: TLS from the first octet.
func TestImplicitTLS(t *testing.T) {
	h := openOn(t, Options{TLSConfig: testTLS(), Authenticator: &testDesk{}}, "tcp", "127.0.0.1:0", true)
	conn, err := tls.Dial("tcp", h.addr.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.expect("220 ")
	c.say("HELO client.example", "250 ")
	c.say("STARTTLS", "503 ")
	c.to("talk@example.org")
	c.say("DATA", "354 ")
	c.send("hi\r\n.\r\n")
	c.expect("250 ")
	c.say("QUIT", "221 ")
	if p := h.desk.messages()[0].Peer; p.Protocol != "ESMTPS" || !p.TLS {
		t.Errorf("%+v", p)
	}
}

// A client that is not ours: STARTTLS, AUTH and a message by net/smtp
// (which asks for SMTPUTF8 wherever it is offered).
func TestStandardClient(t *testing.T) {
	h := open(t, Options{TLSConfig: testTLS(), Authenticator: &testDesk{}, Submission: true})
	c, err := smtp.Dial(h.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	var w io.WriteCloser
	for _, step := range []func() error{
		func() error { return c.Hello("client.example") },
		func() error { return c.StartTLS(&tls.Config{InsecureSkipVerify: true}) },
		func() error { return c.Auth(smtp.PlainAuth("", "anna", "right", "127.0.0.1")) },
		func() error { return c.Mail("anna@example.org") },
		func() error { return c.Rcpt("talk@example.org") },
		func() (err error) { w, err = c.Data(); return err },
		func() error { _, err := io.WriteString(w, "Subject: hi\n\n.dot\n"); return err },
		func() error { return w.Close() },
		c.Quit,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	want := `UTF8SMTPSA client.example anna@example.org <anna@example.org> -> talk@example.org "Subject: hi\r\n\r\n.dot\r\n"`
	if got := show(h.desk.messages()[0]); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
