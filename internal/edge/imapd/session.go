package imapd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// session is one client: who it is, and the mailbox it has selected. All runs
// in the connection's goroutine except Idle; mu is for that.
type session struct {
	front  *front
	conn   *imapserver.Conn
	ctx    context.Context
	cancel context.CancelFunc

	who      model.Actor
	in       bool // logged in
	failures int
	told     bool             // the client knows of mod-sequences
	resyncs  bool             // and enabled QRESYNC
	highest  uint64           // of the mailbox being opened or asked about
	known    map[string]int64 // lists by the names of their archives, of those asked for

	mu     sync.Mutex
	sel    *selected // nil: no mailbox is selected
	closed bool
	idle   sync.WaitGroup
}

// selected is a session's view of a mailbox.
type selected struct {
	list     model.List
	box      *box // nil: INBOX and what decides, which are always empty
	held     bool // what waits on the list: flags last as long as this
	readOnly bool
	view     // what the client has been told of
	flags    Flags
	last     model.FlagChange // the last that flags has
	shown    []string         // its names, as far as IMAP can say them
	said     []string         // and how it says them
	keywords []string         // flags the client has been told of
	who      model.Actor      // whose it is
	checked  time.Time        // when the right to read was last looked up
	vouched  atomic.Int64     // when the box last found it there; refused: when not
	lost     bool             // and is gone: the connection ends
	saved    []model.UID
	wake     chan struct{} // something happened in the box

	marked <-chan struct{} // the person's flags were changed somewhere; nil: she has none
	quiet  func()          // ends marked
	stale  bool            // and that was not looked at yet
}

// newSession is called by go-imap in the connection's goroutine, before the
// greeting. TLS that comes first is made here.
func (s *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	f, ok := c.NetConn().(*front)
	if !ok {
		return nil, nil, errors.New("imapd: a connection without its front")
	}
	if f.implicit {
		if err := f.handshake(); err != nil {
			f.fail(err)
			s.leave(f)
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	f.sess = &session{front: f, conn: c, ctx: ctx, cancel: cancel}
	return f.sess, nil, nil
}

// Close ends the session; nothing of it runs afterwards. What was said last,
// the answer to LOGOUT, still goes out.
func (s *session) Close() error {
	_ = s.front.flush()
	s.cancel()
	s.mu.Lock()
	s.closed = true
	s.unselect()
	s.mu.Unlock()
	s.idle.Wait()
	s.front.srv.parts(s.who.AccountID)
	s.front.srv.leave(s.front)
	return nil
}

func (s *session) loggedIn() bool { return s.in }

// mayMark reports whether the person's flags are kept: an anonymous reader has
// none.
func (s *session) mayMark() bool { return s.who.AccountID != 0 }

// no is a refusal with a reason.
func no(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// failed turns an error of the archive into an answer, and logs what is ours.
func (s *session) failed(what string, err error) error {
	var done *imap.Error
	if errors.As(err, &done) || errors.Is(err, errEnd) || s.ctx.Err() != nil || s.front.gone() {
		return err
	}
	code := imap.ResponseCodeUnavailable
	switch fault.KindOf(err) {
	case fault.NotFound:
		code = imap.ResponseCodeNonExistent
	case fault.Forbidden, fault.Unauthenticated:
		code = imap.ResponseCodeNoPerm
	case fault.Invalid:
		code = imap.ResponseCodeCannot
	case fault.TooMany, fault.TooLarge:
		code = imap.ResponseCodeLimit
	case fault.Temporary:
		s.front.srv.opt.Log.Warn("imap: cannot "+what+" now", "user", s.who.Email, "error", err)
	default:
		s.front.srv.opt.Log.Error("imap: cannot "+what, "user", s.who.Email, "error", err)
	}
	return no(code, fault.Text(err))
}

// mailbox gives the selected one.
func (s *session) mailbox() (*selected, error) {
	if s.sel == nil {
		return nil, &imap.Error{Type: imap.StatusResponseTypeBad, Code: imap.ResponseCodeClientBug, Text: "No mailbox is selected"}
	}
	return s.sel, s.allowed(s.sel)
}
