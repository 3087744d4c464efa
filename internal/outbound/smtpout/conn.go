package smtpout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"plenary/internal/outbound/queue"
)

// conn is one connection to a relay; it is a queue.Courier.
type conn struct {
	relay *Relay
	mode  TLSMode
	t     Timeouts
	raw   net.Conn // below TLS
	nc    net.Conn
	br    *bufio.Reader
	buf   []byte  // not written yet
	lent  *[]byte // whose memory it is; nil: its own, small
	seen  *segments
	heard [4]reply // the last ones, in turn: a transaction has four, and the next one's are mostly the same
	turn  int
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
	likely := &c.heard[c.turn%len(c.heard)]
	r, err := readReply(c.br, likely, nil)
	if err == nil {
		*likely = r
		c.turn++
	}
	return r, err
}

// quiet finds what a peer has said without being asked, while nothing is on the
// way to it.
func (c *conn) quiet() error {
	if c.br.Buffered() == 0 {
		return nil
	}
	r, err := c.read(c.t.Command)
	switch {
	case err != nil:
		return err
	case r.code == 421:
		return closing(r)
	}
	return fmt.Errorf("%w: nobody had asked for %s", errGarbage, r)
}

// silent notes that a peer gave no answer in time to a command that came with
// others: there are servers that offer PIPELINING and throw away what has come
// before they say something.
func (c *conn) silent(err error) {
	if c.ext.pipelining && errors.Is(err, os.ErrDeadlineExceeded) {
		c.relay.Known.avoid(c.relay.Addr, pipelining)
	}
}

// flush writes what is buffered.
func (c *conn) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	err := c.write(c.buf)
	c.buf = c.buf[:0]
	if c.lent != nil {
		*c.lent = c.buf
		buffers.Put(c.lent)
		c.lent, c.buf = nil, nil
	}
	return err
}

// buffers hold messages on their way to the wire: of hundreds of connections few
// write at a time.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// room readies the buffer for a message.
func (c *conn) room() {
	if c.lent == nil {
		c.lent = buffers.Get().(*[]byte)
		c.buf = append(*c.lent, c.buf...)
	}
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

// quit ends the connection politely, without waiting long for the answer.
func (c *conn) quit() {
	_ = c.nc.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = readReply(c.br, nil, nil)
	}
}

// Largest is the size in octets of the largest message the peer says it takes
// (RFC 1870); 0: it does not say.
func (c *conn) Largest() int64 { return max(0, c.ext.size) }

// Taken is the number of letters the peer took.
func (c *conn) Taken() int { return c.taken }

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
