package imapd

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// twentyThousand fills a list with ten variants of a real archive. Or
// PLENARY_BENCH_DSN names a database that has a list to measure,
// bench@lists.example.org, as testkit/bench/archive.sh makes it.
func twentyThousand(b *testing.B) (*store.Store, *model.List) {
	b.Helper()
	if dsn := os.Getenv("PLENARY_BENCH_DSN"); dsn != "" {
		return existing(b, dsn)
	}
	s := stores.SQLite(b)
	l := imported(b, s, "linux-man-2000.mbox.gz")
	ctx := context.Background()
	var posts []*model.NewPost
	all := originals(b, s, l)
	for n := range 9 {
		for i, raw := range all {
			own := fmt.Appendf(nil, "X-Variant: %d\r\n", n)
			raw = bytes.Replace(raw, []byte("Message-ID: <"), fmt.Appendf(nil, "Message-ID: <%d.", n), 1)
			raw = bytes.Replace(raw, []byte("Message-Id: <"), fmt.Appendf(nil, "Message-Id: <%d.", n), 1)
			posts = append(posts, archive.Make(l, append(own, raw...), nil, model.At(noon.Add(time.Duration(i)*time.Minute)), true))
			if len(posts) == 500 || i == len(all)-1 {
				if _, err := s.ImportPosts(ctx, l.ID, posts, fmt.Sprintf("v%d-%d", n, i), 0); err != nil {
					b.Fatal(err)
				}
				posts = nil
			}
		}
	}
	return s, l
}

func existing(b *testing.B, dsn string) (*store.Store, *model.List) {
	b.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	l, err := s.FindList(ctx, "bench", "lists.example.org")
	if err != nil || l == nil {
		b.Fatal("no list", err)
	}
	if subs, err := s.SubscriptionsOf(ctx, []string{"alice@example.org"}); err != nil || len(subs) == 0 {
		if _, err := s.Subscribe(ctx, &model.Subscriber{ListID: l.ID, Email: "alice@example.org", EmailKey: "alice@example.org", Roles: model.RoleSubscriber}); err != nil {
			b.Fatal(err)
		}
	}
	return s, l
}

// drain reads up to the outcome of command t and gives the octets.
func drain(b *testing.B, c net.Conn, buf []byte) (n int) {
	b.Helper()
	var tail []byte
	for {
		k, err := c.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		n += k
		tail = append(tail, buf[max(0, k-200):k]...)
		tail = tail[max(0, len(tail)-200):]
		if i := bytes.LastIndex(tail, []byte("\nt OK ")); bytes.HasSuffix(tail, []byte(" completed\r\n")) && (i >= 0 || bytes.HasPrefix(tail, []byte("t OK"))) {
			return n
		}
	}
}

func BenchmarkTwentyThousand(b *testing.B) {
	s, l := twentyThousand(b)
	addr := serveStore(b, s)
	buf := make([]byte, 256<<10)
	for _, command := range []string{
		"SELECT Lists/talk", "STATUS Lists/talk (MESSAGES UNSEEN SIZE)", "NOOP",
		"UID FETCH 1:* (UID FLAGS)", "UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS)", "UID FETCH 1:* (UID ENVELOPE)", "UID FETCH 1:* (UID BODYSTRUCTURE)",
		"UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (From To Subject)]", "UID FETCH 1:* BODY.PEEK[HEADER]", "UID FETCH 1:* BODY.PEEK[]",
		"UID FETCH 1:* BODY.PEEK[1]", "UID FETCH 10000 BODY.PEEK[]", "SEARCH TEXT manual", "SEARCH BODY kernel", "SEARCH FROM alx", "SEARCH SUBJECT patch", "SEARCH SINCE 1-Jan-2025", "SEARCH UNSEEN",
		"UID SEARCH RETURN (PARTIAL -1:-50) TEXT manual", "UID SEARCH RETURN (PARTIAL -1:-50) BODY kernel", "UID SEARCH RETURN (PARTIAL -1:-50) FROM alx",
		"UID SEARCH RETURN (PARTIAL -1:-50) SUBJECT patch", "UID SEARCH RETURN (PARTIAL -1:-50) SUBJECT nothing", "UID SEARCH RETURN (PARTIAL -1:-50) SINCE 1-Jan-2025",
		"UID FETCH 1:* (FLAGS MODSEQ)", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 20000)",
		"THREAD REFERENCES UTF-8 ALL", "UID THREAD REFERENCES UTF-8 SINCE 1-Jan-2025", "SORT (DATE) UTF-8 ALL", "SORT (REVERSE DATE) UTF-8 ALL",
		"SORT (SUBJECT) UTF-8 ALL", "SORT (FROM SIZE) UTF-8 ALL",
	} {
		b.Run(command, func(b *testing.B) {
			c := loggedIn(b, addr, "alice@example.org")
			c.want("SELECT Lists/"+l.Local, "OK")
			c.want("SEARCH FROM warm", "OK")
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Minute))
			b.ResetTimer()
			n := 0
			for range b.N {
				c.send("t " + strings.ReplaceAll(command, "Lists/talk", "Lists/"+l.Local) + "\r\n")
				n = drain(b, c.Conn, buf)
			}
			b.SetBytes(int64(n))
		})
	}
	b.Run("THREAD first", func(b *testing.B) { // after start
		for range b.N {
			c := loggedIn(b, serveStore(b, s), "alice@example.org")
			c.want("SELECT Lists/"+l.Local, "OK")
			b.StartTimer()
			c.send("t THREAD REFERENCES UTF-8 ALL\r\n")
			drain(b, c.Conn, buf)
			b.StopTimer()
		}
	})
	b.Run("one by one", func(b *testing.B) { // as mbsync does it
		c := loggedIn(b, addr, "alice@example.org")
		c.want("SELECT Lists/"+l.Local, "OK")
		b.ResetTimer()
		for i := range b.N {
			c.send(fmt.Sprintf("t UID FETCH %d (UID BODY.PEEK[])\r\n", i%20000+1))
			_ = c.SetReadDeadline(time.Now().Add(patience))
			drain(b, c.Conn, buf)
		}
	})
}

// BenchmarkIdle reports what an idle connection costs, the test's own half
// included, and how long it takes to tell all of a post.
func BenchmarkIdle(b *testing.B) {
	b.Run("plain", func(b *testing.B) { idle(b, false) })
	b.Run("TLS", func(b *testing.B) { idle(b, true) })
}

func idle(b *testing.B, secure bool) {
	const n = 2000
	for range b.N {
		m := sample(b)
		conf := certificate(b)
		s, addr := serve(b, m, func(o *Options, _ *times) { o.TLSConfig = conf })
		if secure {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			addr = l.Addr().String()
			go func() { _ = s.ServeTLS(context.Background(), l) }()
		}
		before := inUse()
		conns := make([]*client, n)
		for i := range conns {
			c := &client{t: b}
			var err error
			if secure {
				c.Conn, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			} else {
				c.Conn, err = net.Dial("tcp", addr)
			}
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			c.reset()
			c.line()
			c.want("LOGIN alice@example.org secret", "OK")
			c.want("SELECT Lists/talk", "OK")
			c.send("t IDLE\r\n")
			c.line()
			c.r = nil
			conns[i] = c
		}
		b.ReportMetric(float64(inUse()-before)/n, "B/conn")
		start := time.Now()
		m.post(1, plainPost)
		for _, c := range conns {
			c.reset()
			if s := c.line(); s != "* 4 EXISTS" {
				b.Fatal(s)
			}
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-tell-all")
	}
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
