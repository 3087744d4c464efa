package smtpin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/emersion/go-smtp"

	"plenary/internal/fault"
	"plenary/internal/list/intake"
)

var errBuffers = errors.New("too many octets of messages in memory")

// Data takes a message over SMTP: one reply for all recipients.
func (s *session) Data(r io.Reader) error {
	tx, account := s.snapshot()
	outcomes, err := s.take(r, tx, account)
	if err != nil {
		return s.count(err)
	}
	return s.count(verdict(outcomes, tx.utf8))
}

// LMTPData takes a message over LMTP: one reply per RCPT, in their order
// (RFC 2033 4.2); an address named twice gets its reply twice.
func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	tx, account := s.snapshot()
	outcomes, err := s.take(r, tx, account)
	if err != nil {
		return s.count(err)
	}
	s.count(verdict(outcomes, tx.utf8))
	for _, rcpt := range tx.rcpts {
		status.SetStatus(rcpt.wire, outcomeReply(outcomes[rcpt.index], len(rcpt.wire)+len("<> "), tx.utf8))
	}
	return nil
}

// verdict is the one SMTP reply for all recipients. A temporary failure for
// any of them makes it temporary: with a 250 that recipient's copy would be
// lost, while those who have the message already know it again by its
// Message-ID. Otherwise one acceptance is enough, and with none the first
// refusal speaks.
func verdict(outcomes []intake.Outcome, utf8 bool) error {
	var refusal error
	for _, o := range outcomes {
		err := outcomeReply(o, 0, utf8)
		var r *smtp.SMTPError
		if errors.As(err, &r) && r.Temporary() {
			return err
		}
		if refusal == nil {
			refusal = err
		}
	}
	if accepted(outcomes) > 0 {
		return nil
	}
	return refusal
}

func accepted(outcomes []intake.Outcome) (n int) {
	for _, o := range outcomes {
		if o.Accepted {
			n++
		}
	}
	return n
}

func outcomeReply(o intake.Outcome, beside int, utf8 bool) error {
	if o.Accepted {
		return nil
	}
	return replyTo(o.Kind, o.Text, beside, utf8)
}

// take reads the message and gives it to the desk. Errors are replies.
func (s *session) take(r io.Reader, tx transaction, account string) ([]intake.Outcome, error) {
	hold := &holder{budget: s.srv.budget, peer: countKey(s.w.peer)}
	defer hold.release()
	s.w.hold.Store(hold)
	raw, err := s.read(r, tx, hold)
	switch {
	case err != nil:
		return nil, err
	case tx.spoilt:
		return nil, errTwice
	}
	if s.w.vet.broken() {
		return nil, replyTo(fault.Invalid, "The message holds a carriage return or line feed that stands alone,"+
			" which mail does not allow; your mail program or gateway must send CRLF line ends (RFC 5321 2.3.8)", 0, false)
	}
	outcomes, err := s.receive(intake.Incoming{
		ReversePath: tx.from, Recipients: tx.unique, Raw: raw, PerRecipient: s.srv.opt.LMTP,
		Peer: intake.Peer{Addr: s.w.peer, Helo: s.conn.Hostname(), TLS: s.w.tls, Account: account,
			Protocol: s.protocol(tx.utf8, account != "")},
	})
	if err != nil {
		s.srv.note("receive", err, "peer", s.w.peer, "from", tx.from)
		return nil, replyTo(fault.KindOf(err), fault.Text(err), 0, tx.utf8)
	}
	s.w.finished()
	s.srv.log.Info("message received", "peer", s.w.peer, "protocol", s.protocol(tx.utf8, account != ""), "account", account,
		"from", tx.from, "recipients", len(outcomes), "accepted", accepted(outcomes), "octets", len(raw))
	return outcomes, nil
}

// receive calls the desk. Its context outlives the client and ends only with
// the time it may take or a hard stop.
func (s *session) receive(in intake.Incoming) (outcomes []intake.Outcome, err error) {
	ctx, cancel := context.WithTimeout(s.srv.base, s.srv.opt.DeskTimeout)
	defer cancel()
	s.w.receiving.Store(true)
	defer s.w.receiving.Store(false)
	err = s.contain("Receive", func() error {
		outcomes = s.srv.opt.Desk.Receive(ctx, in)
		if len(outcomes) != len(in.Recipients) {
			return fmt.Errorf("the desk gave %d outcomes for %d recipients", len(outcomes), len(in.Recipients))
		}
		return nil
	})
	return outcomes, err
}

