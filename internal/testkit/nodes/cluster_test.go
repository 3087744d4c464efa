package nodes

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"plenary/internal/app"
	"plenary/internal/list/settings"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/sink"
)

const (
	list   = "talk@lists.example.org"
	poster = "poster@example.net"
	// What a node that dies or is cut off may send a second time: the copies it
	// had handed out and not recorded (queue.Options.Unrecorded).
	inFlight = 512
)

// full reports whether the long form of the tests is asked for.
func full() bool { return os.Getenv("PLENARY_TEST_NODES") == "full" }

// node is one process.
type node struct {
	*testkit.Serve
	name  string
	at    app.Addrs
	proxy *proxy
}

// cluster is some nodes on one database, which send to one sink.
type cluster struct {
	t     *testing.T
	dsn   string
	s     *store.Store
	sql   *sql.DB
	sink  *sink.Sink
	list  *model.List
	nodes []*node
}

// newCluster makes an empty database; nobody has migrated it.
func newCluster(t *testing.T, o sink.Options) *cluster {
	t.Helper()
	k, err := sink.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	c := &cluster{t: t, dsn: postgres.DSN(t), sink: k}
	if c.sql, err = sql.Open("pgx", c.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.sql.Close() })
	return c
}

// start launches n more nodes at the same moment and waits until all serve.
func (c *cluster) start(n int, more ...string) {
	c.t.Helper()
	first := len(c.nodes)
	for i := first; i < first+n; i++ {
		p, dsn := newProxy(c.t, c.dsn)
		ip := fmt.Sprintf("127.0.0.%d", i+2)
		// One file for each node, as on machines of their own.
		env := testkit.Env(c.t.TempDir(), append([]string{
			"PLENARY_DATABASE_DSN=" + dsn, "PLENARY_OUTBOUND_MODE=relay", "PLENARY_OUTBOUND_RELAY=" + c.sink.Addr(),
			"PLENARY_OUTBOUND_RELAY_TLS=none", "PLENARY_OUTBOUND_LEASE=5s", "PLENARY_LOG_LEVEL=info",
			"PLENARY_SMTP_LISTEN=" + ip + ":0", "PLENARY_LMTP_LISTEN=" + ip + ":0", "PLENARY_IMAP_LISTEN=" + ip + ":0",
			"PLENARY_HTTP_LISTEN=" + ip + ":0"}, more...)...)
		c.nodes = append(c.nodes, &node{Serve: testkit.Launch(c.t, env), name: ip, proxy: p})
	}
	for _, n := range c.nodes[first:] {
		n.at = n.Ready()
	}
	if c.s == nil {
		var err error
		if c.s, err = store.Open(context.Background(), c.dsn, nil); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { _ = c.s.Close() })
	}
}

