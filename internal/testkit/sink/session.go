package sink

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const readBuffer = 64 << 10

var errEnd = errors.New("the session ends")

type session struct {
	s        *Sink
	nc       net.Conn
	br       *bufio.Reader
	bw       *bufio.Writer
	messages int64
	authed   bool

	from    string
	params  string
	open    bool // MAIL was taken
	rcpts   []string
	verdict verdict
	body    []byte
	ids     map[string]string // Message-IDs seen, so that each is one string
}

func newSession(s *Sink, c net.Conn) *session {
	ss := &session{s: s, ids: map[string]string{}}
	ss.use(c)
	return ss
}

func (c *session) use(nc net.Conn) {
	c.nc, c.br, c.bw = nc, bufio.NewReaderSize(nc, readBuffer), bufio.NewWriterSize(nc, 4096)
}

func (c *session) serve() {
	if c.s.ImplicitTLS {
		c.use(tls.Server(c.nc, c.s.TLS))
	}
	greeting := c.s.Greeting
	if greeting == "" {
		greeting = "220 sink ESMTP"
	}
	c.reply(greeting)
	for {
		line, err := c.line()
		if err != nil {
			return
		}
		c.s.commands.Add(1)
		if err := c.command(line); err != nil {
			_ = c.bw.Flush()
			return
		}
	}
}

// line reads a command line. When that has to wait, the replies so far are sent.
func (c *session) line() ([]byte, error) {
	if err := c.settle(); err != nil {
		return nil, err
	}
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func (c *session) settle() error {
	if c.br.Buffered() > 0 || c.bw.Buffered() == 0 {
		return nil
	}
	if !c.sleep(c.s.Latency) {
		return errEnd
	}
	return c.bw.Flush()
}

func (c *session) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-c.s.stop:
		return false
	}
}

func (c *session) reply(text string) {
	_, _ = c.bw.WriteString(text)
	_, _ = c.bw.WriteString("\r\n")
}

func (c *session) command(line []byte) error {
	switch {
	case has(line, "MAIL FROM:"):
		return c.mail(line[len("MAIL FROM:"):])
	case has(line, "RCPT TO:"):
		c.rcpt(line[len("RCPT TO:"):])
	case has(line, "DATA"):
		return c.data()
	case has(line, "BDAT "):
		return c.bdat(line[len("BDAT "):])
	case has(line, "RSET"):
		c.clear()
		c.reply("250 2.0.0 reset")
	case has(line, "EHLO"):
		c.clear()
		c.ehlo()
	case has(line, "HELO"):
		c.clear()
		c.reply("250 sink")
	case has(line, "NOOP"):
		c.reply("250 2.0.0 yes")
	case has(line, "STARTTLS") && c.s.TLS != nil:
		c.reply("220 2.0.0 go ahead")
		if err := c.bw.Flush(); err != nil {
			return err
		}
		c.use(tls.Server(c.nc, c.s.TLS))
	case has(line, "AUTH "):
		return c.auth(string(line[len("AUTH "):]))
	case has(line, "QUIT"):
		c.reply("221 2.0.0 bye")
		return errEnd
	default:
		c.reply("500 5.5.2 what?")
	}
	return nil
}

func has(line []byte, verb string) bool {
	if len(line) < len(verb) {
		return false
	}
	for i := range len(verb) {
		b := line[i]
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b != verb[i] {
			return false
		}
	}
	return true
}

func (c *session) ehlo() {
	words := []string{"ENHANCEDSTATUSCODES"}
	add := func(yes bool, w string) {
		if yes {
			words = append(words, w)
		}
	}
	o := &c.s.Options
	_, secure := c.nc.(*tls.Conn)
	add(!o.NoPipelining, "PIPELINING")
	add(!o.NoChunking, "CHUNKING")
	add(!o.NoEightBit, "8BITMIME")
	add(!o.NoUTF8, "SMTPUTF8")
	add(o.TLS != nil && !secure, "STARTTLS")
	add(o.Username != "" && !o.NoAuthPlain, "AUTH PLAIN LOGIN")
	add(o.Username != "" && o.NoAuthPlain, "AUTH LOGIN")
	add(true, "SIZE "+strconv.FormatInt(o.Size, 10))
	c.reply("250-sink")
	for i, w := range words {
		if o.LowerCase {
			w = strings.ToLower(w)
		}
		sep := "-"
		if i == len(words)-1 {
			sep = " "
		}
		c.reply("250" + sep + w)
	}
}

