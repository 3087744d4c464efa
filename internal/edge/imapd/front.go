package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// front is the net.Conn go-imap is given. Reading happens in one goroutine;
// responses may also come from the goroutine of IDLE.
type front struct {
	srv      *Server
	raw      net.Conn     // below TLS: deadlines, and the last Close
	peer     netip.Prefix // not valid: this machine
	implicit bool         // TLS comes first
	began    time.Time    // when the client connected
	tls      *tls.Conn    // nil: in the clear
	pack     *deflater    // COMPRESS; nil: not packed
	packed   time.Time    // when it was answered, until the client has said something
	sess     *session

	src   io.Reader // the clear text that comes in
	dst   io.Writer // and goes out
	in    []byte    // what was read
	pos   int       // and how much of it is used
	ready []byte    // the rest of the command go-imap is reading
	cmd   *command  // the command go-imap is answering; nil before the first
	mode  mode
	bad   int // commands we could not make sense of, one after another

	before int // commands; counts before login

	rd   sync.Mutex // guards over against a deadline being set
	over error      // why no more is read: errClosing or errEnd; nil while we go on

	mu      sync.Mutex // guards what follows
	out     *[]byte    // responses not yet written; nil: none
	waiting bool       // reading blocks: what is written goes out at once
	broken  error      // writing failed
	greeted bool
}

// mode is what the next line from the client is.
type mode uint8

const (
	modeCommand mode = iota
	modeIdle         // the end of IDLE
)

func newFront(s *Server, c net.Conn, implicit bool) *front {
	return &front{srv: s, raw: c, implicit: implicit, src: c, dst: c, began: time.Now()}
}

// Read gives go-imap the next command, never more than one.
func (f *front) Read(p []byte) (int, error) {
	if len(f.ready) == 0 {
		line, err := f.next()
		if err != nil {
			f.farewell(err)
			return 0, io.EOF
		}
		f.ready = line
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// errTimeout says that the client was silent too long.
var errTimeout = errors.New("imapd: the client is silent")

// errClosing says that the server shuts down.
var errClosing = errors.New("imapd: shutting down")

// farewell tells the client why the connection ends, where it can be told. It is
// the last that is said: go-imap takes the end of IDLE for its outcome, and reads
// once more.
func (f *front) farewell(err error) {
	switch {
	case errors.Is(err, errTimeout):
		f.put("* BYE You were silent for too long\r\n")
	case errors.Is(err, errBomb):
		f.put("* BYE [TOOBIG] That unpacks to too much\r\n")
	case errors.Is(err, errBroken):
		f.put("* BYE That is not what DEFLATE makes\r\n")
	case errors.Is(err, errRevoked):
		f.put("* BYE The app password of this connection was taken back\r\n")
	case errors.Is(err, errClosing):
		f.put("* BYE The server is shutting down, please come back later\r\n")
	}
	_ = f.flush()
	f.fail(net.ErrClosed)
}

// fill reads more from the client, having written all responses. It waits no
// longer than d.
func (f *front) fill(d time.Duration) error {
	if f.pos == len(f.in) {
		f.in, f.pos = f.in[:0], 0
		if cap(f.in) > maxLiteral {
			f.in = nil // an idle connection holds little
		}
	} else if f.pos > maxLiteral {
		f.in, f.pos = f.in[:copy(f.in, f.in[f.pos:])], 0
	}
	f.in = slices.Grow(f.in, max(512, min(len(f.in), 32<<10)))
	if err := f.deadline(d); err != nil {
		return err
	}
	if err := f.flushAndWait(); err != nil {
		return err
	}
	n, err := f.src.Read(f.in[len(f.in):cap(f.in)])
	f.stopWaiting()
	f.in = f.in[:len(f.in)+n]
	if n > 0 && !f.packed.IsZero() {
		f.pack.heard(time.Since(f.packed))
		f.packed = time.Time{}
	}
	switch {
	case n > 0 || err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return f.silent()
	}
	return err
}

// silent tells a deadline that passed from one that Shutdown set.
func (f *front) silent() error {
	f.rd.Lock()
	defer f.rd.Unlock()
	if f.over != nil {
		return f.over
	}
	return errTimeout
}

// deadline sets how long the next read may wait, unless the server shuts down.
// A stranger who sends an octet now and then is not waited for without end.
func (f *front) deadline(d time.Duration) error {
	f.rd.Lock()
	defer f.rd.Unlock()
	if f.over != nil {
		return f.over
	}
	until := time.Now().Add(d)
	if end := f.began.Add(f.srv.times.entry); (f.sess == nil || !f.sess.loggedIn()) && end.Before(until) {
		until = end
	}
	return f.raw.SetReadDeadline(until)
}

// end makes a read that waits return why, and the connection end after the
// command at hand.
func (f *front) end(why error) {
	f.rd.Lock()
	defer f.rd.Unlock()
	if f.over == nil {
		f.over = why
	}
	_ = f.raw.SetReadDeadline(time.Unix(1, 0))
}

func (f *front) ended() error {
	f.rd.Lock()
	defer f.rd.Unlock()
	return f.over
}

// gone reports whether writing has failed.
func (f *front) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken != nil
}

// fail makes all writing fail: there is nobody to write to.
func (f *front) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// handshake turns to TLS. Nothing may be left of the clear text.
func (f *front) handshake() error {
	if err := f.deadline(f.srv.times.handshake); err != nil {
		return err
	}
	if err := f.raw.SetWriteDeadline(time.Now().Add(f.srv.times.handshake)); err != nil {
		return err
	}
	c := tls.Server(f.raw, f.srv.opt.TLSConfig)
	ctx, cancel := context.WithTimeout(f.srv.ctx, f.srv.times.handshake)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	f.src, f.dst, f.tls = c, c, c
	return nil
}

// mayLogIn reports whether a password may travel on this connection: under TLS,
// or from this machine (RFC 9051 11.1).
func (f *front) mayLogIn() bool {
	return f.tls != nil || !f.peer.IsValid() || f.srv.opt.AllowInsecureAuth
}

// Close ends the connection; TLS is told so when it can be.
func (f *front) Close() error {
	if f.tls != nil {
		_ = f.raw.SetWriteDeadline(time.Now().Add(f.srv.times.turnAway))
		_ = f.tls.Close()
	}
	return f.raw.Close()
}

// LocalAddr is the address of our end.
func (f *front) LocalAddr() net.Addr { return f.raw.LocalAddr() }

// RemoteAddr is the address of the client.
func (f *front) RemoteAddr() net.Addr { return f.raw.RemoteAddr() }

// SetDeadline does nothing: the front sets deadlines where it waits. Go-imap's
// would cover a whole command, and clear those of a write that is gathered.
func (f *front) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (f *front) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (f *front) SetWriteDeadline(time.Time) error { return nil }
