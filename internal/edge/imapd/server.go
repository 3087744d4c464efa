// Package imapd is the IMAP door: each list's archive is a mailbox for those
// who may read it, with their own flags (RFC 9051, RFC 3501).
//
// A connection is three things in a row. The front (front.go) is the net.Conn
// that go-imap is given: it owns TLS, hands go-imap one complete command per
// Read as one line (literals become quoted strings, so nothing of a refused
// command can be taken for the next), answers some commands itself, gathers
// responses into large writes and sets a deadline for each. Go-imap parses the
// other commands and keeps the state of the protocol. The session (session.go)
// answers them and writes FETCH responses as ready bytes past go-imap: one
// goroutine serves a connection, and go-imap's own buffer is empty after each
// response, so the order holds.
//
// Sessions on the same list share a box (box.go): one goroutine per open list
// waits for news and wakes them. A session shows a message only after it has
// announced it; it looks whether its person may still read the list whenever it
// wakes, and ends with BYE when she may not.
//
// SEARCH is parsed here: imap.SearchCriteria.And forgets SMALLER when a later
// key is a date, and its parser recurses without limit. Flags, numbers, dates
// and sizes are answered from memory; words and header fields by the archive.
//
// SORT and THREAD take what SEARCH finds; the archive puts it in order.
//
// Mod-sequences (modseq.go) come from a log of each person's changes of flags;
// nothing is written for readers when a post comes. Go-imap does not know them:
// the front takes what is about them out of a command before and puts it into the
// responses after (condstore.go).
//
// What QRESYNC adds to the answer to SELECT goes between go-imap's last line
// before the outcome and the outcome, where the front stands anyway (qresync.go).
//
// Mail programs read all headers of a folder when they open it first; with 100,000
// that took Thunderbird 110 s and 650 MB. So a large list has a folder for each
// year beside the whole (years.go), a view of the same index: UIDs, UIDVALIDITY,
// flags and mod-sequences are the same, and nothing is kept twice. They are not
// subscribed, lest programs that copy or search all subscribed folders do so
// twice. Folders for threads or saved searches are not made: every program the
// handbook names threads by itself or asks THREAD, and searches the server.
//
// For moderators there are mailboxes of what waits on their lists, and such that
// decide what is moved there (moderate.go). What waits is an archive in memory
// (pending.go), read by the same code as the real one.
//
// Everything else that would change the archive is refused with a sentence that
// says what to do instead.
package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/metrics"
	"plenary/internal/model"
)

// Authenticator checks a name and an app password. A wrong pair is a fault
// Unauthenticated; Temporary and Internal faults are not held against the
// client.
type Authenticator interface {
	Authenticate(ctx context.Context, user, password string) (model.Actor, error)
}

// Options are the settings of the door, for any number of listeners.
type Options struct {
	Archive Archive       // required
	Auth    Authenticator // required
	Changes Changes       // nil: no mod-sequences
	Access  Access        // nil: a connection lasts, whatever becomes of its app password

	Moderation Moderation // nil: nobody moderates here
	Hostname   string     // our name in the greeting

	TLSConfig         *tls.Config // for STARTTLS and ServeTLS; nil: no TLS
	AllowInsecureAuth bool        // passwords without TLS from elsewhere than this machine

	MaxConnections int // at the same time; 0: 4000
	MaxPerIP       int // at the same time from one IPv4 address or IPv6 /64; 0: 40; loopback and unix sockets are not counted

	YearsFrom int // posts from which a list has a folder for each year; 0: 50,000

	Metrics *metrics.Metrics // connections and logins; nil: not counted
	Log     *slog.Logger     // nil: slog.Default
	Now     func() time.Time // nil: time.Now
}

func (o Options) filled() Options {
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = defaultConnections
	}
	if o.YearsFrom <= 0 {
		o.YearsFrom = defaultYearsFrom
	}
	if o.MaxPerIP <= 0 {
		o.MaxPerIP = defaultPerIP
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Server serves IMAP on any number of listeners.
type Server struct {
	opt   Options
	times times
	imap  *imapserver.Server
	ctx   context.Context // ends with the hard stop
	stop  context.CancelFunc

	buffers sync.Pool // of *[]byte, for responses
	fails   throttle
	sizes   sizes
	names   mailboxNames
	years   yearsOf

	flagSets flagSets
	served   sync.WaitGroup // connections
	boxed    sync.WaitGroup // goroutines of boxes, and that which watches access

	watching    sync.Once    // for revoked app passwords
	revocations atomic.Int64 // looks for them so far

	mu        sync.Mutex
	closing   bool
	fronts    map[*front]struct{}
	perIP     map[netip.Prefix]int
	perPerson map[int64]int
	holders   map[*front]int64 // the app password each was opened with
	boxes     map[boxKey]*box
	doors     map[net.Listener]struct{}
}

// New makes a server; nothing runs until Serve.
func New(o Options) *Server {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		opt: o.filled(), times: usualTimes(), ctx: ctx, stop: stop,
		fronts: map[*front]struct{}{}, perIP: map[netip.Prefix]int{}, perPerson: map[int64]int{}, holders: map[*front]int64{}, boxes: map[boxKey]*box{}, doors: map[net.Listener]struct{}{},
	}
	s.buffers.New = func() any { b := make([]byte, 0, flushAt+8<<10); return &b }
	s.imap = imapserver.New(&imapserver.Options{
		NewSession: s.newSession,
		Caps: imap.CapSet{ // only switches go-imap's behaviour: the front tells clients
			imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {},
		},
		Logger:       libraryLog{s.opt.Log},
		InsecureAuth: true, // the front decides
	})
	return s
}

// Serve accepts connections that begin in the clear and may turn to TLS with
// STARTTLS, until ctx ends or Shutdown is called; then it returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, &door{Listener: l, srv: s})
}

// ServeTLS is Serve for connections that begin with TLS (port 993). It needs
// Options.TLSConfig.
func (s *Server) ServeTLS(ctx context.Context, l net.Listener) error {
	if s.opt.TLSConfig == nil {
		return errors.New("imapd: ServeTLS without a TLS configuration")
	}
	return s.serve(ctx, &door{Listener: l, srv: s, implicit: true})
}

func (s *Server) serve(ctx context.Context, d *door) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = d.Close()
		return nil
	}
	s.doors[d] = struct{}{}
	if s.opt.Access != nil {
		s.watching.Do(s.watchAccess)
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = d.Close() })
	defer stop()
	defer func() {
		s.mu.Lock()
		delete(s.doors, d)
		s.mu.Unlock()
	}()
	return s.imap.Serve(d)
}

// Shutdown stops accepting, lets each connection finish its command, says BYE
// and waits for all of them. When ctx ends first the rest is cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for d := range s.doors {
		_ = d.Close()
	}
	for f := range s.fronts {
		f.end(errClosing)
	}
	s.mu.Unlock()
	cut := context.AfterFunc(ctx, s.cut)
	s.served.Wait()
	cut()
	s.stop()
	s.boxed.Wait()
	return ctx.Err()
}

// cut ends every connection at once.
func (s *Server) cut() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.fronts {
		_ = f.raw.Close()
	}
}
