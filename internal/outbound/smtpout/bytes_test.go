package smtpout_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// collect is a sink that keeps what it gets by recipient.
type collect struct {
	mu  sync.Mutex
	got map[string]sink.Message
	*sink.Sink
}

func collector(t *testing.T, o sink.Options) *collect {
	t.Helper()
	c := &collect{got: map[string]sink.Message{}}
	o.OnMessage = func(m sink.Message) {
		c.mu.Lock()
		defer c.mu.Unlock()
		m.Data = bytes.Clone(m.Data)
		c.got[m.Recipients[0]] = m
	}
	var err error
	if c.Sink, err = sink.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestBytesArriveAsTheyAre cuts messages full of dots into segments at any
// place and compares what arrives.
func TestBytesArriveAsTheyAre(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var ls letters
	for i := range 120 {
		lines := []string{".", "..", ".a", "a.", "", "text", "\tfold", strings.Repeat("long ", 180), "caf\xc3\xa9", "\xff\xfe raw"}
		n := 1 + random.IntN(60)
		if i%10 == 0 {
			n = 20_000 // several write blocks
		}
		var b strings.Builder
		if i%3 == 0 {
			b.WriteString(".begins with a dot\r\n")
		}
		for range n {
			b.WriteString(lines[random.IntN(len(lines))] + "\r\n")
		}
		if i%7 == 0 {
			b.WriteString("\r\n..\r\n.\r\n")
		}
		l := queue.Letter{ReversePath: "b@example.org", Recipient: fmt.Sprintf("p%d@example.net", i)}
		for rest := []byte(b.String()); len(rest) > 0; {
			cut := 1 + random.IntN(len(rest))
			if random.IntN(3) == 0 {
				cut = min(len(rest), 1+random.IntN(4))
			}
			l.Segments = append(l.Segments, rest[:cut:cut])
			rest = rest[cut:]
			if random.IntN(5) == 0 {
				l.Segments = append(l.Segments, nil)
			}
		}
		ls = append(ls, l)
	}
	for name, o := range map[string]sink.Options{"bdat": {}, "data": {NoChunking: true}, "lockstep": {NoPipelining: true}, "plain 7 bit": {NoChunking: true, NoEightBit: true}} {
		t.Run(name, func(t *testing.T) {
			k := collector(t, o)
			results, err := send(t, relay(k.Addr()), ls)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range ls {
				want := bytes.Join(l.Segments, nil)
				if got := k.got[l.Recipient]; !bytes.Equal(got.Data, want) || results[i].State != queue.OK {
					t.Errorf("letter %d of %d octets arrived as %d octets, %s", i, len(want), len(got.Data), results[i].State)
				}
			}
		})
	}
}

// TestNoFinalLineEnd: DATA has to add one, BDAT does not.
func TestNoFinalLineEnd(t *testing.T) {
	ls := letters{letter("p0@example.net", "Subject: x\r\n\r\ntext")}
	k := collector(t, sink.Options{NoChunking: true})
	if _, err := send(t, relay(k.Addr()), ls); err != nil || string(k.got["p0@example.net"].Data) != "Subject: x\r\n\r\ntext\r\n" {
		t.Errorf("%q, %v", k.got["p0@example.net"].Data, err)
	}
	k = collector(t, sink.Options{})
	if _, err := send(t, relay(k.Addr()), ls); err != nil || string(k.got["p0@example.net"].Data) != "Subject: x\r\n\r\ntext" {
		t.Errorf("%q, %v", k.got["p0@example.net"].Data, err)
	}
}

func TestParameters(t *testing.T) {
	k := collector(t, sink.Options{Size: 10_000})
	eight := letter("p1@example.net", "Subject: x\r\n\r\ncaf\xc3\xa9\r\n")
	world := letter("jos\u00e9@example.net", "Subject: x\r\n\r\nx\r\n")
	results, err := send(t, relay(k.Addr()), letters{letter("p0@example.net", "Subject: x\r\n\r\nx\r\n"), eight, world,
		letter("p3@example.net", strings.Repeat("0123456789abc\r\n", 700))})
	if err != nil || brief(results) != "ok 250, ok 250, ok 250, permanent 552" {
		t.Fatalf("%s, %v", brief(results), err)
	}
	for who, want := range map[string]string{"p0@example.net": "SIZE=17", "p1@example.net": "SIZE=21 BODY=8BITMIME", "jos\u00e9@example.net": "SIZE=17 SMTPUTF8"} {
		if got := k.got[who].MailParams; got != want {
			t.Errorf("%s: MAIL had %q, want %q", who, got, want)
		}
	}
	k = collector(t, sink.Options{NoUTF8: true, NoEightBit: true})
	results, err = send(t, relay(k.Addr()), letters{eight, world})
	if err != nil || brief(results) != "ok 250, permanent 553" || !strings.HasPrefix(results[1].Reply, "5.6.7") {
		t.Errorf("%s, %v", brief(results), err)
	}
	if got := k.got["p1@example.net"].MailParams; got != "SIZE=21" {
		t.Errorf("MAIL had %q", got)
	}
}

// TestWhatIsNeverSent: addresses that would end the command, line ends that
// would end the message for some servers.
func TestWhatIsNeverSent(t *testing.T) {
	k := collector(t, sink.Options{NoChunking: true})
	fine := "Subject: x\r\n\r\nx\r\n"
	bad := letters{
		letter("a@example.net>\r\nRCPT TO:<b@example.net", fine), letter("a@example.net> NOTIFY=NEVER", fine), letter("", fine),
		letter("a b@example.net", fine), letter("\"unclosed@example.net", fine), letter("\x00@example.net", fine),
		letter("a@example.net", "Subject: x\n\r\nx\r\n"), letter("a@example.net", "Subject: x\r\n\r\nx\n.\r\nMAIL FROM:<>\r\n"),
		letter("a@example.net", "x\r\n\rx\r\n"), letter("a@example.net", "x\r", "x\r\n"), letter("a@example.net", "x", "\nx\r\n"), letter("a@example.net", "x\r\nx\r"),
		letter("\"odd > one\"@example.net", "x\r", "\nx\r\n"),
	}
	bad = append(bad, queue.Letter{ReversePath: "x> SIZE=1", Recipient: "a@example.net", Segments: [][]byte{[]byte(fine)}})
	results, err := send(t, relay(k.Addr()), bad)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := queue.Permanent
		if i == 12 { // a quoted local part, and a line end across segments
			want = queue.OK
		}
		if r.State != want {
			t.Errorf("letter %d: %s %s", i, r.State, r.Reply)
		}
	}
	if k.Messages() != 1 || string(k.got["odd"].Data) != "" {
		t.Errorf("%d messages arrived: %v", k.Messages(), k.got)
	}
	if _, ok := k.got["\"odd > one\"@example.net"]; !ok {
		t.Errorf("the quoted local part did not arrive: %v", k.got)
	}
}

