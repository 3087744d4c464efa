package smtpin

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// wire is the net.Conn that go-smtp talks to. It owns the socket, TLS, the
// deadlines and the discipline of the lines, and hands go-smtp one command
// line per Read. go-smtp asks for more only when it has answered what it was
// given, so at the start of a Read the replies to the last command are
// complete and may be put right, and the kind of the next input is known.
//
// Read and Write are called by one goroutine at a time; mu guards what
// Shutdown and that goroutine share.
type wire struct {
	srv  *Server
	raw  net.Conn // the socket; deadlines are set here, below TLS
	conn net.Conn // raw, or the TLS connection over it
	peer netip.Addr
	near bool // loopback or unix socket
	tls  bool

	session *session
	ctx     context.Context // ends when the connection is closed or cut
	cancel  context.CancelFunc

	in       *bufio.Reader
	line     []byte   // of a command, still to be handed to go-smtp
	vetted   int      // octets of the message in in that may be handed over
	vet      vetter   // of the message being received
	inData   bool     // between 354 and the final dot
	chunk    int64    // octets of a BDAT chunk still to come
	verb     string   // of the command go-smtp is answering
	path     string   // canonical address of the last MAIL or RCPT
	utf8     bool     // the last MAIL asked for SMTPUTF8
	state    greeting // what the client introduced itself with
	authLine bool     // the next line is a SASL response
	leaving  bool     // close after the replies
	mistakes int
	idle     int // commands since the last finished message

	mu        sync.Mutex
	reply     []byte // go-smtp's replies to the current command
	out       []byte // replies ready for the client
	waitUntil time.Time
	capAt     time.Time
	gone      error // why nothing can be read or written any more

	receiving atomic.Bool            // a message is with the desk
	hold      atomic.Pointer[holder] // what the last message takes of the memory
	pace      pace                   // of what comes
	handshook bool
	closeOnce sync.Once
}

type greeting uint8

const (
	notGreeted greeting = iota
	greetedHelo
	greetedEhlo // or LHLO
)

var (
	errStopping = errors.New("the service is stopping")
	errCut      = errors.New("the connection was cut")
	errSlow     = errors.New("the message came too slowly while memory was short")
)

// newWire wraps an accepted socket. conn is raw, or a TLS connection over it
// whose handshake has not happened yet.
func newWire(srv *Server, raw, conn net.Conn) *wire {
	w := &wire{srv: srv, raw: raw, conn: conn, capAt: srv.opt.Now().Add(srv.opt.SessionTimeout)}
	w.peer, w.near = peerOf(raw.RemoteAddr())
	_, w.tls = conn.(*tls.Conn)
	w.ctx, w.cancel = context.WithCancel(srv.base)
	w.in = bufio.NewReaderSize(source{w}, maxLine)
	return w
}

// peerOf gives the peer's address, and whether it is this machine.
func peerOf(a net.Addr) (addr netip.Addr, near bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		addr = a.AddrPort().Addr().Unmap()
		return addr, addr.IsLoopback()
	case *net.UnixAddr:
		return netip.Addr{}, true
	}
	return netip.Addr{}, false
}

// Read gives go-smtp the rest of a command line, vetted octets of a message,
// or the next command. In the middle of a message the end of the connection
// is never a plain io.EOF: go-smtp would take a BDAT chunk cut short for a
// whole one.
func (w *wire) Read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.srv.log.Error("panic in the SMTP door", "peer", w.peer, "panic", r, "stack", string(debug.Stack()))
			n, err = 0, w.leave(errCut)
		}
	}()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case len(w.line) > 0:
			n = copy(p, w.line)
			w.line = w.line[n:]
			return n, nil
		case w.vetted > 0:
			n, err = w.in.Read(p[:min(len(p), w.vetted)])
			w.vetted -= n
			return n, err
		case w.chunk > 0:
			err = w.vetChunk()
		default:
			w.settle()
			if w.inData {
				err = w.vetData()
			} else {
				err = w.nextCommand()
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

func (w *wire) vetData() error {
	for need := 1; ; need = 2 { // a lone CR at the end waits for its successor
		if _, err := w.in.Peek(need); err != nil {
			w.leave(err)
			return io.ErrUnexpectedEOF
		}
		b, _ := w.in.Peek(w.in.Buffered())
		n, end := w.vet.data(b)
		if w.vetted = n; end {
			w.inData = false
		}
		if n > 0 {
			return nil
		}
	}
}

func (w *wire) vetChunk() error {
	if _, err := w.in.Peek(1); err != nil {
		w.leave(err)
		return io.ErrUnexpectedEOF
	}
	n := int(min(int64(w.in.Buffered()), w.chunk))
	b, _ := w.in.Peek(n)
	w.vet.chunk(b)
	w.vetted = n
	w.chunk -= int64(n)
	return nil
}

// nextCommand reads lines until one is for go-smtp. Lines that are not are
// answered here.
func (w *wire) nextCommand() error {
	defer w.await(time.Time{})
	for len(w.line) == 0 {
		if w.leaving {
			return w.leave(io.EOF)
		}
		w.await(w.srv.opt.Now().Add(w.srv.opt.ReadTimeout))
		line, err := w.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = w.in.ReadSlice('\n')
			}
			if err == nil {
				w.mistake(500, "5.5.2", "Line too long")
				continue
			}
		}
		if err != nil {
			return w.leave(err)
		}
		w.command(string(line))
	}
	return nil
}

// await sets until when a command is waited for; the zero time is for a
// message.
func (w *wire) await(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waitUntil = until
}

// LocalAddr is the socket's.
func (w *wire) LocalAddr() net.Addr { return w.raw.LocalAddr() }

// RemoteAddr is the socket's.
func (w *wire) RemoteAddr() net.Addr { return w.raw.RemoteAddr() }

// SetDeadline does nothing: the deadlines are wire's own.
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
