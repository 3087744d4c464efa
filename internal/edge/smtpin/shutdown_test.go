package smtpin

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/intake"
)

// Shutdown: idle clients are told 421, transactions in flight finish.
func TestShutdownFinishesTransactions(t *testing.T) {
	for _, implicitTLS := range []bool{false, true} {
		inBubble(t, Options{TLSConfig: testTLS()}, implicitTLS, func(b *bubble) {
			enter := func(c *client) *client {
				if implicitTLS {
					c.startTLS()
				}
				return c
			}
			idle, mail, data := enter(b.dial()), enter(b.dial()), enter(b.dial())
			for _, c := range []*client{idle, mail, data} {
				c.hello()
			}
			mail.to("talk@example.org")
			data.to("talk@example.org")
			data.say("DATA", "354 ")
			data.send("first ")
			stopped := make(chan error, 1)
			go func() { stopped <- b.server.Shutdown(context.Background()) }()
			idle.expect("421 4.3.2 ")
			idle.expect("$")
			time.Sleep(time.Minute)
			mail.say("RCPT TO:<news@example.org>", "250 ")
			mail.say("DATA", "354 ")
			mail.send("hi\r\n.\r\n")
			mail.expect("250 ")
			mail.expect("421 4.3.2 ")
			data.send("second\r\n.\r\n")
			data.expect("250 ")
			data.expect("421 4.3.2 ")
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			if n := len(b.desk.messages()); n != 2 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// A hard stop cuts who is talking, but lets the desk finish what it commits.
func TestHardStopSparesTheCommit(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		b.desk.receive = func(ctx context.Context, in intake.Incoming) []intake.Outcome {
			time.Sleep(8 * time.Second)
			if ctx.Err() != nil {
				t.Error("the context ended in the middle of the commit")
			}
			return []intake.Outcome{{Accepted: true}}
		}
		talking, committing := b.dial(), b.dial()
		for _, c := range []*client{talking, committing} {
			c.hello()
			c.to("talk@example.org")
			c.say("DATA", "354 ")
		}
		committing.send("hi\r\n.\r\n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- b.server.Shutdown(ctx) }()
		talking.expect("$")
		committing.expect("250 ")
		committing.expect("421 4.3.2 ")
		if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A desk that hangs is told by its context, after the grace.
func TestHardStopEndsAHangingDesk(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		b.desk.receive = func(ctx context.Context, in intake.Incoming) []intake.Outcome {
			<-ctx.Done()
			return []intake.Outcome{{Kind: fault.Temporary, Text: "Stopping"}}
		}
		c := b.dial()
		c.hello()
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if err := b.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if waited := time.Since(start); waited != time.Second+commitGrace { // invented time is exact
			t.Errorf("after %v", waited)
		}
		c.expect("$")
	})
}

// The client going away in the middle of a commit does not disturb it.
func TestClientGoneDuringCommit(t *testing.T) {
	inBubble(t, Options{}, false, func(b *bubble) {
		done := make(chan error, 1)
		b.desk.receive = func(ctx context.Context, in intake.Incoming) []intake.Outcome {
			time.Sleep(time.Minute)
			done <- ctx.Err()
			return []intake.Outcome{{Accepted: true}}
		}
		c := b.dial()
		c.hello()
		c.to("talk@example.org")
		c.say("DATA", "354 ")
		c.send("hi\r\n.\r\n")
		c.conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Serve ends with its context and leaves the connections to Shutdown.
func TestServeEndsWithItsContext(t *testing.T) {
	server, _, _ := build(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.hello()
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	c.say("NOOP", "250 ")
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(context.Background()) }()
	c.expect("421 4.3.2 ")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error("twice:", err)
	}
	again, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(t.Context(), again); err != nil {
		t.Error(err)
	}
}
