package smtpout

import (
	"fmt"
	"time"

	"plenary/internal/outbound/queue"
)

// runData sends by DATA. With pipelining the end of a message and the envelope
// of the next travel in one write.
func (c *conn) runData(f *feed) error {
	var cur *item // its envelope and DATA were taken
	for {
		if cur == nil {
			it := f.next(true)
			if it == nil {
				return nil
			}
			ready, err := c.open(f, it)
			if err != nil {
				return err
			}
			if !ready {
				continue
			}
			cur = it
		}
		if err := c.body(cur); err != nil {
			f.broken(cur, err)
			return err
		}
		var next *item
		if c.ext.pipelining {
			if next = f.next(false); next != nil {
				next.reset, c.reset = c.reset, false
				c.envelope(next)
				c.buf = append(c.buf, "DATA\r\n"...)
			}
			f.lookAhead()
		}
		end, err := c.finish()
		if err != nil {
			f.answer(cur, lost(err))
			f.untouched(next)
			return err
		}
		f.answer(cur, end.result(atData))
		if end.code == 421 {
			f.untouched(next)
			return closed(end)
		}
		f.done(cur)
		cur = nil
		if next != nil {
			ready, err := c.answered(f, next)
			if err != nil {
				return err
			}
			if ready {
				cur = next
			}
		}
	}
}

// finish sends what is buffered, the end of a message in it, and reads the
// answer to the message.
func (c *conn) finish() (reply, error) {
	if err := c.flush(); err != nil {
		return reply{}, err
	}
	return c.read(c.t.End)
}

// open sends the envelope and DATA, in one write when the peer allows it. ready
// means that the peer waits for the message; otherwise the letter is answered.
func (c *conn) open(f *feed, it *item) (ready bool, err error) {
	if err := c.quiet(); err != nil {
		f.untouched(it)
		return false, err
	}
	it.reset, c.reset = c.reset, false
	if c.ext.pipelining {
		c.envelope(it)
		c.buf = append(c.buf, "DATA\r\n"...)
		if err := c.flush(); err != nil {
			f.broken(it, err)
			return false, err
		}
		return c.answered(f, it)
	}
	return c.step(f, it)
}

// answered reads the replies to a pipelined envelope and DATA.
func (c *conn) answered(f *feed, it *item) (ready bool, err error) {
	if it.reset {
		if err := c.resetDone(f, it); err != nil {
			return false, err
		}
	}
	for i := range atData + 1 {
		r, err := c.readAt(f, it, i)
		switch {
		case err != nil:
			return false, err
		case r.code == 354 && !it.refused():
			return true, nil
		case r.code == 354:
			// Nobody is to get it, but the peer waits for a message: an empty one
			// ends the transaction (RFC 2920 3.1).
			f.refused(it)
			c.buf = append(c.buf, ".\r\n"...)
			r, err := c.finish()
			if err == nil && r.code == 421 {
				err = closing(r)
			}
			return false, err
		case !r.ok():
			it.note(r, i)
		}
	}
	c.reset = true
	f.refused(it)
	return false, nil
}

// step sends envelope and DATA command by command.
func (c *conn) step(f *feed, it *item) (ready bool, err error) {
	if it.reset {
		c.buf = append(c.buf, "RSET\r\n"...)
		if err := c.flush(); err != nil {
			f.untouched(it)
			return false, err
		}
		if err := c.resetDone(f, it); err != nil {
			return false, err
		}
	}
	mail := string(c.mailParams([]byte("MAIL FROM:<"+it.letter.ReversePath+">"), it))
	for i, line := range []string{mail, "RCPT TO:<" + it.letter.Recipient + ">", "DATA"} {
		c.buf = append(append(c.buf, line...), '\r', '\n')
		if err := c.flush(); err != nil {
			f.broken(it, err)
			return false, err
		}
		r, err := c.readAt(f, it, stage(i))
		if err != nil {
			return false, err
		}
		if r.code >= 400 {
			c.reset = i > 0
			it.note(r, stage(i))
			f.refused(it)
			return false, nil
		}
	}
	return true, nil
}