// TestIdle: a quiet connection is ended politely, and one the peer has ended
// meanwhile costs no letter anything.
func TestIdle(t *testing.T) {
	run := func(d dialogue, wait time.Duration) (queue.Result, error) {
		r := relay(peer(t, d))
		if wait == 0 {
			r.Timeouts.Idle = 300 * time.Millisecond
		}
		c, err := r.Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		units, outcomes := make(chan *queue.Unit, 1), make(chan queue.Outcome, 2)
		done := make(chan error, 1)
		go func() { done <- c.Run(context.Background(), units, outcomes) }()
		if wait > 0 {
			time.Sleep(wait)
			units <- queue.NewUnit(plainLetters(1), queue.Recipient{})
			err := <-done
			select {
			case o := <-outcomes:
				return o.Result, err
			default:
				t.Fatalf("it ended without an outcome: %v", err)
			}
		}
		return queue.Result{}, <-done
	}
	const long = 500 * time.Millisecond // far beyond the rest after which a connection is looked at
	if _, err := run(hello("PIPELINING").and("c< QUIT"), 0); err != nil {
		t.Errorf("a quiet connection ended with %v", err)
	}
	for _, d := range []dialogue{hello("PIPELINING").and("x"), hello("PIPELINING").and("s> 421 4.4.2 you are quiet", "x"), hello("PIPELINING", "CHUNKING").and("x")} {
		if r, err := run(d, long); r.State != queue.Unsent || err != nil {
			t.Errorf("a letter to a connection the peer had ended: %+v, %v", r, err)
		}
	}
	window := hello("PIPELINING", "CHUNKING").and("c< RSET")
	if r, err := run(window.and("x"), long); r.State != queue.Unsent || err == nil {
		t.Errorf("a window on the way while the peer closed: %+v, %v", r, err)
	}
	if r, err := run(window.and("s> 250 reset", "x"), long); r.State != queue.Temporary || !r.Lost || err == nil {
		t.Errorf("a window the peer had begun to answer: %+v, %v", r, err)
	}
}

// TestAbort: the end of the context ends everything at once.
func TestAbort(t *testing.T) {
	r := relay(peer(t, hello("PIPELINING").and("c< MAIL", "c< RCPT", "c< DATA", "hold")))
	c, err := r.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	units, outcomes := make(chan *queue.Unit, 1), make(chan queue.Outcome, 3)
	units <- queue.NewUnit(plainLetters(3), queue.Recipient{}, queue.Recipient{ID: 1}, queue.Recipient{ID: 2})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := c.Run(ctx, units, outcomes); err == nil || len(outcomes) != 3 {
		t.Errorf("%v, %d outcomes", err, len(outcomes))
	}
}

func TestCatcherAnswers(t *testing.T) {
	var kept []string
	c := &smtpout.Catcher{Keep: func(_ context.Context, from, to string, data []byte) error {
		kept = append(kept, from+" "+to+" "+string(data))
		if len(kept) == 2 {
			return context.DeadlineExceeded
		}
		return nil
	}}
	units, outcomes := make(chan *queue.Unit, 1), make(chan queue.Outcome, 2)
	units <- queue.NewUnit(plainLetters(2), queue.Recipient{}, queue.Recipient{ID: 1})
	close(units)
	if err := c.Run(context.Background(), units, outcomes); err != nil {
		t.Fatal(err)
	}
	if a, b := <-outcomes, <-outcomes; a.State != queue.OK || b.State != queue.Temporary || len(kept) != 2 {
		t.Errorf("%+v %+v %q", a, b, kept)
	}
}
