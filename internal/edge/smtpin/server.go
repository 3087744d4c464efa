package smtpin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-smtp"
)

// Server is one door: SMTP or LMTP, on any number of listeners.
type Server struct {
	opt  Options
	log  *slog.Logger
	smtp *smtp.Server

	base   context.Context // of every call to the desk; ends after a hard stop
	cancel context.CancelFunc

	stopping atomic.Bool
	stop     sync.Once
	ended    chan struct{} // closed when the last connection ended after stop
	budget   *budget       // octets of messages in memory
	counts   counts

	mu    sync.Mutex
	wires map[*wire]struct{}
	perIP map[string]int
}

type counts struct {
	connections, turnedAway, accepted, refused, deferred atomic.Int64
}

// Stats are numbers for metrics, counted since New.
type Stats struct {
	Open        int   // connections now
	Connections int64 // let in
	TurnedAway  int64 // beyond MaxConnections or MaxPerIP
	Accepted    int64 // messages, answered 250 for at least one recipient
	Refused     int64 // messages, answered 5yz
	Deferred    int64 // messages, answered 4yz
	HeldBytes   int64 // octets of messages in memory now
}

// New makes a door. Nothing listens until Serve.
func New(opt Options) *Server {
	s := &Server{opt: opt.filled(), wires: map[*wire]struct{}{}, perIP: map[string]int{}, ended: make(chan struct{})}
	s.log = s.opt.Logger
	s.budget = newBudget(s.opt.MaxHeldBytes)
	s.base, s.cancel = context.WithCancel(context.Background())
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		w, ok := c.Conn().(*wire)
		if !ok {
			return nil, errCut
		}
		w.session = &session{srv: s, w: w, conn: c}
		return w.session, nil
	}))
	s.smtp.LMTP = s.opt.LMTP
	s.smtp.Domain = s.opt.Hostname
	s.smtp.MaxRecipients = s.opt.MaxRecipients
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.AllowInsecureAuth = true // decided in session.Auth: go-smtp does not see our TLS
	if s.smtp.MaxMessageBytes = s.opt.MaxMessageBytes + 1; s.opt.LMTP {
		// go-smtp is off by one, and over LMTP answers a message that is too
		// large with too few replies or too early: session.read counts too.
		s.smtp.MaxMessageBytes = 0
	}
	s.smtp.MaxLineLength = 0 // lines of commands are bounded by wire; inside a message only its size is
	s.smtp.ErrorLog = errorLog{s.log}
	return s
}

// Serve takes connections from l until ctx ends or Shutdown is called, then
// closes l and gives nil. Connections live on until Shutdown. l may be TCP or
// a unix socket.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, &listener{Listener: l, srv: s})
}

// ServeTLS is Serve with TLS from the first octet (port 465, RFC 8314 3.3).
func (s *Server) ServeTLS(ctx context.Context, l net.Listener) error {
	if s.opt.TLSConfig == nil {
		return errors.New("smtpin: TLS from the first octet needs Options.TLSConfig")
	}
	return s.serve(ctx, &listener{Listener: l, srv: s, tls: true})
}

func (s *Server) serve(ctx context.Context, l *listener) error {
	if s.stopping.Load() {
		return l.Close()
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	err := s.smtp.Serve(l)
	if s.stopping.Load() || ctx.Err() != nil {
		return nil
	}
	return err
}

// Shutdown stops listening, sends idle clients a 421 (RFC 5321 3.8) and waits
// for transactions in flight. When ctx ends first, connections are cut hard,
// only messages being committed get ten seconds more, then their contexts end
// too. It gives ctx's error then, and nil when all went in peace.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.stop.Do(func() {
		go func() { // ends with the last connection
			defer close(s.ended)
			s.smtp.Shutdown(context.Background())
		}()
	})
	s.each((*wire).wake)
	defer s.cancel()
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
	}
	s.each(func(w *wire) {
		if !w.receiving.Load() {
			w.abort()
		}
	})
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitGrace)
	defer cancel()
	select {
	case <-s.ended:
		return ctx.Err()
	case <-grace.Done():
	}
	s.cancel()
	s.each((*wire).abort)
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellGrace)
	defer cancel()
	select {
	case <-s.ended:
	case <-farewell.Done():
		s.log.Error("the desk did not return after its context ended", "door", s.protocol())
	}
	return ctx.Err()
}

// Stats gives the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.wires)
	s.mu.Unlock()
	return Stats{Open: open, Connections: s.counts.connections.Load(), TurnedAway: s.counts.turnedAway.Load(),
		Accepted: s.counts.accepted.Load(), Refused: s.counts.refused.Load(), Deferred: s.counts.deferred.Load(),
		HeldBytes: s.budget.total()}
}

func (s *Server) protocol() string {
	if s.opt.LMTP {
		return "LMTP"
	}
	return "SMTP"
}

// each calls do for every open connection, outside the lock.
func (s *Server) each(do func(*wire)) {
	s.mu.Lock()
	wires := make([]*wire, 0, len(s.wires))
	for w := range s.wires {
		wires = append(wires, w)
	}
	s.mu.Unlock()
	for _, w := range wires {
		do(w)
	}
}

// errorLog is go-smtp's logger: recovered panics and failed accepts.
type errorLog struct{ log *slog.Logger }

// Printf logs one message of go-smtp.
func (l errorLog) Printf(format string, v ...any) {
	l.log.Error("go-smtp: " + strings.TrimSpace(fmt.Sprintf(format, v...)))
}

// Println logs one message of go-smtp.
func (l errorLog) Println(v ...any) { l.log.Error("go-smtp: " + strings.TrimSpace(fmt.Sprintln(v...))) }