// resetDone reads the reply to RSET; any but yes is the answer to something else
// (RFC 5321 4.1.1.5). One is sent only when the letter before was refused: that
// the connection ends here is no fault of this letter.
func (c *conn) resetDone(f *feed, it *item) error {
	r, err := c.read(c.t.Command)
	switch {
	case err != nil:
		c.silent(err)
	case r.code == 421:
		err = closing(r)
	case !r.ok():
		err = fmt.Errorf("%w: RSET was answered %s", errGarbage, r)
	}
	if err != nil {
		f.untouched(it)
	}
	return err
}

// readAt reads the reply to MAIL, RCPT or DATA. One that can answer none of them
// is the answer to something else: nothing that follows would be right either.
func (c *conn) readAt(f *feed, it *item, at stage) (reply, error) {
	wait := c.t.Command
	if at == atData {
		wait = c.t.Data
	}
	r, err := c.readFor(f, it, wait)
	if err == nil && !r.fits(at) {
		err = fmt.Errorf("%w: %s was answered %s", errGarbage, at, r)
		it.no = reply{} // it may have been about another
		f.broken(it, err)
	}
	return r, err
}

// readFor reads a reply before the message of it was sent. An error has
// answered the letter.
func (c *conn) readFor(f *feed, it *item, d time.Duration) (reply, error) {
	r, err := c.read(d)
	if err != nil {
		c.silent(err)
		f.broken(it, err)
		return r, err
	}
	if r.code == 421 {
		return r, f.closed(it, r)
	}
	return r, nil
}

// body sends the message with its dots doubled and leaves its end in the
// buffer.
func (c *conn) body(it *item) error {
	c.room()
	atStart := true
	for _, seg := range it.letter.Segments {
		if len(seg) == 0 {
			continue
		}
		f := c.seen.of(seg)
		if atStart && f.firstDot {
			c.buf = append(c.buf, '.')
		}
		for len(seg) > 0 {
			part := seg
			if len(part) > writeBlock {
				part = part[:cutAt(part, writeBlock)]
			}
			if len(c.buf)+len(part) > writeBlock {
				if err := c.flush(); err != nil {
					return err
				}
				c.room()
			}
			c.buf = stuff(c.buf, part, f.dots)
			seg = seg[len(part):]
		}
		atStart = f.lastLF
	}
	if !atStart {
		c.buf = append(c.buf, '\r', '\n')
	}
	c.buf = append(c.buf, ".\r\n"...)
	return nil
}

// cutAt finds a place near n where seg can be cut without parting an LF from a
// dot behind it.
func cutAt(seg []byte, n int) int {
	for n > 1 && seg[n-1] == '\n' {
		n--
	}
	return n
}

// lost is the fate of a letter whose end was sent and not answered.
func lost(err error) queue.Result {
	return queue.Result{State: queue.Temporary, Reply: "the connection ended before the last reply: " + err.Error(), Lost: true}
}

// closed is the end of a connection by a 421 that answered a letter.
func closed(r reply) error { return fmt.Errorf("the peer closes the connection: %s", r) }

// closing is the same of a 421 that answered none: only this error tells of it.
func closing(r reply) error {
	return fmt.Errorf("the peer closes the connection: %w", &queue.Refusal{Code: r.code, Reply: r.text})
}

// blame reports whether the letter in work is to blame for the end of the
// connection: on a fresh one it is, so that it moves out of the way.
func (c *conn) blame(it *item) bool { return c.taken == 0 && !it.rested }

// broken answers the letter in work when the connection ended before the end of
// the message was sent. A refusal that was read counts (RFC 5321 4.2.1): some
// peers close right behind it.
func (f *feed) broken(it *item, err error) {
	switch {
	case it.refused():
		f.refused(it)
	case f.c.blame(it):
		f.answer(it, queue.Result{State: queue.Temporary, Reply: "the connection ended: " + err.Error()})
	default:
		f.untouched(it)
	}
}

// closed answers the letter in work when the peer says 421, and gives the error
// of the connection.
func (f *feed) closed(it *item, r reply) error {
	if it.refused() {
		f.refused(it)
		return closing(r)
	}
	if f.c.blame(it) {
		f.answer(it, queue.Result{State: queue.Temporary, Code: r.code, Reply: r.text})
		return closed(r)
	}
	f.untouched(it)
	return closing(r)
}

// untouched returns a letter for another connection.
func (f *feed) untouched(it *item) {
	if it != nil {
		f.answer(it, queue.Result{})
	}
}
