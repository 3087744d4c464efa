package peers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/list/settings"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/sink"
)

// What a crash may repeat: the copies handed out and not recorded
// (queue.Options.Unrecorded).
const repeatsPerKill = 512

// crash is a program that is killed again and again while posts come in.
type crash struct {
	t     *testing.T
	env   []string
	sink  *sink.Sink
	dsn   string
	lists map[string]*model.List // by address
	sizes map[string]int         // subscribers

	at     atomic.Pointer[app.Addrs] // where the doors are now, or were before the last kill
	permit chan struct{}             // one for each post
	rng    *rand.Rand                // of the killer
	killed int

	mu       sync.Mutex
	accepted map[string]map[string]bool // list, Message-ID: answered with 250
	held     map[string]bool            // Message-ID, likewise: a stranger's
	tried    int
	again    int // transactions that had to be repeated
}

const (
	bigList   = "talk@lists.example.org"
	smallList = "desk@lists.example.org"
	poster    = "poster@example.net"
	moderator = "moderator@example.net"
)

func newCrash(t *testing.T, dsn string, people int) *crash {
	t.Helper()
	k, err := sink.Start(sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	t.Logf("seed %d", seed)
	c := &crash{t: t, sink: k, dsn: dsn, permit: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // moments of a test
		lists: map[string]*model.List{}, sizes: map[string]int{bigList: people, smallList: 5},
		accepted: map[string]map[string]bool{bigList: {}, smallList: {}}, held: map[string]bool{}}
	c.env = testkit.Env(t.TempDir(), "PLENARY_DATABASE_DSN="+dsn, "PLENARY_OUTBOUND_MODE=relay", "PLENARY_OUTBOUND_RELAY="+k.Addr(),
		"PLENARY_OUTBOUND_RELAY_TLS=none", "PLENARY_LOG_LEVEL=info")
	c.prepare()
	return c
}

// prepare makes the lists and their people.
func (c *crash) prepare() {
	s := c.store()
	defer func() { _ = s.Close() }()
	if err := s.Migrate(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	for addr, n := range c.sizes {
		local, domain, _ := strings.Cut(addr, "@")
		l := settings.New(model.Discussion, local, domain)
		if err := s.CreateList(context.Background(), l); err != nil {
			c.t.Fatal(err)
		}
		c.lists[addr] = l
		subs := make([]model.Subscriber, n)
		for i := range subs {
			email := person(addr, i)
			subs[i] = model.Subscriber{ListID: l.ID, Email: email, EmailKey: email, Roles: model.RoleSubscriber}
		}
		if _, _, err := s.SubscribeAll(context.Background(), l.ID, subs, model.Event{Kind: "member.added"}); err != nil {
			c.t.Fatal(err)
		}
		for email, roles := range map[string]model.Role{reader: model.RoleSubscriber, poster: model.RoleSubscriber, moderator: model.RoleModerator} {
			_, err := s.Subscribe(context.Background(), &model.Subscriber{ListID: l.ID, Email: email, EmailKey: email,
				Roles: roles, DeliveryStatus: model.DeliveryOffBySubscriber}) // gets no copies
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c *crash) store() *store.Store {
	s, err := store.Open(context.Background(), c.dsn, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func person(list string, i int) string {
	local, _, _ := strings.Cut(list, "@")
	return fmt.Sprintf("%s%d@example.net", local, i)
}

// client posts what it is permitted to post; n tells clients apart. Even ones
// speak SMTP to the big list, one of them a stranger whose posts are held; odd
// ones speak LMTP to both.
func (c *crash) client(n int) {
	rng := rand.New(rand.NewPCG(uint64(n), 2)) //nolint:gosec // moments of a test
	for k := 0; ; k++ {
		if _, ok := <-c.permit; !ok {
			return
		}
		id := fmt.Sprintf("%d.%d@crash.example.net", n, k)
		from, to, hello, addr := poster, []string{bigList}, "EHLO", func() string { return c.at.Load().SMTP }
		if n == 2 {
			from = "stranger@example.com"
		}
		if n%2 == 1 {
			to, hello, addr = []string{bigList, smallList}, "LHLO", func() string { return c.at.Load().LMTP }
		}
		raw := testkit.Mail("From: "+from, "To: "+strings.Join(to, ", "), "Subject: crash "+id, "Message-ID: <"+id+">",
			"Date: Mon, 05 Jan 2026 10:00:00 +0000", "", strings.Repeat("A line of the post "+id+".\r\n", 1+rng.IntN(200)))
		c.mu.Lock()
		c.tried++
		c.mu.Unlock()
		for deadline := time.Now().Add(2 * testkit.Patience); ; {
			if c.post(id, &offer{hello, addr(), from, to, raw}) {
				break
			}
			if rng.IntN(4) == 0 { // gives up: nobody knows whether it was taken
				break
			}
			if time.Now().After(deadline) {
				c.t.Errorf("%s is never accepted", id)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// offer is one transaction.
type offer struct {
	hello, addr, from string
	to                []string
	raw               []byte
}

// post offers a post and notes what was accepted; false when any list's answer
// is missing or temporary.
func (c *crash) post(id string, o *offer) bool {
	replies, err := o.transact()
	c.mu.Lock()
	defer c.mu.Unlock()
	whole := err == nil
	for i, r := range replies {
		switch {
		case r.Code == 250 && o.from != poster:
			c.held[id] = true
		case r.Code == 250:
			c.accepted[o.to[i]][id] = true
		case r.Code >= 500:
			c.t.Errorf("%s to %s: %d %s", id, o.to[i], r.Code, r.Text)
		default:
			whole = false
		}
	}
	if !whole {
		c.again++
	}
	return whole
}

// transact speaks one transaction and gives the replies after the message: one
// in SMTP, one a recipient in LMTP.
func (o *offer) transact() ([]testkit.Reply, error) {
	conn, err := net.DialTimeout("tcp", o.addr, testkit.Patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	tc := textproto.NewConn(conn)
	lines := []string{"", o.hello + " client.example.net", "MAIL FROM:<" + o.from + ">"}
	for _, r := range o.to {
		lines = append(lines, "RCPT TO:<"+r+">")
	}
	for _, line := range append(lines, "DATA") {
		if line != "" {
			if err := tc.PrintfLine("%s", line); err != nil {
				return nil, err
			}
		}
		if code, text, err := tc.ReadResponse(0); err != nil || code >= 400 {
			return nil, fmt.Errorf("after %q: %d %s %w", line, code, text, err)
		}
	}
	w := tc.DotWriter()
	if _, err := w.Write(o.raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	var out []testkit.Reply
	for range o.to {
		code, text, err := tc.ReadResponse(0)
		if code == 0 {
			return out, err
		}
		out = append(out, testkit.Reply{Code: code, Text: text})
	}
	return out, nil
}

// kill starts the program, lets some posts in, and kills it at a random moment:
// now and then while it starts, in half of the cases while a post comes in, else
// in the middle of a fan-out.
func (c *crash) kill(posts int) {
	s := testkit.Launch(c.t, c.env)
	if c.rng.IntN(6) == 0 {
		time.Sleep(time.Duration(c.rng.IntN(300)) * time.Millisecond)
	} else {
		at := s.Ready()
		c.at.Store(&at)
		end := time.Now().Add(time.Duration(c.rng.IntN(700)) * time.Millisecond)
		timeout := time.After(time.Until(end))
		for range posts {
			select {
			case c.permit <- struct{}{}:
			case <-timeout:
			}
		}
		if c.rng.IntN(2) == 0 {
			end = time.Now().Add(time.Duration(c.rng.IntN(25)) * time.Millisecond)
		}
		time.Sleep(time.Until(end))
	}
	s.Kill()
	c.killed++
	for _, m := range regexp.MustCompile(`"repeats_at_most":(\d+)`).FindAllStringSubmatch(s.Log(), -1) {
		if n, _ := strconv.Atoi(m[1]); n > repeatsPerKill {
			c.t.Errorf("a start announces %d repeats", n)
		}
	}
	if strings.Contains(s.Log(), "panic") {
		c.t.Errorf("a panic:\n%s", s.Log())
	}
}

// run kills the program until ready says so, lets everything come to its end,
// and checks what came of it.
func (c *crash) run(clients, postsPerKill int, enough func(kills int) bool) {
	at := app.Addrs{SMTP: "127.0.0.1:1", LMTP: "127.0.0.1:1"}
	c.at.Store(&at)
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() { c.client(n) })
	}
	const most = 60 // kills on a machine so busy that none let anything in
	for !enough(c.killed) || !c.some() && c.killed < most {
		c.kill(postsPerKill)
	}
	last := testkit.Launch(c.t, c.env)
	at = last.Ready()
	c.at.Store(&at)
	close(c.permit)
	wg.Wait()
	s := c.store()
	defer func() { _ = s.Close() }()
	for deadline := time.Now().Add(6 * testkit.Patience); ; time.Sleep(50 * time.Millisecond) {
		st, err := s.QueueStatus(context.Background(), 0)
		if err != nil {
			c.t.Fatal(err)
		}
		if st.Active+st.Waiting+st.Held+st.Stale+st.Retries == 0 {
			break
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the queue does not come to its end: %+v", st)
		}
	}
	password := strings.TrimSpace(testkit.Run(c.t, c.env, nil, "access", reader))
	archives := map[string]map[string]int{}
	for addr := range c.lists {
		local, _, _ := strings.Cut(addr, "@")
		archives[addr] = map[string]int{}
		for _, raw := range fetchAll(c.t, at.IMAP, password, "Lists/"+local) {
			id := strings.Trim(message.ParseHeader(raw).Get("Message-ID"), "<> ")
			archives[addr][id]++
			if !bytes.Contains(raw, []byte("A line of the post "+id)) || !bytes.HasSuffix(raw, []byte(".\r\n\r\n")) {
				c.t.Errorf("the archived %s is not whole", id)
			}
		}
	}
	last.Stop()
	c.check(archives)
	held, err := s.HeldOf(context.Background(), 0, model.HeldPending)
	if err != nil {
		c.t.Fatal(err)
	}
	subjects := map[string]int{}
	for i := range held {
		subjects[held[i].Subject]++
	}
	for id := range c.held {
		if n := subjects["crash "+id]; n != 1 {
			c.t.Errorf("%s was accepted and is held %d times", id, n)
		}
	}
	asked := 0
	for l := range c.sink.Snapshot().Letters {
		if l.Recipient == moderator {
			asked++
		}
	}
	if asked < len(c.held) {
		c.t.Errorf("%d posts are held and the moderator was asked %d times", len(c.held), asked)
	}
	c.t.Logf("%d answers of 250 for posts that are held", len(c.held))
}

// some reports whether anything was accepted.
func (c *crash) some() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ids := range c.accepted {
		if len(ids) > 0 {
			return true
		}
	}
	return false
}

// check holds the archives and what the recipients got against what was
// answered.
func (c *crash) check(archives map[string]map[string]int) {
	letters := c.sink.Snapshot().Letters
	var lost, repeats, copies, taken int
	for addr, ids := range c.accepted {
		taken += len(ids)
		for id := range ids {
			if archives[addr][id] != 1 {
				c.t.Errorf("%s was accepted by %s and is in the archive %d times", id, addr, archives[addr][id])
			}
		}
		for id, n := range archives[addr] {
			if n != 1 {
				c.t.Errorf("%s is in the archive of %s %d times", id, addr, n)
			}
			for i := range c.sizes[addr] {
				l := sink.Letter{Recipient: person(addr, i), MessageID: id}
				if letters[l] == 0 {
					if lost++; lost < 5 {
						c.t.Errorf("%s did not get %s", l.Recipient, id)
					}
				}
				copies++
				repeats += max(0, letters[l]-1)
			}
		}
	}
	total := 0
	for l, n := range letters {
		if strings.HasSuffix(l.MessageID, "@crash.example.net") { // the others are our own letters
			total += n
		}
	}
	if lost > 0 || repeats > c.killed*repeatsPerKill || total != copies-lost+repeats {
		c.t.Errorf("%d copies expected, %d sent: %d lost, %d repeated in %d kills", copies, total, lost, repeats, c.killed)
	}
	if taken == 0 || c.tried == 0 {
		c.t.Error("nothing was accepted")
	}
	c.t.Logf("%d kills, %d posts offered, %d answers of 250, %d transactions broken, %d copies, %d repeated", c.killed, c.tried, taken, c.again, copies, repeats)
}

// TestKilledWhilePostsComeIn is the first promise: what was answered with 250
// is never lost, done twice, or short of a recipient, wherever the program dies.
// PLENARY_TEST_KILLS says how often; without it as often as there is time for.
func TestKilledWhilePostsComeIn(t *testing.T) {
	t.Parallel()
	asked, _ := strconv.Atoi(os.Getenv("PLENARY_TEST_KILLS"))
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		c := newCrash(t, "sqlite:"+t.TempDir()+"/plenary.db", 3000)
		least, most, until := 20, 20, time.Now().Add(40*time.Second)
		if real.Required() {
			most = 100
		}
		if testing.Short() {
			least, most = 5, 5
		}
		if asked > 0 {
			least, most = asked, asked
		}
		c.run(4, 2, func(n int) bool { return n >= most || n >= least && time.Now().After(until) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		c := newCrash(t, postgres.DSN(t), 300)
		c.run(4, 3, func(n int) bool { return n >= max(6, asked) })
	})
}
