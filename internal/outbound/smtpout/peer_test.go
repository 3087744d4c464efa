package smtpout_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
)

// A dialogue is what a scripted peer does: "s> text" it sends, "c< text" it
// waits for a line that begins so, "c< ..." it reads on to the line of the next
// "c<", "hold" it does nothing for a while, "x" it closes the connection.
type dialogue []string

// hello is the usual beginning.
func hello(extensions ...string) dialogue {
	d := dialogue{"s> 220 peer", "c< EHLO lists.example.org"}
	d = append(d, "s> 250-peer")
	for _, x := range extensions {
		d = append(d, "s> 250-"+x)
	}
	return append(d, "s> 250 HELP")
}

func (d dialogue) and(more ...string) dialogue { return append(append(dialogue{}, d...), more...) }

// peer serves one dialogue for each connection, in order.
func peer(t *testing.T, ds ...dialogue) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for _, d := range ds {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := d.serve(c); err != nil {
				t.Errorf("the peer's script: %v", err)
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func (d dialogue) serve(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	br := bufio.NewReader(c)
	skip := false
	for i, step := range d {
		verb, text, _ := strings.Cut(step, " ")
		switch verb {
		case "s>":
			if _, err := c.Write([]byte(text + "\r\n")); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		case "raw>":
			if _, err := c.Write([]byte(text)); err != nil {
				return nil // the client may have given up, which is the point
			}
		case "c<":
			if text == "..." {
				skip = true
				continue
			}
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					return fmt.Errorf("step %d, waiting for %q: %w", i, text, err)
				}
				if strings.HasPrefix(line, text) {
					break
				}
				if !skip {
					return fmt.Errorf("step %d: the client said %q instead of %q", i, line, text)
				}
			}
			skip = false
		case "hold": // neither read nor say anything
			time.Sleep(time.Second)
		case "x":
			return nil
		}
	}
	return nil
}

// letters is a Prepared that gives the same few letters.
type letters []queue.Letter

func (l letters) Letter(r queue.Recipient) queue.Letter { return l[r.ID] }

func letter(to string, segments ...string) queue.Letter {
	l := queue.Letter{ReversePath: "talk-bounces+1@example.org", Recipient: to}
	for _, s := range segments {
		l.Segments = append(l.Segments, []byte(s))
	}
	return l
}

func plainLetters(n int) letters {
	var ls letters
	for i := range n {
		ls = append(ls, letter(fmt.Sprintf("p%d@example.net", i), "Subject: hello\r\n", fmt.Sprintf("X-Number: %d\r\n", i), "\r\ntext\r\n"))
	}
	return ls
}

// send offers all letters as one unit over one connection and gives the
// outcomes in order, and how the connection ended.
func send(t *testing.T, r *smtpout.Relay, ls letters) ([]queue.Result, error) {
	t.Helper()
	c, err := r.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	var to []queue.Recipient
	for i := range ls {
		to = append(to, queue.Recipient{ID: int64(i)})
	}
	units := make(chan *queue.Unit, 1)
	units <- queue.NewUnit(ls, to...)
	close(units)
	outcomes := make(chan queue.Outcome, len(ls)+1)
	err = c.Run(context.Background(), units, outcomes)
	close(outcomes)
	results := make([]queue.Result, len(ls))
	seen := 0
	for o := range outcomes {
		results[o.Index] = o.Result
		seen++
	}
	if seen != len(ls) {
		t.Errorf("%d outcomes for %d letters", seen, len(ls))
	}
	return results, err
}

func relay(addr string) *smtpout.Relay {
	return &smtpout.Relay{Addr: addr, Hello: "lists.example.org"}
}

// brief writes outcomes as "ok 250, temporary 450 lost".
func brief(rs []queue.Result) string {
	var parts []string
	for _, r := range rs {
		s := r.State.String()
		if r.Code != 0 {
			s += fmt.Sprintf(" %d", r.Code)
		}
		if r.Lost {
			s += " lost"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}