func (c *session) auth(arg string) error {
	var got []string
	ask := func(prompt string) bool {
		c.reply("334 " + prompt)
		line, err := c.line()
		if err != nil {
			return false
		}
		text, _ := base64.StdEncoding.DecodeString(string(line))
		got = append(got, string(text))
		return true
	}
	mech, initial, _ := strings.Cut(arg, " ")
	switch strings.ToUpper(mech) {
	case "PLAIN":
		text, _ := base64.StdEncoding.DecodeString(initial)
		got = strings.Split(string(text), "\x00")[1:]
	case "LOGIN":
		if !ask("VXNlcm5hbWU6") || !ask("UGFzc3dvcmQ6") {
			return errEnd
		}
	}
	if len(got) == 2 && got[0] == c.s.Username && got[1] == c.s.Password {
		c.authed = true
		c.reply("235 2.7.0 welcome")
	} else {
		c.reply("535 5.7.8 no")
	}
	return nil
}

// path splits "<address> PARAMS".
func path(arg []byte) (addr, params string) {
	arg = bytes.TrimLeft(arg, " ")
	if len(arg) == 0 || arg[0] != '<' {
		return "", ""
	}
	quoted := false
	for i := 1; i < len(arg); i++ {
		switch {
		case arg[i] == '"':
			quoted = !quoted
		case arg[i] == '\\' && quoted:
			i++
		case arg[i] == '>' && !quoted:
			return string(arg[1:i]), strings.TrimSpace(string(arg[i+1:]))
		}
	}
	return "", ""
}

func (c *session) clear() {
	c.from, c.params, c.open, c.rcpts, c.verdict = "", "", false, c.rcpts[:0], accept
}

func (c *session) mail(arg []byte) error {
	switch {
	case c.s.CloseAfter > 0 && c.messages >= c.s.CloseAfter:
		c.reply("421 4.7.0 that is enough")
		return errEnd
	case c.s.Username != "" && !c.authed:
		c.reply("530 5.7.0 who are you")
		return nil
	case c.open:
		c.reply("503 5.5.1 nested MAIL")
		return nil
	case c.s.RefuseMail != "":
		c.s.refused.Add(1)
		c.reply(c.s.RefuseMail)
		return nil
	}
	c.clear()
	c.from, c.params = path(arg)
	c.open = true
	c.reply("250 2.1.0 ok")
	return nil
}

func (c *session) rcpt(arg []byte) {
	if !c.open {
		c.reply("503 5.5.1 MAIL first")
		return
	}
	addr, _ := path(arg)
	switch v := c.s.judge(addr); v {
	case temporaryRcpt:
		c.s.refused.Add(1)
		c.reply("450 4.2.0 not now")
		return
	case permanentRcpt:
		c.s.refused.Add(1)
		c.reply("550 5.1.1 no such person")
		return
	default:
		c.verdict = max(c.verdict, v)
	}
	c.rcpts = append(c.rcpts, addr)
	c.reply("250 2.1.5 ok")
}

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
			header = len(line) > 2
			id = c.findID(id, line)
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
	words := strings.Fields(string(arg))
	if len(words) == 0 {
		c.reply("501 5.5.4 how much?")
		return nil
	}
	size, err := strconv.ParseInt(words[0], 10, 63)
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
	from := len(c.body)
	if cap(c.body) < from+int(size) {
		c.body = append(make([]byte, 0, from+int(size)), c.body...)
	}
	c.body = c.body[:from+int(size)]
	if _, err := io.ReadFull(c.br, c.body[from:]); err != nil {
		return err
	}
	if len(words) < 2 || !strings.EqualFold(words[1], "LAST") {
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
