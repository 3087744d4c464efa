package smtpout

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"plenary/internal/outbound/queue"
)

// conn is one connection to a relay; it is a queue.Courier.
type conn struct {
	relay *Relay
	t     Timeouts
	raw   net.Conn // below TLS
	nc    net.Conn
	br    *bufio.Reader
	buf   []byte // not written yet
	seen  *segments
	last  reply // for reuse of its text
	ext   extensions
	reset bool // a transaction may be open: RSET first

	taken int // letters the peer took on this connection
}

// extensions are what the peer offers.
type extensions struct {
	pipelining, chunking, eightBit, utf8, startTLS, sizes bool

	size int64 // the largest message; 0: not said
	auth []string
}

func (c *conn) use(nc net.Conn) {
	c.nc = nc
	if c.br == nil {
		c.br = bufio.NewReaderSize(nc, maxReplyLine)
	} else {
		c.br.Reset(nc)
	}
}

// abort makes every wait on the connection end now, whatever deadlines are set.
func (c *conn) abort() { _ = c.raw.Close() }

// alive reports whether the peer has kept an idle connection: one that has
// closed it, or says 421, has left something to read.
func (c *conn) alive() bool {
	if c.br.Buffered() > 0 || c.nc.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return false
	}
	_, err := c.br.Peek(1)
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// read reads one reply within d.
func (c *conn) read(d time.Duration) (reply, error) {
	if c.br.Buffered() == 0 {
		if err := c.nc.SetReadDeadline(time.Now().Add(d)); err != nil {
			return reply{}, err
		}
	}
	r, err := readReply(c.br, &c.last, nil)
	if err == nil {
		c.last = r
	}
	return r, err
}

// flush writes what is buffered.
func (c *conn) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	err := c.write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// write writes in blocks, each with its own timeout: a peer that stops reading
// holds us no longer than one.
func (c *conn) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), writeBlock)
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.t.Block)); err != nil {
			return err
		}
		if _, err := c.nc.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// command sends one line and reads its reply.
func (c *conn) command(line string) (reply, error) {
	c.buf = append(append(c.buf, line...), '\r', '\n')
	if err := c.flush(); err != nil {
		return reply{}, err
	}
	return c.read(c.t.Command)
}

// hello brings the connection to where letters can be sent.
func (c *conn) hello(ctx context.Context) error {
	r := c.relay
	if r.TLS == TLSImplicit {
		if err := c.handshake(ctx, true); err != nil {
			return err
		}
	}
	if g, err := c.read(c.t.Greeting); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	} else if g.code != 220 {
		return fmt.Errorf("greeted with %s", g)
	}
	if err := c.ehlo(); err != nil {
		return err
	}
	if r.TLS == TLSRequired || (r.TLS == TLSOpportunistic || r.TLS == "") && c.ext.startTLS {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if r.Username == "" {
		return nil
	}
	if _, secure := c.nc.(*tls.Conn); !secure && r.TLS != TLSNone {
		return errors.New("the peer offers no STARTTLS, and the password does not go in clear")
	}
	return c.auth()
}

func (c *conn) handshake(ctx context.Context, verify bool) error {
	cfg := c.relay.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(c.relay.Addr)
	}
	cfg.InsecureSkipVerify = cfg.InsecureSkipVerify || !verify
	tc := tls.Client(c.nc, cfg)
	ctx, cancel := context.WithTimeout(ctx, c.t.Dial)
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.use(tc)
	return nil
}

// startTLS upgrades the connection and learns the extensions anew (RFC 3207
// 4.2). Octets that came with the reply were not protected: somebody put them
// there.
func (c *conn) startTLS(ctx context.Context) error {
	if !c.ext.startTLS {
		return errors.New("the peer offers no STARTTLS, and TLS is required")
	}
	r, err := c.command("STARTTLS")
	if err != nil {
		return err
	}
	if r.code != 220 {
		return fmt.Errorf("STARTTLS was answered %s", r)
	}
	if c.br.Buffered() > 0 {
		return fmt.Errorf("%w: octets before the TLS handshake", errGarbage)
	}
	// Without a password, encryption with anybody is better than none.
	if err := c.handshake(ctx, c.relay.TLS == TLSRequired || c.relay.Username != ""); err != nil {
		return err
	}
	return c.ehlo()
}

