package queue_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
	"plenary/internal/testkit/stores"
)

// rig is a store with a list, opened beside it as plain SQL for what tests need
// in bulk.
type rig struct {
	t    testing.TB
	dsn  string
	s    *store.Store
	sql  *sql.DB
	list model.List
}

// each runs the test on both databases, side by side: a fan-out mostly waits, for the
// peer or for a moment.
func each(t *testing.T, run func(t *testing.T, r *rig)) {
	for name, rig := range map[string]func(testing.TB) *rig{"sqlite": sqliteRig, "postgres": newRigPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, rig(t))
		})
	}
}

func sqliteRig(t testing.TB) *rig {
	return newRig(t, stores.SQLiteDSN(t))
}

func newRig(t testing.TB, dsn string) *rig {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dsn: dsn, s: s}
	driver, name := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_txlock=immediate"
	}
	if r.sql, err = sql.Open(driver, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sql.Close() })
	r.list = model.List{Local: "talk", Domain: "example.org", Language: "en"}
	if err := s.CreateList(ctx, &r.list); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) postgres() bool { return !strings.HasPrefix(r.dsn, "sqlite:") }

func (r *rig) exec(query string, args ...any) {
	r.t.Helper()
	if r.postgres() {
		for i := range args {
			query = strings.Replace(query, "?", fmt.Sprintf("$%d", i+1), 1)
		}
	}
	if _, err := r.sql.Exec(query, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) number(query string, args ...any) (n int64) {
	r.t.Helper()
	if r.postgres() {
		for i := range args {
			query = strings.Replace(query, "?", fmt.Sprintf("$%d", i+1), 1)
		}
	}
	if err := r.sql.QueryRow(query, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// records counts the recorded copies of a distribution, 0 for all.
func (r *rig) records(distribution int64) int64 {
	r.t.Helper()
	of := fmt.Sprintf(" WHERE %d IN (distribution_id, 0)", distribution)
	return r.number("SELECT count(*) FROM deliveries"+of) + r.number("SELECT COALESCE(sum(copies), 0) FROM delivery_packs"+of)
}

// deliveries gives all records of a distribution.
func (r *rig) deliveries(distribution int64) (all []model.Delivery) {
	r.t.Helper()
	for after := int64(-1); ; {
		rows, err := r.s.DeliveriesOf(context.Background(), distribution, after, 1000)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		all, after = append(all, rows...), rows[len(rows)-1].RecipientID
	}
}

// sent counts the copies that are recorded as sent, those of one try apart.
func (r *rig) sent(distribution int64) (all, first int64) {
	r.t.Helper()
	for _, d := range r.deliveries(distribution) {
		if d.State == model.DeliverySent {
			all++
			if d.Attempts == 1 {
				first++
			}
		}
	}
	return all, first
}

// emails gives the addresses of all subscribers.
func (r *rig) emails() map[int64]string {
	r.t.Helper()
	rows, err := r.sql.Query("SELECT id, email FROM subscribers")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]string{}
	for rows.Next() {
		var id int64
		var email string
		if err := rows.Scan(&id, &email); err != nil {
			r.t.Fatal(err)
		}
		out[id] = email
	}
	return out
}

// subscribers adds n people p1@..., p2@... to a list, beginning with number
// from.
func (r *rig) subscribers(list int64, from, n int) {
	r.t.Helper()
	series := fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM g WHERE i < %d)", from, from+n-1)
	r.exec(fmt.Sprintf("%s INSERT INTO subscribers (list_id, email, email_key, name, roles, delivery_status, mode, moderation, options,"+
		" language, consent, began_seq, ended_seq, began_at, ended_at, end_reason) SELECT %d, 'P' || i || '@example.net', 'p' || i || '@example.net',"+
		" '', 1, 0, 0, 0, 0, '', 'test', 1, 0, 1, 0, '' FROM g", series, list))
	r.exec("UPDATE list_counters SET seq = 1 WHERE list_id = ? AND seq = 0", list)
}

// distribute makes a distribution to everybody on the list.
func (r *rig) distribute(list int64, lane model.Lane) int64 {
	r.t.Helper()
	var id int64
	q := fmt.Sprintf("INSERT INTO distributions (list_id, kind, lane, state, post_id, bytes_id, reverse_path, recipient, options, seq, cursor,"+
		" created_at, done_at) VALUES (%d, 1, %d, 0, 0, 0, '', '', '{}', (SELECT seq FROM list_counters WHERE list_id = %d), 0, %d, 0) RETURNING id",
		list, lane, list, time.Now().UnixMicro())
	if err := r.sql.QueryRow(q).Scan(&id); err != nil {
		r.t.Fatal(err)
	}
	if r.postgres() { // SQLite's engine sees the commit by itself
		r.exec("SELECT pg_notify('plenary', 'queue')")
	}
	return id
}

// composer makes copies like those of a post: constant parts with personal ones
// between them.
type composer struct {
	size int // of the body; 0: 3 kB

	mu     sync.Mutex
	failed func(d *model.Distribution) error
	opened map[int64]int
}

func (c *composer) Open(_ context.Context, d *model.Distribution) (queue.Prepared, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		if err := c.failed(d); err != nil {
			return nil, err
		}
	}
	if c.opened == nil {
		c.opened = map[int64]int{}
	}
	c.opened[d.ID]++
	size := c.size
	if size == 0 {
		size = 2700
	}
	return &prepared{
		head: fmt.Appendf(nil, "From: Ada <ada@example.com>\r\nTo: talk@example.org\r\nSubject: Shelves\r\nMessage-ID: <d%d@example.org>\r\n"+
			"List-Id: <talk.example.org>\r\n", d.ID),
		body: []byte("\r\n" + strings.Repeat("The catalogue is ready, and so are the shelves for it.\r\n", size/56+1) + ".\r\n..\r\nend\r\n"),
		id:   d.ID,
	}, nil
}

