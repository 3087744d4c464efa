package app_test

import (
	"net"
	"net/smtp"
	"os/exec"
	"strings"
	"testing"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/real"
)

// TestAnEditorPostsThroughTheSubmissionDoor: with her app password an editor's
// announcement goes out at once, from any address her account owns; without it, or
// with somebody else's, the same mail waits for a moderator (law 7).
func TestAnEditorPostsThroughTheSubmissionDoor(t *testing.T) {
	cert := newPair(t)
	p := testkit.Start(t, func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = cert.cert, cert.key
		c.SMTP.SubmissionListen = "127.0.0.1:0"
	})
	news := "news@" + host
	l := p.List(news, model.Announcement)
	p.Add(l, model.RoleEditor, "ed@example.org", "ed@work.example")
	p.Add(l, model.RoleModerator, "mo@example.org")
	p.Add(l, model.RoleSubscriber, "bo@example.net")
	p.Add(p.List("talk@"+host, model.Discussion), model.RoleSubscriber, "eve@example.com")
	ed, eve := p.Password("ed@example.org"), p.Password("eve@example.com")
	account, err := p.Store.FindAccount(t.Context(), "ed@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Store.SaveAddress(t.Context(), account.ID, "ed@work.example"); err != nil {
		t.Fatal(err)
	}
	mail := func(from, id string) []byte {
		return testkit.Mail("From: "+from, "To: "+news, "Subject: Reading week "+id, "Message-ID: <"+id+"@example.org>", "", "It begins on Monday, number "+id+".")
	}
	submit := func(user, password string, raw []byte) {
		t.Helper()
		c, err := smtp.NewClient(dial(t, p.At.Submission), host)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []func() error{
			func() error { return c.StartTLS(cert.trusted(t)) },
			func() error { return c.Auth(smtp.PlainAuth("", user, password, host)) },
			func() error { return c.Mail(user) },
			func() error { return c.Rcpt(news) },
			func() error {
				d, err := c.Data()
				if err == nil {
					_, _ = d.Write(raw)
					err = d.Close()
				}
				return err
			},
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	submit("ed@example.org", ed, mail("Ed <ed@example.org>", "1"))
	submit("ed@example.org", ed, mail("Ed <ed@work.example>", "2"))
	for i, c := range p.Caught("bo@example.net", 2) {
		if !strings.Contains(string(c.Data), "Subject: Reading week ") || !strings.Contains(string(c.Data), "List-Post: NO\r\n") {
			t.Errorf("copy %d:\n%s", i, c.Data)
		}
	}
	submit("eve@example.com", eve, mail("Ed <ed@example.org>", "3"))
	if r := p.Send("ed@example.org", []string{news}, mail("Ed <ed@example.org>", "4")); r.Code != 250 {
		t.Error(r)
	}
	if r := p.Send("bo@example.net", []string{news}, mail("Bo <bo@example.net>", "5")); r.Code != 550 {
		t.Error(r)
	}
	held, err := p.Store.HeldOf(t.Context(), l.ID, model.HeldPending)
	if err != nil || len(held) != 2 {
		t.Fatalf("%d posts wait, %v", len(held), err)
	}
	for _, h := range held {
		if !strings.Contains(h.Reasons, "unproved-editor") {
			t.Errorf("%s waits because of %s", h.Subject, h.Reasons)
		}
	}
	t.Run("swaks", func(t *testing.T) {
		swaks := real.Program(t, "swaks")
		_, port, _ := net.SplitHostPort(p.At.Submission)
		out, err := exec.CommandContext(t.Context(), swaks, "--server", "127.0.0.1", "--port", port, "--tls", "--auth", "PLAIN", "--auth-user", "ed@example.org",
			"--auth-password", ed, "--from", "ed@example.org", "--to", news, "--h-From", "ed@example.org", "--h-Subject", "From swaks").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		p.Caught("bo@example.net", 3)
	})
}
