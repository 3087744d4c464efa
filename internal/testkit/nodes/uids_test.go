package nodes

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/sink"
)

// imap is a small IMAP client that reads line by line.
type imap struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

func dialIMAP(t *testing.T, addr, user, password string) *imap {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	c := &imap{t: t, conn: conn, r: bufio.NewReader(conn)}
	t.Cleanup(func() { _ = conn.Close() })
	c.line()
	c.do("LOGIN " + user + " " + password)
	return c
}

// line reads one line; a failure is the test's, from any goroutine.
func (c *imap) line() string {
	_ = c.conn.SetReadDeadline(time.Now().Add(2 * testkit.Patience))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Errorf("imap: %v", err)
		panic(err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (c *imap) send(line string) {
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		c.t.Errorf("imap: %v", err)
		panic(err)
	}
}

// do gives the untagged lines of a command that must succeed.
func (c *imap) do(command string) (lines []string) {
	c.tag++
	tag := fmt.Sprintf("a%d", c.tag)
	c.send(tag + " " + command)
	for {
		line := c.line()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			if !strings.HasPrefix(rest, "OK") {
				c.t.Errorf("%s: %s", command, rest)
				panic(rest)
			}
			return append(lines, rest)
		}
		lines = append(lines, line)
	}
}

// uids gives the UIDs from first on, in the order of the answer.
func (c *imap) uids(first int) (out []int) {
	for _, l := range c.do(fmt.Sprintf("UID FETCH %d:* (UID)", first)) {
		if _, rest, ok := strings.Cut(l, "(UID "); ok && strings.HasPrefix(l, "* ") {
			n, _ := strconv.Atoi(strings.TrimRight(rest, ")"))
			if n >= first { // "first:*" has the last one at least
				out = append(out, n)
			}
		}
	}
	return out
}

// glance is what a client saw of a mailbox at a moment: UIDNEXT, and how many
// messages had lower UIDs.
type glance struct{ next, below int }

// glances selects the mailbox again and again, until done.
func (c *imap) glances(done *atomic.Bool) (out []glance) {
	for !done.Load() {
		g := glance{next: -1}
		for _, l := range c.do("EXAMINE Lists/talk") {
			if _, rest, ok := strings.Cut(l, "[UIDNEXT "); ok {
				g.next, _ = strconv.Atoi(rest[:strings.IndexByte(rest, ']')])
			}
		}
		for _, uid := range c.uids(1) {
			if uid < g.next {
				g.below++
			}
		}
		out = append(out, g)
		time.Sleep(5 * time.Millisecond)
	}
	return out
}

// follow waits with IDLE, as a mail program does, and fetches what is new, until
// it has all.
func (c *imap) follow(all int) (seen []int) {
	c.do("EXAMINE Lists/talk")
	seen = c.uids(1)
	for len(seen) < all {
		c.tag++
		tag := fmt.Sprintf("a%d", c.tag)
		c.send(tag + " IDLE")
		for line := c.line(); !strings.HasSuffix(line, " EXISTS"); line = c.line() {
		}
		c.send("DONE")
		for line := c.line(); !strings.HasPrefix(line, tag+" OK"); line = c.line() {
		}
		from := 1
		if len(seen) > 0 {
			from = seen[len(seen)-1] + 1
		}
		seen = append(seen, c.uids(from)...)
	}
	return seen
}

// lmtp posts n posts over one connection.
func lmtp(t *testing.T, addr, name string, n int) {
	conn, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	c := textproto.NewConn(conn)
	say := func(line string, want int) bool {
		_ = conn.SetDeadline(time.Now().Add(2 * testkit.Patience))
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Error(err)
				return false
			}
		}
		_, text, err := c.ReadResponse(want)
		if err != nil {
			t.Errorf("after %q: %v %s", line, err, text)
		}
		return err == nil
	}
	if !say("", 220) || !say("LHLO client.example.net", 250) {
		return
	}
	for i := range n {
		if !say("MAIL FROM:<"+poster+">", 250) || !say("RCPT TO:<"+list+">", 250) || !say("DATA", 354) {
			return
		}
		w := c.DotWriter()
		_, _ = w.Write(mail(fmt.Sprintf("%s.%d", name, i)))
		_ = w.Close()
		if !say("", 250) {
			return
		}
	}
}