type prepared struct {
	head, body []byte
	id         int64
}

func (p *prepared) Letter(r queue.Recipient) queue.Letter {
	personal := fmt.Appendf(nil, "List-Unsubscribe: <https://lists.example.org/u/%d-%d>\r\n", p.id, r.ID)
	return queue.Letter{
		ReversePath: fmt.Sprintf("talk-bounces+%d-%d@example.org", p.id, r.ID),
		Recipient:   r.Address,
		Segments:    [][]byte{p.head, personal, p.body},
	}
}

// engine makes an engine that sends to a sink, quick to try again.
func (r *rig) engine(k *sink.Sink, change func(*queue.Options)) *queue.Engine {
	relay := &smtpout.Relay{Hello: "lists.example.org"}
	if k != nil {
		relay.Addr = k.Addr()
	}
	o := queue.Options{
		Store: r.s, Composer: &composer{}, Connect: relay.Connect, Node: "a",
		Log:     slog.New(slog.DiscardHandler),
		Retry:   []time.Duration{10 * time.Millisecond},
		Backoff: []time.Duration{time.Millisecond, 10 * time.Millisecond},
		Grace:   10 * time.Second,
	}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	if change != nil {
		change(&o)
	}
	return queue.New(o)
}

// run runs an engine until stop.
func run(t testing.TB, e *queue.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the engine ended with %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, 3*time.Minute, what, ok)
}

// within is eventually with another bound.
func within(t testing.TB, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	begun := time.Now()
	for !ok() {
		waited := time.Since(begun)
		if waited > patience {
			t.Fatalf("this did not come about: %s", what)
		}
		time.Sleep(min(5*time.Millisecond+waited/100, 50*time.Millisecond)) // looking costs what is waited for
	}
}

func (r *rig) done(id int64) bool {
	return r.number("SELECT count(*) FROM distributions WHERE id = ? AND state = 2 AND done_at > 0", id) == 1
}

func (r *rig) await(id int64) {
	r.t.Helper()
	within(r.t, 5*time.Minute, fmt.Sprintf("distribution %d is done", id), func() bool { return r.done(id) })
}

func startSink(t testing.TB, o sink.Options) *sink.Sink {
	t.Helper()
	k, err := sink.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func newRigPostgres(t testing.TB) *rig { return newRig(t, stores.PostgresDSN(t)) }
