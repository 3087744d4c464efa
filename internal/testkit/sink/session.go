package sink

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/base64"
	"errors"
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

	recipients int64
	authed     bool

	from    string
	params  string
	open    bool // MAIL was taken
	rcpts   []string
	verdict verdict
	body    []byte
	unseen  int               // octets of it that were not looked at
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
	if c.s.Mute {
		<-c.s.stop
		return
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
	return trim(line), nil
}

// trim takes the line end off.
func trim(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
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
	if i := bytes.IndexByte(arg, '>'); i > 0 && bytes.IndexByte(arg[:i], '"') < 0 {
		return string(arg[1:i]), strings.TrimSpace(string(arg[i+1:]))
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
	c.from, c.params, c.open, c.rcpts, c.verdict, c.unseen = "", "", false, c.rcpts[:0], accept, 0
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
	if !c.s.blind {
		c.from, c.params = path(arg)
	}
	c.open = true
	c.reply("250 2.1.0 ok")
	return nil
}

func (c *session) rcpt(arg []byte) {
	if !c.open {
		c.reply("503 5.5.1 MAIL first")
		return
	}
	addr := ""
	if !c.s.blind {
		addr, _ = path(arg)
	}
	if c.s.RcptMost > 0 && c.recipients >= c.s.RcptMost {
		c.s.refused.Add(1)
		c.reply(cmp.Or(c.s.RcptReply, "452 4.5.3 too many recipients"))
		return
	}
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
	c.recipients++
	c.rcpts = append(c.rcpts, addr)
	c.reply("250 2.1.5 ok")
}
