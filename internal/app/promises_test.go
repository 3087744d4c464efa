package app_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// TestOldCopySendsNothingByItself: a backup that is put back must not send old
// mail again until a person says so; new mail goes.
func TestOldCopySendsNothingByItself(t *testing.T) {
	dir := t.TempDir()
	post := func(p *testkit.Plenary, id string) {
		t.Helper()
		r := p.Send("ann@example.org", []string{talk}, testkit.Mail("From: ann@example.org", "To: "+talk, "Subject: "+id,
			"Message-ID: <"+id+"@example.org>", "", "Hello "+id+"."))
		if r.Code != 250 {
			t.Fatal(r)
		}
	}
	use := func(c *config.Config) {
		*c = *testkit.Config(dir)
		c.Outbound.Mode, c.Outbound.Relay, c.Outbound.RelayTLS = "relay", "127.0.0.1:1", "none"
	}
	t.Run("before", func(t *testing.T) {
		p := testkit.Start(t, use)
		p.Add(p.List(talk, model.Discussion), model.RoleSubscriber, "ann@example.org")
		post(p, "old")
	})
	k, err := sink.Start(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	p := testkit.Start(t, use, func(c *config.Config) { c.Outbound.Relay, c.Outbound.HoldOlder = k.Addr(), time.Millisecond })
	got := func(id string) bool {
		return k.Snapshot().Letters[sink.Letter{Recipient: "ann@example.org", MessageID: id + "@example.org"}] == 1
	}
	eventually(t, "the old post among those that wait", func() bool {
		st, err := p.Store.QueueStatus(t.Context(), 10)
		return err == nil && st.Stale == 1
	})
	post(p, "new")
	eventually(t, "the new post", func() bool { return got("new") })
	if got("old") {
		t.Error("the old post was sent")
	}
	if n, err := p.Store.ResumeQueue(t.Context(), store.QueueScope{}, "test"); n != 1 || err != nil {
		t.Error(n, err)
	}
	eventually(t, "the old post", func() bool { return got("old") })
}

// TestLinksOfACopy: the addresses in a copy's header lead where they say.
func TestLinksOfACopy(t *testing.T) {
	p := testkit.Start(t)
	l := p.List(talk, model.Discussion, "archive-access=public")
	p.Add(l, model.RoleSubscriber, "ann@example.org", "bo@example.net")
	p.Send("ann@example.org", []string{talk}, testkit.Mail("From: ann@example.org", "To: "+talk, "Subject: links", "Message-ID: <l@example.org>", "", "A text to find."))
	h := message.ParseHeader(p.Caught("bo@example.net", 1)[0].Data)
	here := func(field string) string {
		t.Helper()
		m := regexp.MustCompile(`<(https://[^>]+)>`).FindStringSubmatch(h.Get(field))
		if m == nil {
			t.Fatalf("%s: %q", field, h.Get(field))
		}
		u, err := url.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return "http://" + p.At.HTTP + u.RequestURI()
	}
	if code, text := get(t, here("Archived-At")); code != 200 || !strings.Contains(text, "A text to find.") {
		t.Errorf("Archived-At: %d %s", code, text)
	}
	for _, bad := range []string{"zz", "00ff", strings.Repeat("00", 32)} {
		if code, _ := get(t, "http://"+p.At.HTTP+"/archive/"+talk+"/"+bad); code != 404 {
			t.Errorf("archive/%s: %d", bad, code)
		}
	}
	resp, err := http.PostForm(here("List-Unsubscribe"), url.Values{"List-Unsubscribe": {"One-Click"}}) //nolint:gosec // our own address
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	bo, err := p.Store.FindSubscriber(t.Context(), l.ID, "bo@example.net")
	if resp.StatusCode != 200 || err != nil || bo != nil {
		t.Errorf("one click: %d, still there: %v, %v", resp.StatusCode, bo != nil, err)
	}
}

// TestDemoKeepsToItself: the demo goes on with a database that it made, also one that
// has other lists by now, and leaves any other alone.
func TestDemoKeepsToItself(t *testing.T) {
	own := testkit.Config(t.TempDir())
	for range 2 {
		a, err := app.New(t.Context(), own, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.ReadyForDemo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Demo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lists, err := a.Store.Lists(t.Context()); err != nil {
			t.Fatal(err)
		} else if len(lists) == 2 {
			testkit.Around(t, a).List("another@"+host, model.Discussion)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	service := made(t, testkit.Config(t.TempDir())) // it has no list yet
	if err := service.ReadyForDemo(t.Context()); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("in the data of a service: %v", err)
	}
	if demo, err := service.Store.IsDemo(t.Context()); demo || err != nil {
		t.Errorf("it is marked now: %v, %v", demo, err)
	}
}

// TestDemoTwice: a second start of the demo finds the first one's world.
func TestDemoTwice(t *testing.T) {
	a := made(t, testkit.Config(t.TempDir()))
	first, err := a.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Store.FindList(t.Context(), "talk", host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Store.Unsubscribe(t.Context(), l.ID, "rufus.pk@example.com", "left"); err != nil {
		t.Fatal(err)
	}
	second, err := a.Demo(t.Context())
	if err != nil || second.Posts != first.Posts || first.Posts < 100 {
		t.Errorf("%d posts, then %d: %v", first.Posts, second.Posts, err)
	}
	if s, err := a.Store.FindSubscriber(t.Context(), l.ID, "rufus.pk@example.com"); s != nil || err != nil {
		t.Errorf("who has left is back: %v", err)
	}
	if second.Password != first.Password {
		t.Error("a restart gives another password")
	}
	user, err := address.Parse(second.User)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Auth.RevokeAll(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	own, err := a.Auth.NewAppPassword(t.Context(), user, "her own")
	if err != nil {
		t.Fatal(err)
	}
	third, err := a.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{own, third.Password} {
		if _, err := a.Auth.Authenticate(t.Context(), second.User, secret); err != nil {
			t.Errorf("a password after a restart: %v", err)
		}
	}
}