// TestUIDsGrowInCommitOrder posts to one list through three nodes at once, while
// on each node one client waits with IDLE and one looks again and again. Nobody
// ever sees a message appear below a UIDNEXT he was told, and everybody sees
// every message.
func TestUIDsGrowInCommitOrder(t *testing.T) {
	t.Parallel()
	each := 100
	switch {
	case full():
		each = 500
	case testing.Short():
		each = 25
	}
	const clients = 4
	all := clients * each
	c := newCluster(t, sink.Options{})
	c.start(3)
	c.people(0)
	const reader = "reader@example.net"
	if _, err := c.s.Subscribe(context.Background(), &model.Subscriber{ListID: c.list.ID, Email: reader, EmailKey: reader,
		Roles: model.RoleSubscriber, DeliveryStatus: model.DeliveryOffBySubscriber}); err != nil {
		t.Fatal(err)
	}
	password := strings.TrimSpace(testkit.Run(t, testkit.Env(t.TempDir(), "PLENARY_DATABASE_DSN="+c.dsn), nil, "access", reader))

	var posting, reading sync.WaitGroup
	var done atomic.Bool
	seen := make([][]int, len(c.nodes))
	looked := make([][]glance, len(c.nodes))
	for i, n := range c.nodes {
		a, b := dialIMAP(t, n.at.IMAP, reader, password), dialIMAP(t, n.at.IMAP, reader, password)
		reading.Go(func() {
			defer func() { _ = recover() }() // the failure is noted
			seen[i] = a.follow(all)
		})
		reading.Go(func() {
			defer func() { _ = recover() }()
			looked[i] = b.glances(&done)
		})
	}
	for i := range clients {
		posting.Go(func() { lmtp(t, c.nodes[i%len(c.nodes)].at.LMTP, fmt.Sprintf("c%d", i), each) })
	}
	posting.Wait()
	// Those who wait see the last post because somebody told them.
	eventually(t, "all posts are in the archive", func() bool {
		n, err := c.s.CountPosts(context.Background(), c.list.ID)
		return err == nil && n == int64(all)
	})
	done.Store(true)
	reading.Wait()

	final := dialIMAP(t, c.nodes[0].at.IMAP, reader, password)
	final.do("EXAMINE Lists/talk")
	uids := final.uids(1)
	if len(uids) != all || !slices.IsSorted(uids) {
		t.Fatalf("%d UIDs of %d posts, sorted: %v", len(uids), all, slices.IsSorted(uids))
	}
	for i, n := range c.nodes {
		if !slices.Equal(seen[i], uids) {
			t.Errorf("%s: who waited with IDLE saw %d messages in his order, there are %d", n.name, len(seen[i]), all)
		}
		moving := 0
		for k, g := range looked[i] {
			if below, _ := slices.BinarySearch(uids, g.next); below != g.below {
				t.Errorf("%s: UIDNEXT was %d with %d messages below it, in the end there are %d", n.name, g.next, g.below, below)
			}
			if k > 0 && g.next < looked[i][k-1].next {
				t.Errorf("%s: UIDNEXT fell from %d to %d", n.name, looked[i][k-1].next, g.next)
			}
			if g.below > 0 && g.below < all {
				moving++
			}
		}
		if moving == 0 {
			t.Errorf("%s: nobody looked while posts came in", n.name)
		}
		t.Logf("%s: %d looks, %d of them while posts came in", n.name, len(looked[i]), moving)
	}
	c.stop(c.nodes...)
}
