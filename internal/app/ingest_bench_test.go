package app_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
)

// BenchmarkIngest hands posts of 3 kB to the whole program over four LMTP
// connections, its queue paused, as fanout.sh does from outside: with
// -benchtime 4000x -cpuprofile it says where the processor time of a post goes,
// this client's among it.
func BenchmarkIngest(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkIngest(b, "") })
	b.Run("postgres", func(b *testing.B) { benchmarkIngest(b, postgres.DSN(b)) })
}

func benchmarkIngest(b *testing.B, dsn string) {
	p := testkit.Start(b, func(c *config.Config) {
		if dsn != "" {
			c.Database.DSN = dsn
		}
	})
	const list = "ingest@lists.example.org"
	l := p.List(list, model.Discussion, "hold-size=0")
	for i := range 10 {
		p.Add(l, model.RoleSubscriber, fmt.Sprintf("reader%d@example.org", i))
	}
	if err := p.Store.PauseQueue(b.Context(), store.QueueScope{}, "bench"); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	before := processor()
	b.ResetTimer()
	for c := range 4 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", p.At.LMTP)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			r := bufio.NewReader(conn)
			ask := func(want, text string) bool {
				_, err := conn.Write([]byte(text))
				line := ""
				for err == nil {
					if line, err = r.ReadString('\n'); len(line) < 4 || line[3] != '-' {
						break
					}
				}
				if err != nil || !strings.HasPrefix(line, want) {
					b.Errorf("%.40q was answered %q, %v", text, line, err)
					return false
				}
				return true
			}
			from := fmt.Sprintf("reader%d@example.org", c)
			going := ask("220", "") && ask("250", "LHLO bench.example.org\r\n")
			for i := 0; going && next.Add(1) <= int64(b.N); i++ {
				going = ask("250", "MAIL FROM:<"+from+">\r\n") && ask("250", "RCPT TO:<"+list+">\r\n") && ask("354", "DATA\r\n") &&
					ask("250", benchLetter(from, list, c, i))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	b.ReportMetric((processor()-before).Seconds()*1000/float64(b.N), "cpu-ms/post")
}

// processor is the processor time of this process so far.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchLetter is a post of 3 kB with a text of its own, mostly an answer to the
// one before.
func benchLetter(from, list string, conn, i int) string {
	words := strings.Fields("shelf catalogue reader lamp ladder binding paper margin index volume archive letter stamp folio quire spine")
	var text strings.Builder
	fmt.Fprintf(&text, "From: %s\r\nTo: %s\r\nSubject: The %s of the %s %d\r\nMessage-ID: <%d.%d@example.org>\r\n", from, list, words[i%16], words[i/16%16], i/10, conn, i)
	if i%10 != 0 {
		fmt.Fprintf(&text, "In-Reply-To: <%d.%d@example.org>\r\n", conn, i-1)
	}
	text.WriteString("\r\n")
	for k := 0; text.Len() < 3000; k++ {
		fmt.Fprintf(&text, "About the %s and the %s, number %d of many: a %s, no %s.\r\n", words[(i+k)%16], words[(i*7+k*3)%16], i*k, words[k%16], words[(k+i/3)%16])
	}
	return text.String() + ".\r\n"
}