// ehlo introduces us and reads the extensions. A peer that knows only HELO has
// none.
func (c *conn) ehlo() error {
	c.buf = append(append(append(c.buf, "EHLO "...), c.relay.Hello...), '\r', '\n')
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(c.t.Command)); err != nil {
		return err
	}
	var lines []string
	r, err := readReply(c.br, nil, &lines)
	if err != nil {
		return err
	}
	c.ext = extensions{}
	if r.code == 250 {
		c.ext = parseExtensions(lines)
		return nil
	}
	if r.code < 500 || r.code == 554 {
		return fmt.Errorf("EHLO was answered %s", r)
	}
	if r, err = c.command("HELO " + c.relay.Hello); err != nil {
		return err
	}
	if r.code != 250 {
		return fmt.Errorf("HELO was answered %s", r)
	}
	return nil
}

// parseExtensions reads the lines after EHLO's first. Peers spell the keywords
// in either case (RFC 5321 4.1.1.1).
func parseExtensions(lines []string) extensions {
	var x extensions
	for _, l := range lines[min(1, len(lines)):] {
		words := strings.Fields(strings.ToUpper(l))
		if len(words) == 0 {
			continue
		}
		switch key := words[0]; {
		case key == "PIPELINING":
			x.pipelining = true
		case key == "CHUNKING":
			x.chunking = true
		case key == "8BITMIME":
			x.eightBit = true
		case key == "SMTPUTF8":
			x.utf8 = true
		case key == "STARTTLS":
			x.startTLS = true
		case key == "SIZE":
			x.sizes = true
			if len(words) > 1 {
				x.size, _ = strconv.ParseInt(words[1], 10, 64)
			}
		case key == "AUTH":
			x.auth = append(x.auth, words[1:]...)
		case strings.HasPrefix(key, "AUTH="): // an old spelling
			x.auth = append(append(x.auth, key[len("AUTH="):]), words[1:]...)
		}
	}
	return x
}

// auth logs in by PLAIN or LOGIN.
func (c *conn) auth() error {
	has := func(m string) bool {
		for _, a := range c.ext.auth {
			if a == m {
				return true
			}
		}
		return false
	}
	b64 := base64.StdEncoding.EncodeToString
	var lines []string
	switch u, p := c.relay.Username, c.relay.Password; {
	case has("PLAIN"):
		lines = []string{"AUTH PLAIN " + b64([]byte("\x00"+u+"\x00"+p))}
	case has("LOGIN"):
		lines = []string{"AUTH LOGIN", b64([]byte(u)), b64([]byte(p))}
	default:
		return fmt.Errorf("the peer offers neither AUTH PLAIN nor LOGIN but %v", c.ext.auth)
	}
	for i, l := range lines {
		r, err := c.command(l)
		if err != nil {
			return err
		}
		want := 334
		if i == len(lines)-1 {
			want = 235
		}
		if r.code != want {
			return fmt.Errorf("AUTH was answered %s", r)
		}
	}
	return nil
}

// quit ends the connection politely, without waiting long for the answer.
func (c *conn) quit() {
	_ = c.nc.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = readReply(c.br, nil, nil)
	}
}

// Run is queue.Courier.
func (c *conn) Run(ctx context.Context, units <-chan *queue.Unit, outcomes chan<- queue.Outcome) error {
	defer c.nc.Close()
	stop := context.AfterFunc(ctx, c.abort)
	defer stop()
	f := &feed{c: c, units: units, outcomes: outcomes}
	var err error
	if c.ext.pipelining && c.ext.chunking {
		err = c.runWindow(f)
	} else {
		err = c.runData(f)
	}
	f.returnRest()
	if err == nil {
		c.quit()
	}
	return err
}
