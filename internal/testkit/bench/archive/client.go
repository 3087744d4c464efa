package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// patience bounds every wait.
const patience = 5 * time.Minute

// client is one connection to an IMAP server.
type client struct {
	net.Conn
	buf  []byte
	tail []byte
	keep *bytes.Buffer // what comes is kept, where somebody wants it
}

// dial connects, logs in, and selects the mailbox where one is named.
func dial(s *server) (*client, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, buf: make([]byte, 1<<20)}
	if err := c.hello(s.user, s.password); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	_, err = c.do("EXAMINE " + s.mailbox)
	return c, err
}

// hello waits for the greeting and logs in.
func (c *client) hello(user, password string) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if n, err := c.Read(c.buf); err != nil || !bytes.HasPrefix(c.buf[:n], []byte("* OK")) {
		return errors.Join(errors.New("no greeting"), err)
	}
	_, err := c.do("LOGIN " + user + " " + password)
	return err
}

// longest is more than the octets of a tagged response.
const longest = 4096

// tag is no text of any message.
const tag = "zqj7"

// do sends one command and reads its responses to the end, giving their octets.
func (c *client) do(command string) (octets int, err error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(tag + " " + command + "\r\n")); err != nil {
		return 0, err
	}
	c.tail = c.tail[:0]
	for {
		n, err := c.Read(c.buf)
		if err != nil {
			return octets, fmt.Errorf("%s: %w", command, err)
		}
		octets += n
		if c.keep != nil {
			c.keep.Write(c.buf[:n])
		}
		c.tail = append(c.tail, c.buf[max(0, n-longest):n]...)
		c.tail = c.tail[max(0, len(c.tail)-longest):]
		if !bytes.HasSuffix(c.tail, []byte("\r\n")) {
			continue
		}
		last := c.tail[bytes.LastIndexByte(c.tail[:len(c.tail)-2], '\n')+1:]
		if !bytes.HasPrefix(last, []byte(tag+" ")) {
			continue
		}
		if !bytes.HasPrefix(last, []byte(tag+" OK")) {
			return octets, fmt.Errorf("%s: %s", command, strings.TrimSpace(string(last)))
		}
		return octets, nil
	}
}

// text gives what a command answers.
func (c *client) text(command string) (string, error) {
	c.keep = &bytes.Buffer{}
	defer func() { c.keep = nil }()
	_, err := c.do(command)
	return c.keep.String(), err
}
