package smtpin

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// leave says why, as far as the peer should know, and ends the connection's
// use; it always gives io.EOF, which go-smtp takes quietly.
func (w *wire) leave(why error) error {
	w.mu.Lock()
	if w.gone == nil {
		w.out = append(w.out, w.reply...)
		w.reply = nil
		switch {
		case errors.Is(why, errStopping):
			w.out = append(w.out, "421 4.3.2 "+w.srv.opt.Hostname+" is stopping, please try again later\r\n"...)
		case errors.Is(why, os.ErrDeadlineExceeded):
			w.out = append(w.out, "421 4.4.2 "+w.srv.opt.Hostname+" timed out waiting for you\r\n"...)
		case errors.Is(why, errSlow):
			w.out = append(w.out, "421 4.3.1 "+w.srv.opt.Hostname+" has too many messages at once and yours comes too slowly, please try again later\r\n"...)
		case errors.Is(why, errCut):
			w.out = append(w.out, "421 4.3.0 "+w.srv.opt.Hostname+" had a problem, please try again later\r\n"...)
		}
	}
	w.mu.Unlock()
	w.flush()
	w.mu.Lock()
	if w.gone == nil {
		w.gone = why
	}
	w.mu.Unlock()
	return io.EOF
}

// Write gathers what go-smtp answers; it goes out when the next input is
// waited for, so replies to pipelined commands share a packet (RFC 2920 3.2).
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil {
		return 0, net.ErrClosed
	}
	if len(w.reply)+len(p) > maxReplies {
		return 0, io.ErrShortWrite
	}
	w.reply = append(w.reply, p...)
	return len(p), nil
}

// flush sends what is ready. A client that does not read is given up after
// WriteTimeout.
func (w *wire) flush() error {
	w.mu.Lock()
	out, gone := w.out, w.gone
	w.out = nil
	w.mu.Unlock()
	if gone != nil {
		return gone
	}
	if len(out) == 0 {
		return nil
	}
	w.raw.SetWriteDeadline(w.srv.opt.Now().Add(w.srv.opt.WriteTimeout))
	if _, err := w.conn.Write(out); err != nil {
		w.mu.Lock()
		w.gone = err
		w.mu.Unlock()
		return err
	}
	return nil
}

// source is the socket as wire's buffer sees it: before waiting for input it
// sends what is ready and sets the deadline.
type source struct{ w *wire }

func (s source) Read(p []byte) (int, error) {
	w := s.w
	if err := w.handshake(); err != nil {
		return 0, err
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	began := w.srv.opt.Now()
	for {
		deadline, err := w.arm(began)
		if err != nil {
			return 0, err
		}
		n, err := w.conn.Read(p)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && w.srv.opt.Now().Before(deadline) {
			continue // Shutdown woke us up, or a minute is over; arm says what to do
		}
		w.pace.octets += int64(n)
		if n > 0 {
			err = nil // what comes after it will come again
		}
		return n, err
	}
}

// arm sets the deadline of one read: fixed while a command is waited for, so
// that nobody can hold a connection by one octet at a time; rolling inside a
// message, so that a slow but steady upload passes; never beyond the absolute
// end. Each minute it looks whether a message may go on so slowly: a read that
// began long ago wakes for that.
func (w *wire) arm(began time.Time) (deadline time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil {
		return time.Time{}, w.gone
	}
	if w.srv.stopping.Load() && !w.waitUntil.IsZero() && !w.session.busy() {
		return time.Time{}, errStopping
	}
	if hold := w.hold.Load(); w.pace.next(w.srv.opt.Now()) && hold != nil && hold.burdens() {
		return time.Time{}, errSlow
	}
	if deadline = w.waitUntil; deadline.IsZero() {
		deadline = began.Add(w.srv.opt.ReadTimeout)
	}
	if w.capAt.Before(deadline) {
		deadline = w.capAt
	}
	wake := w.pace.since.Add(paceOver)
	if deadline.Before(wake) {
		wake = deadline
	}
	return deadline, w.raw.SetReadDeadline(wake)
}

// wake makes a waiting read look whether the server is stopping.
func (w *wire) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.raw.SetReadDeadline(time.Unix(1, 0))
}

// finished notes that a message was taken: the connection has earned more time.
func (w *wire) finished() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.capAt = w.srv.opt.Now().Add(w.srv.opt.SessionTimeout)
	w.idle = 0
}

// abort cuts the connection at once.
func (w *wire) abort() {
	w.cancel()
	w.raw.Close()
}

// Close sends the last replies and ends the connection.
func (w *wire) Close() error {
	w.closeOnce.Do(func() {
		w.settle()
		w.leave(net.ErrClosed)
		w.cancel()
		w.conn.Close()
		w.srv.forget(w)
	})
	return nil
}