// contain turns a panic behind the door into an Internal error: the peer is
// asked to come again, and only this message is concerned.
func (s *session) contain(what string, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.srv.log.Error("panic behind the SMTP door", "in", what, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in %s: %v", what, r)
		}
	}()
	return do()
}

// read gives the whole message. Whatever is wrong with it, it is read to its
// end, so that the reply comes when the client listens. (Over SMTP go-smtp
// itself refuses the chunk that goes beyond the limit; over LMTP the client
// waits for one reply per recipient after the last.)
func (s *session) read(r io.Reader, tx transaction, hold *holder) ([]byte, error) {
	limit := s.srv.opt.MaxMessageBytes
	raw, err := hold.gather(r, min(tx.size, limit), limit)
	switch {
	case err == nil:
	case errors.Is(err, errBuffers) || errors.Is(err, smtp.ErrDataTooLarge):
		s.srv.tellShortage(s.w, err)
		refusal := replyTo(fault.StorageFull, "Too many messages at once, please try again later", 0, false)
		if errors.Is(err, smtp.ErrDataTooLarge) {
			refusal = replyTo(fault.TooLarge, fmt.Sprintf("The message is larger than the %d octets allowed here", limit), 0, false)
		}
		hold.release()
		if _, err = io.Copy(io.Discard, r); err == nil || errors.Is(err, smtp.ErrDataTooLarge) {
			return nil, refusal // in the second case go-smtp reads the rest
		}
		fallthrough
	default: // the client went away or fell silent: never permanent
		return nil, reply(451, smtp.EnhancedCode{4, 4, 2}, "The connection broke before the message was complete")
	}
	if n := len(raw); tx.chunked && n > 0 && raw[n-1] != '\n' && !s.w.vet.broken() {
		// A chunk may end without CRLF; everything behind the door counts on
		// whole lines, and a final CRLF is what DKIM assumes (RFC 6376 3.4.3).
		raw = append(raw, "\r\n"...)
	}
	return raw, nil
}

// tellShortage logs, not for each message, that one was put off for want of memory.
func (s *Server) tellShortage(w *wire, err error) {
	if !errors.Is(err, errBuffers) {
		return
	}
	if most, octets, tell := s.budget.most(s.opt.Now()); tell {
		s.log.Warn("too many messages at once, one was put off", "door", s.protocol(), "peer", w.peer,
			"held", s.budget.total(), "limit", s.opt.MaxHeldBytes, "most_by", most, "its_octets", octets)
	}
}

// gather reads r to its end into one buffer of at most limit octets. It grows with
// what comes; the announced size only says where it may end.
func (h *holder) gather(r io.Reader, announced, limit int64) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			have := int64(cap(buf))
			size := max(2*have, firstBuffer)
			if have >= doubleUpTo {
				size = have + have/4
			}
			if have < announced+2 {
				size = min(size, max(announced+2, firstBuffer))
			}
			size = min(size, max(limit+1, firstBuffer)) // one more, to see that it is too large
			if !h.take(size - have) {
				return nil, errBuffers
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, smtp.ErrDataTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// protocol is the "with" word of the Received field (RFC 3848, RFC 6531 4.3).
func (s *session) protocol(utf8, auth bool) string {
	word := "ESMTP"
	switch {
	case s.srv.opt.LMTP && utf8:
		word = "UTF8LMTP"
	case s.srv.opt.LMTP:
		word = "LMTP"
	case utf8:
		word = "UTF8SMTP"
	case s.w.state == greetedHelo && !s.w.tls && !auth:
		return "SMTP"
	}
	if s.w.tls {
		word += "S"
	}
	if auth {
		word += "A"
	}
	return word
}

// count keeps the statistics of finished messages.
func (s *session) count(err error) error {
	var r *smtp.SMTPError
	switch {
	case err == nil:
		s.srv.counts.accepted.Add(1)
	case errors.As(err, &r) && !r.Temporary():
		s.srv.counts.refused.Add(1)
	default:
		s.srv.counts.deferred.Add(1)
	}
	return err
}

// note logs what the peer does not get to read.
func (s *Server) note(what string, err error, attrs ...any) {
	attrs = append(attrs, "error", err.Error(), "kind", fault.KindOf(err).String())
	switch fault.KindOf(err) {
	case fault.Internal:
		s.log.Error(what+" failed", attrs...)
	case fault.Temporary, fault.StorageFull:
		s.log.Warn(what+" failed", attrs...)
	default:
		s.log.Debug(what+" refused", attrs...)
	}
}
