package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

const talk = "talk@" + host

// made opens the program with the configuration, its doors still closed.
func made(t *testing.T, c *config.Config) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// started runs it; the function stops it and gives what Run gave.
func started(t *testing.T, a *app.App) (app.Addrs, func() error) {
	t.Helper()
	at, err := a.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return at, func() error {
		t.Helper()
		cancel()
		select {
		case err := <-done:
			done <- err
			return err
		case <-time.After(2 * testkit.Patience):
			t.Fatal("Run does not end")
			return nil
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testkit.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// list makes the discussion list talk with these people.
func list(t *testing.T, a *app.App, people ...string) *model.List {
	t.Helper()
	p := testkit.Around(t, a)
	l := p.List(talk, model.Discussion)
	p.Add(l, model.RoleSubscriber, people...)
	return l
}

// TestStopFinishesATransaction: who is in the middle of a message may end it,
// and gets an answer that holds; newcomers find the doors closed meanwhile.
func TestStopFinishesATransaction(t *testing.T) {
	t.Parallel()
	c := testkit.Config(t.TempDir())
	a := made(t, c)
	list(t, a, "ann@example.org")
	at, stop := started(t, a)
	nc := dial(t, at.SMTP)
	in := bufio.NewReader(nc)
	line(t, in, "")
	for _, say := range []string{"EHLO c.example.net", "MAIL FROM:<ann@example.org>", "RCPT TO:<" + talk + ">", "DATA"} {
		ask(t, nc, in, say)
	}
	fmt.Fprint(nc, "From: ann@example.org\r\nTo: "+talk+"\r\nSubject: last\r\nMessage-ID: <last@example.org>\r\n\r\nThe first half\r\n")
	idle := dial(t, at.IMAP)
	idleIn := bufio.NewReader(idle)
	line(t, idleIn, "")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for name, addr := range map[string]string{"SMTP": at.SMTP, "LMTP": at.LMTP, "IMAP": at.IMAP, "HTTP": at.HTTP} {
		eventually(t, "the end of "+name+" for newcomers", func() bool {
			nc, err := net.DialTimeout("tcp", addr, testkit.Patience)
			if err == nil {
				_ = nc.Close()
			}
			return err != nil
		})
	}
	if bye := line(t, idleIn, ""); !strings.HasPrefix(bye, "* BYE") {
		t.Errorf("IMAP says %q", bye)
	}
	if reply := ask(t, nc, in, "and the second.\r\n."); !strings.HasPrefix(reply, "250") {
		t.Errorf("the transaction under way ends with %q", reply)
	}
	_ = nc.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	_ = a.Close()
	again := made(t, c)
	l, err := again.Store.FindList(t.Context(), "talk", host)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := again.Store.CountPosts(t.Context(), l.ID); err != nil || n != 1 {
		t.Errorf("%d posts after the stop, %v", n, err)
	}
}

func TestStopBeforeItBegan(t *testing.T) {
	t.Parallel()
	for range 5 {
		a := made(t, testkit.Config(t.TempDir()))
		if _, err := a.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(testkit.Patience):
			t.Fatal("Run does not end")
		}
	}
}

// TestImpatience: a second signal ends what the first one lets finish.
func TestImpatience(t *testing.T) {
	t.Parallel()
	env := testkit.Env(t.TempDir())
	testkit.Run(t, env, nil, "list", "create", talk)
	s := testkit.Launch(t, env)
	at := s.Ready()
	nc := dial(t, at.SMTP)
	in := bufio.NewReader(nc)
	line(t, in, "")
	for _, say := range []string{"EHLO c.example.net", "MAIL FROM:<ann@example.org>", "RCPT TO:<" + talk + ">", "DATA"} {
		ask(t, nc, in, say)
	}
	s.Term()
	eventually(t, "the end for newcomers", func() bool {
		nc, err := net.DialTimeout("tcp", at.SMTP, testkit.Patience)
		if err == nil {
			_ = nc.Close()
		}
		return err != nil
	})
	s.Term()
	if code := s.Ended(); code != -1 {
		t.Errorf("the second SIGTERM gave exit %d", code)
	}
}

// TestSIGTERMInAFanOut: a stop in the middle loses nothing and repeats nothing.
func TestSIGTERMInAFanOut(t *testing.T) {
	t.Parallel()
	const people, stops = 1500, 3
	k, err := sink.Start(sink.Options{Slow: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	env := testkit.Env(t.TempDir(), "PLENARY_OUTBOUND_MODE=relay", "PLENARY_OUTBOUND_RELAY="+k.Addr(), "PLENARY_OUTBOUND_RELAY_TLS=none", "PLENARY_OUTBOUND_CONNECTIONS=4")
	var csv strings.Builder
	for i := range people {
		fmt.Fprintf(&csv, "p%d@example.net\n", i)
	}
	testkit.Run(t, env, nil, "list", "create", talk)
	testkit.Run(t, env, strings.NewReader(csv.String()), "subscriber", "import", talk, "-")
	for n := range stops {
		s := testkit.Launch(t, env)
		at := s.Ready()
		if n == 0 {
			r := testkit.Send(t, at.SMTP, "p0@example.net", []string{talk}, testkit.Mail("From: p0@example.net", "To: "+talk,
				"Subject: stop", "Message-ID: <stop@example.net>", "", "Hello."))
			if r.Code != 250 {
				t.Fatal(r)
			}
		}
		before := k.Messages()
		eventually(t, "a part of the copies", func() bool { return k.Messages() >= before+100 })
		s.Stop()
		if strings.Contains(s.Log(), "repeats_at_most") {
			t.Errorf("the start after a clean stop speaks of repeats:\n%s", s.Log())
		}
	}
	if k.Messages() >= people {
		t.Log("the copies were all sent before the last stop")
	}
	s := testkit.Launch(t, env)
	s.Ready()
	eventually(t, "all copies", func() bool { return len(k.Snapshot().Letters) == people })
	s.Stop()
	if n := k.Messages(); n != people {
		t.Errorf("%d copies for %d people after %d clean stops", n, people, stops)
	}
}
