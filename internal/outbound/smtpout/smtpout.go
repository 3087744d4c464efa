// Package smtpout carries letters to a relay by SMTP (RFC 5321), or into the
// built-in catcher.
//
// One goroutine owns a connection, with blocking reads and writes. What costs
// is round trips, so a write holds as much as the standards allow: with
// PIPELINING (RFC 2920) the end of one message and MAIL, RCPT and DATA of the
// next; with CHUNKING (RFC 3030) too, whole messages (MAIL, RCPT, BDAT LAST)
// up to a window counted in messages and octets, refilled when the replies that
// have come are used up. DATA must be the last of a group and waits for its
// 354, which is why only BDAT can have a window. Without PIPELINING every
// command waits for its reply. Each message of a window begins with RSET: after
// a refused recipient some servers still hold the transaction open, and the
// next copy would go out under the reverse path of the one before.
//
// The bytes of a letter are never changed but for dot-stuffing: a message with
// octets above 127 goes to a peer without 8BITMIME as it is (such peers pass it
// on in practice, and re-encoding would break signatures). A recipient or
// sender that needs SMTPUTF8 is refused here with 5.6.7 when the peer does not
// offer it.
//
// Who is to blame when a connection ends: the peer or the path, as long as the
// connection had taken letters before: then nobody is, and untouched letters go
// to another connection. On a fresh connection the letter in work is, so that
// one that kills connections moves out of the way. A letter whose end was sent
// and not answered may have arrived: it is tried again and counted as lost.
//
// Nothing a peer sends is trusted: reply lines and replies are bounded, every
// wait has its timeout, text after STARTTLS's reply ends the connection, and so
// does a reply to nothing, because each after it would be taken for the answer
// to another command. A peer that offers CHUNKING and does not know BDAT gets
// its letters by DATA from then on, and one that says nothing to a command that
// came with others gets them one by one (Known).
package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"plenary/internal/fault"
	"plenary/internal/outbound/queue"
)

// TLSMode says how the connection to a relay is protected.
type TLSMode string

// The modes. Opportunistic, the zero value, checks the certificate only when a
// password goes over it.
const (
	TLSNone          TLSMode = "none"     // never; a password goes in clear
	TLSOpportunistic TLSMode = "starttls" // STARTTLS when offered; a password needs it
	TLSRequired      TLSMode = "required" // STARTTLS, with a valid certificate, or nothing
	TLSImplicit      TLSMode = "implicit" // TLS from the first octet (RFC 8314), with a valid certificate
)

// Timeouts of RFC 5321 4.5.3.2; a zero field is replaced by the value of
// DefaultTimeouts.
type Timeouts struct {
	Dial     time.Duration // TCP connection and TLS handshake
	Greeting time.Duration // the first 220
	Command  time.Duration // EHLO, MAIL, RCPT, AUTH, RSET
	Data     time.Duration // the 354
	Block    time.Duration // writing a block of data
	End      time.Duration // the reply after the end of a message
	Idle     time.Duration // without letters, before QUIT
}

// DefaultTimeouts gives the RFC's minimum values, and our own for what it does
// not name.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Dial:     30 * time.Second,
		Greeting: 5 * time.Minute,  // 4.5.3.2.1
		Command:  5 * time.Minute,  // 4.5.3.2.2, 4.5.3.2.3
		Data:     2 * time.Minute,  // 4.5.3.2.4
		Block:    3 * time.Minute,  // 4.5.3.2.5
		End:      10 * time.Minute, // 4.5.3.2.6
		Idle:     10 * time.Second,
	}
}

// Limits of what is on the way on one connection without an answer.
const (
	defaultWindow      = 16
	defaultWindowBytes = 256 << 10
	writeBlock         = 64 << 10 // most octets in one write
)

// Relay is a smarthost that takes everything. Its fields must not change once
// it is used; its methods may be called at once.
type Relay struct {
	Addr     string // host:port
	Hello    string // our name in EHLO
	TLS      TLSMode
	Username string // empty: no AUTH
	Password string

	Timeouts    Timeouts
	Window      int         // messages without an answer by BDAT; 16
	WindowBytes int         // and their octets, unless it is one message; 256 kB
	TLSConfig   *tls.Config // nil: the system's roots, the host of Addr
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	Known       *Known // what is remembered of peers; nil: nothing
	// InClear is told why opportunistic TLS does not work before letters go
	// without. When it is nil only a refused STARTTLS is passed over: a handshake
	// that fails is an error.
	InClear func(why error)
}

// Check finds mistakes in the settings.
func (r *Relay) Check() error {
	if host, port, err := net.SplitHostPort(r.Addr); err != nil || host == "" || port == "" {
		return fault.New(fault.Invalid, "the relay must be given as host:port")
	}
	switch r.TLS {
	case "", TLSNone, TLSOpportunistic, TLSRequired, TLSImplicit:
	default:
		return fault.New(fault.Invalid, "the relay's TLS mode is none, starttls, required or implicit, not %q", string(r.TLS))
	}
	if r.Hello == "" || !plain(r.Hello) {
		return fault.New(fault.Invalid, "the relay needs our host name for EHLO")
	}
	return nil
}

// Connect opens a connection, with greeting, TLS and AUTH done; it is a
// queue.Connector.
func (r *Relay) Connect(ctx context.Context) (queue.Courier, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	c, err := r.open(ctx, r.TLS)
	if errors.Is(err, errHandshake) && r.InClear != nil && r.maybeClear(r.TLS) && ctx.Err() == nil {
		r.InClear(err)
		return r.open(ctx, TLSNone)
	}
	return c, err
}

// maybeClear reports whether letters may go without TLS: nobody asked for it, and
// no password does. Encryption with anybody protects from who listens only, and
// who can break the handshake could have taken the offer out as well (RFC 7435
// 4).
func (r *Relay) maybeClear(mode TLSMode) bool {
	return (mode == TLSOpportunistic || mode == "") && r.Username == ""
}

// open opens one connection.
func (r *Relay) open(ctx context.Context, mode TLSMode) (queue.Courier, error) {
	t := r.timeouts()
	dial := r.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	dctx, cancel := context.WithTimeout(ctx, t.Dial)
	defer cancel()
	nc, err := dial(dctx, "tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	c := &conn{relay: r, mode: mode, t: t, raw: nc, seen: newSegments()}
	c.use(nc)
	// ctx ends the connection at once, also in the middle of a reply.
	stop := context.AfterFunc(ctx, c.abort)
	defer stop()
	if err := c.hello(ctx); err != nil {
		_ = c.nc.Close()
		return nil, fmt.Errorf("%s: %w", r.Addr, err)
	}
	return c, nil
}

func (r *Relay) timeouts() Timeouts {
	t, d := r.Timeouts, DefaultTimeouts()
	for _, p := range []struct {
		have *time.Duration
		def  time.Duration
	}{{&t.Dial, d.Dial}, {&t.Greeting, d.Greeting}, {&t.Command, d.Command}, {&t.Data, d.Data}, {&t.Block, d.Block}, {&t.End, d.End}, {&t.Idle, d.Idle}} {
		if *p.have <= 0 {
			*p.have = p.def
		}
	}
	return t
}

func (r *Relay) window() (messages, octets int) {
	messages, octets = r.Window, r.WindowBytes
	if messages <= 0 {
		messages = defaultWindow
	}
	if octets <= 0 {
		octets = defaultWindowBytes
	}
	return messages, octets
}