// people makes the list with n subscribers who get copies, and one who may post.
func (c *cluster) people(n int) {
	c.t.Helper()
	local, domain, _ := strings.Cut(list, "@")
	c.list = settings.New(model.Discussion, local, domain)
	ctx := context.Background()
	if err := c.s.CreateList(ctx, c.list); err != nil {
		c.t.Fatal(err)
	}
	for from := 0; from < n; from += 10_000 {
		subs := make([]model.Subscriber, min(10_000, n-from))
		for i := range subs {
			email := person(from + i)
			subs[i] = model.Subscriber{ListID: c.list.ID, Email: email, EmailKey: email, Roles: model.RoleSubscriber}
		}
		if _, _, err := c.s.SubscribeAll(ctx, c.list.ID, subs, model.Event{Kind: "member.added"}); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.s.Subscribe(ctx, &model.Subscriber{ListID: c.list.ID, Email: poster, EmailKey: poster,
		Roles: model.RoleSubscriber, DeliveryStatus: model.DeliveryOffBySubscriber}); err != nil {
		c.t.Fatal(err)
	}
}

func person(i int) string { return fmt.Sprintf("p%d@example.net", i) }

// post sends a post through a node.
func (c *cluster) post(n *node, id string) {
	c.t.Helper()
	r := testkit.Send(c.t, n.at.SMTP, poster, []string{list}, mail(id))
	if r.Code != 250 {
		c.t.Fatalf("%s answers %d %s", n.name, r.Code, r.Text)
	}
}

func mail(id string) []byte {
	return testkit.Mail("From: "+poster, "To: "+list, "Subject: "+id, "Message-ID: <"+id+"@example.net>",
		"Date: Mon, 05 Jan 2026 10:00:00 +0000", "", strings.Repeat("A line of "+id+".\r\n", 20))
}

func (c *cluster) number(query string, args ...any) (n int64) {
	c.t.Helper()
	if strings.HasPrefix(c.dsn, "sqlite:") {
		query = strings.ReplaceAll(query, "$1", "?")
	}
	if err := c.sql.QueryRow(query, args...).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// done counts the distributions that owe nothing.
func (c *cluster) done() int64 {
	return c.number("SELECT count(*) FROM distributions WHERE done_at > 0")
}

// leased counts what a node has leased.
func (c *cluster) leased(n *node) int64 {
	return c.number("SELECT count(*) FROM chunks WHERE owner = $1", n.owner())
}

var ownerWord = regexp.MustCompile(`"node":"([^"]+)"`)

// owner is the name by which the node leases.
func (n *node) owner() string {
	if m := ownerWord.FindStringSubmatch(n.Log()); m != nil {
		return m[1]
	}
	return "?"
}

// health is what the node answers to who watches it.
func (c *cluster) health(n *node) int {
	c.t.Helper()
	r, err := http.Get("http://" + n.at.HTTP + "/healthz")
	if err != nil {
		c.t.Fatal(err)
	}
	_ = r.Body.Close()
	return r.StatusCode
}

var sentLine = regexp.MustCompile(`(?m)^plenary_deliveries_total\{result="ok"\} (\S+)`)

// sent is how many copies the node has delivered, by its own metrics.
func (c *cluster) sent(n *node) int {
	c.t.Helper()
	r, err := http.Get("http://" + n.at.HTTP + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	m := sentLine.FindSubmatch(text)
	if m == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(m[1]), 64)
	return int(f)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	patience := 3 * testkit.Patience
	if full() {
		patience *= 4
	}
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s", what)
		}
	}
}

// account compares what the sink took of a post with the rows, one by one, and
// gives the number of repeats.
func (c *cluster) account(id string, people int) (repeats int) {
	c.t.Helper()
	letters := c.sink.Snapshot().Letters
	recorded := c.recorded(c.number("SELECT max(id) FROM distributions WHERE kind = 1"))
	wrong := 0
	for i := range people {
		who := person(i)
		n := letters[sink.Letter{Recipient: who, MessageID: id + "@example.net"}]
		if n == 0 || recorded[who] != model.DeliverySent {
			if wrong++; wrong < 5 {
				c.t.Errorf("%s: the sink took %s %d times, the row says %d", who, id, n, recorded[who])
			}
		}
		repeats += max(0, n-1)
	}
	if recorded[poster] != model.DeliverySkipped || len(recorded) != people+1 {
		c.t.Errorf("%d rows for %d people and the poster, who has state %d", len(recorded), people, recorded[poster])
	}
	return repeats
}

// recorded gives what is written down of a distribution, by address.
func (c *cluster) recorded(id int64) map[string]model.DeliveryState {
	c.t.Helper()
	emails := map[int64]string{}
	rows, err := c.sql.Query("SELECT id, email FROM subscribers")
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var email string
		if err := rows.Scan(&id, &email); err != nil {
			c.t.Fatal(err)
		}
		emails[id] = email
	}
	out := map[string]model.DeliveryState{}
	for last := int64(-1); ; {
		part, err := c.s.DeliveriesOf(context.Background(), id, last, 5000)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(part) == 0 {
			return out
		}
		for _, d := range part {
			out[emails[d.RecipientID]], last = d.State, d.RecipientID
		}
	}
}

// stop ends the nodes that live; each must end cleanly and leave no lease.
func (c *cluster) stop(nodes ...*node) {
	c.t.Helper()
	for _, n := range nodes {
		n.Term()
	}
	for _, n := range nodes {
		if code := n.Ended(); code != 0 {
			c.t.Errorf("%s ended with %d:\n%s", n.name, code, n.Log())
		}
		if strings.Contains(n.Log(), "panic") {
			c.t.Errorf("%s: a panic:\n%s", n.name, n.Log())
		}
		if left := c.leased(n); left != 0 {
			c.t.Errorf("%s leaves %d leases", n.name, left)
		}
	}
}
