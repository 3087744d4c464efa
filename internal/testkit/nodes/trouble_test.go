package nodes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

// alone is a cluster of one process without a proxy.
func alone(t *testing.T, dsn string, o sink.Options, people int) (*cluster, []string) {
	t.Helper()
	k, err := sink.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	c := &cluster{t: t, dsn: dsn, sink: k}
	driver, name := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"
	}
	if c.sql, err = sql.Open(driver, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.sql.Close() })
	if c.s, err = store.Open(context.Background(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.s.Close() })
	if err := c.s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.people(people)
	return c, testkit.Env(t.TempDir(), "PLENARY_DATABASE_DSN="+dsn, "PLENARY_OUTBOUND_MODE=relay",
		"PLENARY_OUTBOUND_RELAY="+k.Addr(), "PLENARY_OUTBOUND_RELAY_TLS=none", "PLENARY_LOG_LEVEL=info")
}

// launch runs the one process.
func (c *cluster) launch(env []string) *node {
	c.t.Helper()
	n := &node{Serve: testkit.Launch(c.t, env), name: "the node"}
	n.at = n.Ready()
	return n
}

// interrupted sends a post to everybody and takes the storage away in the
// middle, so that nothing can be recorded; then gives it back. Nothing is lost,
// nothing is sent twice, and what was sent without a record stays bounded.
func (c *cluster) interrupted(n *node, people int, takeAway, giveBack func()) {
	c.t.Helper()
	c.post(n, "first")
	eventually(c.t, "the fan-out is under way", func() bool { return c.sink.Messages() > int64(people)/10 })
	takeAway()
	const says = "outcomes cannot be recorded now, sending waits"
	eventually(c.t, "the log says that sending waits", func() bool { return strings.Contains(n.Log(), says) })
	last := int64(-1)
	eventually(c.t, "sending stands still", func() bool {
		now := c.sink.Messages()
		still := now == last
		last = now
		time.Sleep(200 * time.Millisecond)
		return still
	})
	if last >= int64(people) {
		c.t.Fatal("the fan-out was over too soon")
	}
	giveBack()
	eventually(c.t, "it goes on by itself to the end", func() bool { return c.done() == 1 })
	if repeats := c.account("first", people); repeats != 0 {
		c.t.Errorf("%d repeats", repeats)
	}
	c.t.Logf("%d of %d copies were out when it stood still", last, people)
	c.post(n, "second")
	eventually(c.t, "the next post goes out", func() bool { return c.done() == 2 })
	c.stop(n)
}

// TestTheDiskFillsInMidFanOut runs on a small file system that something else
// fills.
func TestTheDiskFillsInMidFanOut(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		real.Missing(t, "root for a small file system", errors.New("not root"))
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "none", dir).CombinedOutput(); err != nil {
		real.Missing(t, "a small file system", fmt.Errorf("mount: %w %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	const people = 20_000
	c, env := alone(t, "sqlite:"+filepath.Join(dir, "plenary.db"), sink.Options{Slow: 4 * time.Millisecond}, people)
	n := c.launch(env)
	filler := filepath.Join(dir, "filler")
	c.interrupted(n, people, func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for size := 1 << 20; size >= 1<<10; size /= 2 { // to the last kilobyte
			for block := make([]byte, size); err == nil; {
				_, err = f.Write(block)
			}
			err = nil
		}
	}, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTheDatabaseGoesInMidFanOut stops PostgreSQL and starts it again.
func TestTheDatabaseGoesInMidFanOut(t *testing.T) {
	t.Parallel()
	pg := postgres.Own(t)
	const people = 12_000
	c, env := alone(t, pg.DSN, sink.Options{Slow: 4 * time.Millisecond}, people)
	c.interrupted(c.launch(env), people, func() { pg.Stop(t) }, func() { pg.Start(t) })
}

// TestARestoredCopySendsNothingOld puts an old copy of the database back: what
// was not sent when it was made waits until somebody says yes.
func TestARestoredCopySendsNothingOld(t *testing.T) {
	t.Parallel()
	const people, posts = 20, 3
	dir := t.TempDir()
	c, env := alone(t, "sqlite:"+filepath.Join(dir, "plenary.db"), sink.Options{}, people)
	n := c.launch(append(env, "PLENARY_OUTBOUND_RELAY="+real.Addr(t))) // nobody answers there
	for i := range posts {
		c.post(n, fmt.Sprintf("old%d", i))
	}
	c.stop(n)
	// The backup the handbook tells of; the live system sends, then it is lost.
	copied := filepath.Join(t.TempDir(), "plenary.db")
	if _, err := c.sql.Exec("VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	n = c.launch(env)
	eventually(t, "the posts are sent", func() bool { return c.done() == posts })
	c.stop(n)
	sent := c.sink.Messages()
	if sent != people*posts {
		t.Fatalf("%d copies of %d posts to %d people", sent, posts, people)
	}

	time.Sleep(1100 * time.Millisecond) // so long "hold_older" is, here
	env = append(env, "PLENARY_DATABASE_DSN=sqlite:"+copied, "PLENARY_OUTBOUND_HOLD_OLDER=1s")
	for start := range 2 { // the second changes nothing
		n = c.launch(env)
		eventually(t, "the log says it", func() bool {
			return start > 0 || strings.Contains(n.Log(), "mail older than allowed is in the queue")
		})
		status := testkit.Run(t, env, nil, "queue", "status")
		if !strings.Contains(status, "3 distributions are too old to go by themselves: plenary queue resume sends them") ||
			strings.Count(status, "older than the queue may be") != posts {
			t.Errorf("queue status says\n%s", status)
		}
		c.post(n, fmt.Sprintf("fresh%d", sent))
		want := sent + people
		eventually(t, "a fresh post is sent", func() bool { return c.sink.Messages() >= want })
		c.stop(n)
		if sent = c.sink.Messages(); sent != want {
			t.Fatalf("%d copies went out, %d of a fresh post were due: something old was sent", sent, people)
		}
	}
	n = c.launch(env)
	if out := testkit.Run(t, env, nil, "queue", "resume"); !strings.Contains(out, "too old to go by themselves, and go on: 3") {
		t.Errorf("queue resume says %q", out)
	}
	eventually(t, "the old posts are sent after the yes", func() bool { return c.sink.Messages() == sent+people*posts })
	if status := testkit.Run(t, env, nil, "queue", "status"); strings.Contains(status, "too old") {
		t.Errorf("afterwards queue status says\n%s", status)
	}
	c.stop(n)
}
