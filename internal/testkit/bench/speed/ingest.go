package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"plenary/internal/testkit/bench/pace"
)

// ingest posts over four LMTP connections to a list whose queue is paused: each
// 250 means committed, threaded, indexed and queued.
func (b *bench) ingest() error {
	const posts, conns = 4000, 4
	s, err := b.prepare("sqlite", map[string]int{"ingest": 10})
	if err != nil {
		return err
	}
	if s, err = b.fresh(s); err != nil {
		return err
	}
	defer s.remove()
	if _, err := b.plenary(s, "queue", "pause"); err != nil {
		return err
	}
	p, err := b.serve(s, "127.0.0.1:9", "LMTP")
	if err != nil {
		return err
	}
	defer p.stop()
	paceBefore, err := pace.Signatures(time.Second)
	if err != nil {
		return err
	}
	before, begin := p.cpu(), time.Now()
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for c := range conns {
		wg.Go(func() {
			if err := lmtp(p.addr, c, posts/conns); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-errs:
		return err
	default:
	}
	rate, cpu := posts/took.Seconds(), (p.cpu()-before).Seconds()*1000/posts
	paceAfter, err := pace.Signatures(time.Second)
	if err != nil {
		return err
	}
	here := pace.Of((paceBefore + paceAfter) / 2)
	row("ingest, posts/s", fmt.Sprintf("%.0f", rate), ">= 500", "%d posts of 3 kB over %d LMTP connections, SQLite at full sync", posts, conns)
	row("ingest, CPU s per 1,000 posts", fmt.Sprintf("%.2f", cpu), "<= 2", "our process")
	row("ingest at the pace the limits were set at", fmt.Sprintf("%.0f, %.2f", rate/here, cpu*here), "", "this machine computes %.2f of it at the moment", here)
	return nil
}

// lmtp sends posts over one connection, each an answer to one before.
func lmtp(addr string, conn, posts int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	ask := func(want, text string) error {
		if _, err := c.Write([]byte(text)); err != nil {
			return err
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if len(line) > 3 && line[3] == '-' {
				continue
			}
			if !strings.HasPrefix(line, want) {
				return fmt.Errorf("%.60q was answered %q", text, line)
			}
			return nil
		}
	}
	if err := ask("220", ""); err != nil {
		return err
	}
	if err := ask("250", "LHLO bench.example.org\r\n"); err != nil {
		return err
	}
	words := strings.Fields("shelf catalogue reader lamp ladder binding paper margin index volume archive letter stamp folio quire spine")
	for i := range posts {
		var text strings.Builder
		fmt.Fprintf(&text, "From: reader%d@example.org\r\nTo: %s\r\nSubject: The %s of the %s %d\r\nMessage-ID: <%d.%d@example.org>\r\n", conn, address("ingest"), words[i%16], words[i/16%16], i/10, conn, i)
		if i%10 != 0 {
			fmt.Fprintf(&text, "In-Reply-To: <%d.%d@example.org>\r\n", conn, i-1)
		}
		text.WriteString("\r\n")
		for k := 0; text.Len() < 3000; k++ {
			fmt.Fprintf(&text, "About the %s and the %s, number %d of many: a %s, no %s.\r\n", words[(i+k)%16], words[(i*7+k*3)%16], i*k, words[k%16], words[(k+i/3)%16])
		}
		for _, step := range [][2]string{{"250", fmt.Sprintf("MAIL FROM:<reader%d@example.org>\r\n", conn)}, {"250", "RCPT TO:<" + address("ingest") + ">\r\n"},
			{"354", "DATA\r\n"}, {"250", text.String() + ".\r\n"}} {
			if err := ask(step[0], step[1]); err != nil {
				return err
			}
		}
	}
	return ask("221", "QUIT\r\n")
}
