package smtpin

import (
	"context"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"

	"plenary/internal/fault"
)

// session is one client's dialogue as go-smtp sees it. go-smtp calls it from
// the connection's goroutine, except Data and LMTPData, which may run beside
// it during BDAT; mu guards what both touch.
type session struct {
	srv  *Server
	w    *wire
	conn *smtp.Conn

	mu      sync.Mutex
	tx      transaction
	account string
	refused int // RCPTs
	failed  int // AUTHs
}

// transaction is one MAIL and its RCPTs.
type transaction struct {
	open    bool
	spoilt  bool // a second MAIL came
	from    string
	utf8    bool
	chunked bool  // the message comes by BDAT
	size    int64 // as announced; 0 unknown
	rcpts   []recipient
	unique  []string       // their addresses, each once
	indexes map[string]int // folded address -> place in unique
}

// recipient is one RCPT.
type recipient struct {
	wire  string // as go-smtp knows it
	index int    // in transaction.unique
}

var errTwice = reply(503, smtp.EnhancedCode{5, 5, 1}, "MAIL came twice; send RSET first")

// Mail opens a transaction. go-smtp accepts a second MAIL and keeps the
// recipients of the first; RFC 5321 4.1.4 demands 503. A client that
// pipelined further RCPTs behind it must not reach the two sets of recipients
// with one message, so the transaction is spoilt until RSET.
func (s *session) Mail(_ string, opts *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx.open {
		s.tx.spoilt = true
		return errTwice
	}
	if s.srv.opt.Submission && s.account == "" {
		return reply(530, smtp.EnhancedCode{5, 7, 0}, "Authentication required")
	}
	s.tx = transaction{open: true, from: s.w.path, utf8: opts.UTF8, size: opts.Size, indexes: map[string]int{}}
	return nil
}

// Rcpt asks the desk at once: what is not wanted is refused here and never
// becomes a bounce.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	address := s.w.path
	ctx, cancel := context.WithTimeout(s.w.ctx, lookupTimeout)
	defer cancel()
	err := s.contain("Accepts", func() error { return s.srv.opt.Desk.Accepts(ctx, address) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.srv.note("RCPT", err, "peer", s.w.peer, "recipient", address)
		r := replyTo(fault.KindOf(err), fault.Text(err), 0, s.w.utf8)
		if r.Temporary() {
			return r
		}
		if s.refused++; s.refused >= maxRefused {
			s.w.leaving = true
			return reply(421, smtp.EnhancedCode{4, 7, 0}, "Too many unknown or refused recipients, closing the connection")
		}
		return r
	}
	folded := strings.ToLower(address)
	index, seen := s.tx.indexes[folded]
	if !seen {
		index = len(s.tx.unique)
		s.tx.indexes[folded] = index
		s.tx.unique = append(s.tx.unique, address)
	}
	s.tx.rcpts = append(s.tx.rcpts, recipient{wire: to, index: index})
	return nil
}

// Reset ends the transaction.
func (s *session) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = transaction{}
}

// Logout is go-smtp's word for the end of the connection.
func (s *session) Logout() error {
	s.Reset()
	return nil
}

// busy reports whether a transaction is open; a client that has not said
// EHLO has none.
func (s *session) busy() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx.open
}

func (s *session) spoilt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx.spoilt
}

// chunk notes that the message comes by BDAT.
func (s *session) chunk() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx.chunked = true
}

func (s *session) authenticated() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account != ""
}

// snapshot gives the transaction for Data.
func (s *session) snapshot() (tx transaction, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx, s.account
}
