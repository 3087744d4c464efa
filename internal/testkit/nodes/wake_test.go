package nodes

import (
	"context"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// TestWakeUpsComeBack: what happens while a node does not hear from the database
// is seen on it afterwards, without anything new happening: its listening
// connection is found dead and made anew, and then everybody looks.
func TestWakeUpsComeBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t, sink.Options{})
	c.start(2)
	c.people(0)
	const reader = "reader@example.net"
	if _, err := c.s.Subscribe(context.Background(), &model.Subscriber{ListID: c.list.ID, Email: reader, EmailKey: reader,
		Roles: model.RoleSubscriber, DeliveryStatus: model.DeliveryOffBySubscriber}); err != nil {
		t.Fatal(err)
	}
	password := strings.TrimSpace(testkit.Run(t, testkit.Env(t.TempDir(), "PLENARY_DATABASE_DSN="+c.dsn), nil, "access", reader))
	here, deaf := c.nodes[0], c.nodes[1]
	idle := dialIMAP(t, deaf.at.IMAP, reader, password)
	idle.do("EXAMINE Lists/talk")
	waits := func(what string, act func()) {
		t.Helper()
		idle.send("i IDLE")
		if line := idle.line(); !strings.HasPrefix(line, "+") {
			t.Fatalf("IDLE: %s", line)
		}
		act()
		for line := idle.line(); !strings.HasSuffix(line, " EXISTS"); line = idle.line() {
		}
		idle.send("DONE")
		for line := idle.line(); !strings.HasPrefix(line, "i OK"); line = idle.line() {
		}
		t.Logf("seen: %s", what)
	}
	waits("a post, by notification", func() { c.post(here, "heard") })
	waits("a post while nothing reached the node", func() {
		deaf.proxy.swallow(true)
		c.post(here, "in the hole")
		eventually(t, "the node finds its connection dead", func() bool {
			return strings.Contains(deaf.Log(), "listening on the database failed")
		})
		deaf.proxy.swallow(false)
	})
	waits("a post while its connections were reset", func() {
		deaf.proxy.reset(true)
		c.post(here, "reset")
		time.Sleep(time.Second)
		deaf.proxy.reset(false)
	})
	idle.send("i IDLE")
	if line := idle.line(); !strings.HasPrefix(line, "+") {
		t.Fatalf("IDLE: %s", line)
	}
	testkit.Run(t, testkit.Env(t.TempDir(), "PLENARY_DATABASE_DSN="+c.dsn), nil, "access", "rm", reader, "--all")
	if line := idle.line(); !strings.HasPrefix(line, "* BYE") {
		t.Errorf("its app password was taken back: %s", line)
	}
	c.stop(c.nodes...)
}
