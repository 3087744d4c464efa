package smtpin

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/intake"
)

// bubble runs a server and its clients in invented time: hours of silence
// pass at once, and nothing depends on how fast the machine is.
type bubble struct {
	t      *testing.T
	desk   *testDesk
	server *Server
	conns  chan net.Conn
	served chan error
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// farConn seems to come from elsewhere.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711} }

func inBubble(t *testing.T, opt Options, implicitTLS bool, test func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, desk, _ := build(t, opt)
		b := &bubble{t: t, desk: desk, server: server, conns: make(chan net.Conn), served: make(chan error, 1)}
		l := &pipeListener{conns: b.conns, closed: make(chan struct{})}
		serve := server.Serve
		if implicitTLS {
			serve = server.ServeTLS
		}
		go func() { b.served <- serve(t.Context(), l) }()
		test(b)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(ended)
		if err := <-b.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := server.Stats().Open; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

func (b *bubble) dial() *client {
	ours, theirs := net.Pipe()
	b.conns <- farConn{theirs}
	return &client{t: b.t, conn: ours, in: bufio.NewReader(ours)}
}

// trickle sends one octet a minute until the connection is closed.
func (c *client) trickle() (gone chan bool) {
	gone = make(chan bool)
	go func() {
		defer close(gone)
		for {
			if _, err := c.conn.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(time.Minute)
		}
	}()
	return gone
}

// A steady upload of one octet every four minutes is slow, but alive, and
// takes far longer than ReadTimeout in all; go-smtp's one deadline for the
// whole of DATA would cut it.
func TestSlowUploadPasses(t *testing.T) {
	for _, bdat := range []bool{false, true} {
		inBubble(t, Options{}, false, func(b *bubble) {
			c := b.dial()
			c.hello()
			c.to("talk@example.org")
			text, end := "a slow one\r\n", ".\r\n"
			if bdat {
				c.send("BDAT 12 LAST\r\n")
				end = ""
			} else {
				c.say("DATA", "354 ")
			}
			for _, octet := range []byte(text) {
				time.Sleep(4 * time.Minute)
				c.send(string(octet))
			}
			c.send(end)
			c.expect("250 ")
			if got := b.desk.messages(); len(got) != 1 || string(got[0].Raw) != text {
				t.Errorf("the desk got %v", got)
			}
		})
	}
}

// But not for ever: SessionTimeout is absolute.
func TestEndlessUploadIsCut(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		c := b.dial()
		c.hello()
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		gone := c.trickle()
		c.expect("421 4.4.2 ")
		c.expect("$")
		<-gone
		if len(b.desk.messages()) > 0 {
			t.Error("the desk got half a message")
		}
	})
}

// Silence is a temporary failure wherever it falls; go-smtp says 554 to it
// inside a message.
func TestSilenceIsTemporary(t *testing.T) {
	for name, send := range map[string]string{
		"before EHLO":       "",
		"inside EHLO":       "EHLO cli",
		"after RCPT":        "EHLO c\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\n",
		"inside DATA":       "EHLO c\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\nDATA\r\nhi\r\n",
		"after a CR":        "EHLO c\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\nDATA\r\nhi\r\n.\r",
		"inside a chunk":    "EHLO c\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\nBDAT 9 LAST\r\nhi\r\n",
		"between chunks":    "EHLO c\r\nMAIL FROM:<anna@example.org>\r\nRCPT TO:<talk@example.org>\r\nBDAT 4\r\nhi\r\n",
		"inside a response": "EHLO c\r\nAUTH PLAIN\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{Authenticator: &testDesk{}, AllowInsecureAuth: true}, false, func(b *bubble) {
				c := b.dial()
				go c.conn.Write([]byte(send))
				last := ""
				for line := c.line(); line != ""; line = c.line() {
					last = line
					if line[0] == '5' {
						t.Errorf("permanent: %s", line)
					}
				}
				if !strings.HasPrefix(last, "421 4.4.2 ") {
					t.Errorf("the last word was %q", last)
				}
				if len(b.desk.messages()) > 0 {
					t.Error("the desk got half a message")
				}
			})
		})
	}
}

// One octet of a command a minute does not hold a connection.
func TestTrickledCommandIsCut(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		c := b.dial()
		c.hello()
		start := time.Now()
		gone := c.trickle()
		c.expect("421 4.4.2 ")
		if waited := time.Since(start); waited != defaultReadTimeout { // invented time is exact
			t.Errorf("after %v", waited)
		}
		<-gone
	})
}

// go-smtp waits without limit for the handshake of a client that connected to
// a TLS port and says nothing; the deadline must be below TLS.
func TestSilentTLSClientIsCut(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "one octet": "\x16"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{TLSConfig: testTLS()}, true, func(b *bubble) {
				c := b.dial()
				c.send(first)
				c.expect("$")
			})
		})
	}
	t.Run("after STARTTLS", func(t *testing.T) {
		inBubble(t, Options{TLSConfig: testTLS()}, false, func(b *bubble) {
			c := b.dial()
			c.hello()
			c.say("STARTTLS", "220 ")
			c.expect("$")
		})
	})
	t.Run("after the handshake", func(t *testing.T) {
		inBubble(t, Options{TLSConfig: testTLS()}, true, func(b *bubble) {
			c := b.dial()
			c.startTLS()
			c.expect("220 ")
			c.expect("421 4.4.2 ")
			c.expect("$")
		})
	})
}

// A client that never reads its replies is given up; its place is free again.
func TestClientThatNeverReads(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		c := b.dial()
		time.Sleep(defaultWriteTimeout + time.Second)
		synctest.Wait()
		if n := b.server.Stats().Open; n != 0 {
			t.Errorf("%d connections open", n)
		}
		c.conn.Close()
	})
}

// Long-lived but useful connections go on: each message earns the full time.
func TestSessionTimeIsEarned(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		c := b.dial()
		c.hello()
		for range 60 {
			time.Sleep(4 * time.Minute)
			c.to("talk@example.org")
			c.say("DATA", "354 ")
			c.send("hi\r\n.\r\n")
			c.expect("250 ")
		}
		for range 14 {
			time.Sleep(4 * time.Minute)
			c.say("NOOP", "250 ")
		}
		time.Sleep(3 * time.Minute)
		c.say("NOOP", "250 ")
		c.expect("421 4.4.2 ")
	})
}

// What the desk is given to wait with: RCPT 30 seconds, a message DeskTimeout.
func TestDeskHasABound(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		b.desk.receive = func(ctx context.Context, in intake.Incoming) []intake.Outcome {
			<-ctx.Done()
			return []intake.Outcome{{Kind: fault.Temporary, Text: "It took too long"}}
		}
		c := b.dial()
		c.hello()
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.expect("451 4.3.0 It took too long")
		c.say("QUIT", "221 ")
	})
}
