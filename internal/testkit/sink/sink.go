// Package sink is an SMTP server that counts: every letter by recipient and
// Message-ID, exactly, at the speed of a benchmark. It can fail on purpose, by
// rates that a seed makes repeatable: which attempt for which recipient fails
// does not depend on the order connections come in.
//
// It is a test rig: it does not check what it is sent beyond what it needs to
// stay in step, and it keeps everything in memory.
package sink

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options is how a sink behaves. The zero value takes everything at once and
// offers PIPELINING, CHUNKING, 8BITMIME, SMTPUTF8 and SIZE.
type Options struct {
	Addr string // to listen on; "127.0.0.1:0" when empty

	Seed       uint64
	Temporary  float64 // share of attempts answered 4yz, at RCPT or at the end
	Permanent  float64 // share of recipients always answered 550, at RCPT or at the end
	DropBefore float64 // share of attempts at whose message the connection ends before it is taken
	DropAfter  float64 // share of attempts whose message is taken and never answered

	Latency time.Duration // before each burst of replies, as a round trip would take
	Slow    time.Duration // before the reply to each message

	NoPipelining, NoChunking, NoEightBit, NoUTF8 bool

	LowerCase     bool        // spell the extensions in lower case
	Size          int64       // announced with SIZE
	StopAfter     int64       // messages of a connection after which it reads no more; 0: never
	CloseAfter    int64       // messages of a connection after which it says 421; 0: never
	TLS           *tls.Config `json:"-"`
	ImplicitTLS   bool
	Username      string // AUTH is offered and needed
	Password      string
	NoAuthPlain   bool                      // offer LOGIN only
	Greeting      string                    // "220 sink ESMTP" when empty
	RefuseMail    string                    // the reply to every MAIL, when set
	RefuseData    string                    // the reply to every message, when set
	KeepOpen      bool                      // a refused recipient leaves the transaction open (as Postfix does)
	RcptMost      int64                     // recipients of a connection after which RCPT is answered RcptReply; 0: never
	RcptReply     string                    // "452 4.5.3 too many recipients" when empty
	Mute          bool                      // never says a word, not even a greeting
	OnMessage     func(Message)             `json:"-"`
	OnTaken       func(recipients []string) `json:"-"` // the same for who needs no bytes: called before the answer, from many goroutines
	ForgetLetters bool                      // do not record letters, only count
}

// Message is one accepted message.
type Message struct {
	ReversePath string
	MailParams  string // what followed the address in MAIL
	Recipients  []string
	Data        []byte // without dot-stuffing; valid during the call only
}

// Letter names one copy.
type Letter struct {
	Recipient string
	MessageID string // without angle brackets; empty when there was none
}

// Snapshot is what a sink has seen so far.
type Snapshot struct {
	Connections int64
	Messages    int64 // taken, answered or not
	Silent      int64 // of these, taken and not answered
	Refused     int64 // attempts answered 4yz or 5yz
	Dropped     int64 // connections ended on purpose
	Commands    int64
	Bytes       int64
	First, Last time.Time      // of taken messages
	Letters     map[Letter]int `json:"-"` // how often each copy was taken
}

// Recipients adds the letters up by recipient.
func (s *Snapshot) Recipients() map[string]int {
	out := make(map[string]int, len(s.Letters))
	for l, n := range s.Letters {
		out[l.Recipient] += n
	}
	return out
}

const shards = 64

// shard is a part of the record, by recipient.
type shard struct {
	mu      sync.Mutex
	letters map[Letter]int
	tries   map[string]uint32 // attempts, when faults are asked for
}

// Sink is a running server.
type Sink struct {
	Options
	blind  bool // nobody asks who gets what: the octets are counted and not looked at
	l      net.Listener
	shards [shards]shard
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	stop   chan struct{}

	connections, messages, silent, refused, dropped, commands, bytes atomic.Int64
	first, last                                                      atomic.Int64
}

// Start listens and serves until Close.
func Start(o Options) (*Sink, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Sink{Options: o, l: l, conns: map[net.Conn]struct{}{}, stop: make(chan struct{})}
	s.blind = o.ForgetLetters && o.OnMessage == nil && o.OnTaken == nil && o.Temporary+o.Permanent+o.DropBefore+o.DropAfter == 0
	for i := range s.shards {
		s.shards[i].letters = map[Letter]int{}
		s.shards[i].tries = map[string]uint32{}
	}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is host:port.
func (s *Sink) Addr() string { return s.l.Addr().String() }

// Close ends all connections.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	err := s.l.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// DropConnections ends the connections that are open now.
func (s *Sink) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *Sink) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.connections.Add(1)
		s.wg.Go(func() {
			newSession(s, c).serve()
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// Snapshot copies the record; it may be called while messages come in.
func (s *Sink) Snapshot() Snapshot {
	snap := Snapshot{
		Connections: s.connections.Load(), Messages: s.messages.Load(), Silent: s.silent.Load(), Refused: s.refused.Load(),
		Dropped: s.dropped.Load(), Commands: s.commands.Load(), Bytes: s.bytes.Load(), Letters: map[Letter]int{},
	}
	if n := s.first.Load(); n != 0 {
		snap.First, snap.Last = time.Unix(0, n), time.Unix(0, s.last.Load())
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for l, n := range sh.letters {
			snap.Letters[l] = n
		}
		sh.mu.Unlock()
	}
	return snap
}

// Open is the number of connections that are open now.
func (s *Sink) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Messages is the number of messages taken so far.
func (s *Sink) Messages() int64 { return s.messages.Load() }

// Reset forgets what was recorded; counts and connections stay.
func (s *Sink) Reset() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		clear(sh.letters)
		clear(sh.tries)
		sh.mu.Unlock()
	}
	s.first.Store(0)
}

func (s *Sink) shard(recipient string) *shard {
	return &s.shards[hash(0, recipient, 0)%shards]
}

// take records an accepted message.
func (s *Sink) take(rcpts []string, messageID string) {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	s.last.Store(now)
	s.messages.Add(1)
	if s.OnTaken != nil {
		s.OnTaken(rcpts)
	}
	if s.ForgetLetters {
		return
	}
	for _, r := range rcpts {
		sh := s.shard(r)
		sh.mu.Lock()
		sh.letters[Letter{r, messageID}]++
		sh.mu.Unlock()
	}
}
