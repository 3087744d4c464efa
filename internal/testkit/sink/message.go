package sink

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

func (c *session) data() error {
	switch {
	case !c.open:
		c.reply("503 5.5.1 MAIL first")
		return nil
	case len(c.rcpts) == 0 && c.s.KeepOpen:
		c.reply("554 5.5.1 no valid recipients")
		return nil
	}
	if c.s.StopAfter > 0 && c.messages >= c.s.StopAfter {
		<-c.s.stop
		return errEnd
	}
	c.reply("354 go on")
	keep := c.s.OnMessage != nil
	c.body = c.body[:0]
	id, header, n := "", true, 0
	atStart := true
	for {
		if err := c.settle(); err != nil {
			return err
		}
		if !header && atStart && !keep && c.verdict != dropBefore {
			n += c.skim()
		}
		line, err := c.br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if c.verdict == dropBefore && n > 100 {
			c.s.dropped.Add(1)
			return errEnd
		}
		if atStart && len(line) == 3 && line[0] == '.' && line[1] == '\r' {
			break
		}
		n += len(line)
		if atStart && line[0] == '.' {
			line = line[1:]
		}
		if header && atStart {
			if header = len(line) > 2; !c.s.blind {
				id = c.findID(id, line)
			}
		}
		if keep {
			c.body = append(c.body, line...)
		}
		atStart = err == nil
	}
	return c.end(id, n)
}

// skim throws away whole lines of a body that are in the buffer, up to the one
// that may end it.
func (c *session) skim() int {
	b, _ := c.br.Peek(c.br.Buffered())
	if len(b) > 0 && b[0] == '.' {
		return 0
	}
	i := bytes.Index(b, []byte("\n.\r\n"))
	if i < 0 {
		i = bytes.LastIndexByte(b, '\n')
	}
	n, _ := c.br.Discard(i + 1)
	return n
}

func (c *session) bdat(arg []byte) error {
	number, rest, _ := strings.Cut(strings.TrimLeft(string(arg), " "), " ")
	last := strings.EqualFold(strings.TrimSpace(rest), "LAST")
	size, err := strconv.ParseInt(number, 10, 63)
	if err != nil || size < 0 {
		c.reply("501 5.5.4 how much?")
		return errEnd
	}
	if c.s.StopAfter > 0 && c.messages >= c.s.StopAfter {
		<-c.s.stop
		return errEnd
	}
	if c.verdict == dropBefore && c.open {
		c.s.dropped.Add(1)
		return errEnd
	}
	if !c.open || len(c.rcpts) == 0 {
		if _, err := io.CopyN(io.Discard, c.br, size); err != nil {
			return err
		}
		c.reply("554 5.5.1 no valid recipients")
		if !c.s.KeepOpen {
			c.clear()
		}
		return nil
	}
	if c.s.blind {
		if _, err := c.br.Discard(int(size)); err != nil {
			return err
		}
		if c.unseen += int(size); !last {
			c.reply("250 2.0.0 go on")
			return nil
		}
		n := c.unseen
		c.unseen = 0
		return c.end("", n)
	}
	from := len(c.body)
	if cap(c.body) < from+int(size) {
		c.body = append(make([]byte, 0, from+int(size)), c.body...)
	}
	c.body = c.body[:from+int(size)]
	if _, err := io.ReadFull(c.br, c.body[from:]); err != nil {
		return err
	}
	if !last {
		c.reply("250 2.0.0 go on")
		return nil
	}
	id := ""
	for rest := c.body; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 2 {
			break
		}
		id = c.findID(id, rest[:i+1])
		rest = rest[i+1:]
	}
	n := len(c.body)
	err = c.end(id, n)
	c.body = c.body[:0]
	return err
}

// findID finds the Message-ID field in a header line.
func (c *session) findID(id string, line []byte) string {
	const name = "MESSAGE-ID:"
	if id != "" || len(line) < len(name) || line[0]|0x20 != 'm' || !has(line, name) {
		return id
	}
	v := bytes.Trim(line[len(name):], " \t\r\n<>")
	if have, ok := c.ids[string(v)]; ok {
		return have
	}
	s := string(v)
	c.ids[s] = s
	return s
}

// end answers a whole message.
func (c *session) end(id string, n int) error {
	defer c.clear()
	c.messages++
	if !c.sleep(c.s.Slow) {
		return errEnd
	}
	switch {
	case len(c.rcpts) == 0:
		c.reply("554 5.5.1 no valid recipients")
		return nil
	case c.s.RefuseData != "":
		c.s.refused.Add(1)
		c.reply(c.s.RefuseData)
		return nil
	case c.verdict == temporaryEnd:
		c.s.refused.Add(1)
		c.reply("451 4.3.0 later")
		return nil
	case c.verdict == permanentEnd:
		c.s.refused.Add(1)
		c.reply("550 5.1.1 no such person after all")
		return nil
	}
	c.s.bytes.Add(int64(n))
	c.s.take(c.rcpts, id)
	if c.s.OnMessage != nil {
		c.s.OnMessage(Message{ReversePath: c.from, MailParams: c.params, Recipients: c.rcpts, Data: c.body})
	}
	if c.verdict == dropAfter {
		c.s.silent.Add(1)
		c.s.dropped.Add(1)
		return errEnd
	}
	c.reply("250 2.0.0 taken")
	return nil
}
