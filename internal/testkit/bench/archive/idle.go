package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// idle holds connections over TLS that wait with IDLE, tells what the server's
// memory is, and how long after a post all have heard of it. The server has
// mostly served other rows before; it is left alone for a moment first, as it is
// in life between one mail program and the next.
func idle(fs *flag.FlagSet, args []string) error {
	addr := fs.String("addr", "", "IMAP with TLS from the first octet")
	user := fs.String("user", "", "who logs in")
	password := fs.String("password", "", "her password")
	mailbox := fs.String("mailbox", "", "what is selected")
	n := fs.Int("n", 2000, "connections")
	quiet := fs.Duration("quiet", 20*time.Second, "how long nobody asks anything before they come")
	pid := fs.Int("pid", 0, "the server")
	smtp := fs.String("smtp", "", "where to post")
	from := fs.String("from", "", "who posts")
	list := fs.String("list", "", "to what list")
	_ = fs.Parse(args)
	worked := resident(*pid)
	time.Sleep(*quiet)
	before := resident(*pid)
	conns := make([]net.Conn, *n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	for i := range conns {
		conn, err := tls.Dial("tcp", *addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a server of ours, on loopback
		if err != nil {
			return err
		}
		conns[i] = conn
		c := &client{Conn: conn, buf: make([]byte, 4<<10)}
		if err := c.hello(*user, *password); err != nil {
			return err
		}
		if _, err := c.do("SELECT " + *mailbox); err != nil {
			return err
		}
		if _, err := conn.Write([]byte(tag + " IDLE\r\n")); err != nil {
			return err
		}
		if _, err := conn.Read(c.buf); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Second) // what was left of the logins
	holds := resident(*pid)
	fmt.Printf("%d idle connections over TLS: %d MB; %d MB before, after %v of quiet, and %d MB before that\n", *n, holds>>20, before>>20, *quiet, worked>>20)
	if *smtp == "" {
		return nil
	}
	var wg sync.WaitGroup
	late := make([]time.Time, *n)
	for i, conn := range conns {
		wg.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			buf, got := make([]byte, 1<<10), []byte{}
			for !bytes.Contains(got, []byte("EXISTS")) {
				k, err := conn.Read(buf)
				if err != nil {
					return
				}
				got = append(got, buf[:k]...)
			}
			late[i] = time.Now()
		})
	}
	s, err := dialSMTP(*smtp)
	if err != nil {
		return err
	}
	if err := s.send(*from, *list, letter(*from, *list, "announced", 3000)); err != nil {
		return err
	}
	accepted := time.Now()
	wg.Wait()
	last, heard := accepted, 0
	for _, t := range late {
		if !t.IsZero() {
			heard++
		}
		if t.After(last) {
			last = t
		}
	}
	fmt.Printf("a new post: %d of %d heard of it, the last %d ms after the 250\n", heard, *n, last.Sub(accepted).Milliseconds())
	return nil
}

// smtp is one connection that posts.
type smtp struct {
	net.Conn
	r *bufio.Reader
}

func dialSMTP(addr string) (*smtp, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	s := &smtp{conn, bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := s.reply("220"); err != nil {
		return nil, err
	}
	return s, s.say("EHLO bench.example.org", "250")
}

func (s *smtp) reply(want string) error {
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return err
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			return fmt.Errorf("smtp: %s", strings.TrimSpace(line))
		}
		return nil
	}
}

func (s *smtp) say(line, want string) error {
	if _, err := s.Write([]byte(line + "\r\n")); err != nil {
		return err
	}
	return s.reply(want)
}

// send posts one message, in as few round trips as PIPELINING allows.
func (s *smtp) send(from, to string, raw []byte) error {
	_ = s.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(s, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from, to); err != nil {
		return err
	}
	for _, want := range []string{"250", "250", "354"} {
		if err := s.reply(want); err != nil {
			return err
		}
	}
	if _, err := s.Write(append(raw, ".\r\n"...)); err != nil {
		return err
	}
	return s.reply("250")
}
