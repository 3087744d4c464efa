package smtpout

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"plenary/internal/outbound/queue"
)

// runWindow sends by BDAT: whole messages, several on the way. After a refusal there is
// one at a time until one is taken: peers close on who is refused too often, and what
// is on the way then may have arrived.
func (c *conn) runWindow(f *feed) error {
	messages, octets := c.relay.window()
	most := messages
	var way []*item // written, oldest first, not answered
	bytes := 0
	for {
		for len(way) < most && (len(way) == 0 || bytes < octets) {
			it := f.next(len(way) == 0)
			if it == nil {
				break
			}
			if len(way) == 0 {
				if err := c.quiet(); err != nil {
					f.untouched(it)
					return err
				}
			}
			way = append(way, it)
			bytes += it.survey.size
			if err := c.whole(it); err != nil {
				c.brokenWindow(f, way, err)
				return err
			}
		}
		if len(way) == 0 {
			return nil
		}
		if err := c.flush(); err != nil {
			c.brokenWindow(f, way, err)
			return err
		}
		// Answers first as they are there: the window is refilled when they are
		// used up, in one write.
		for len(way) > 0 {
			it, taken := way[0], c.taken
			if err := c.answeredWhole(f, it, way); err != nil {
				return err
			}
			if most = 1; c.taken > taken {
				most = messages
			}
			bytes -= it.survey.size
			f.done(it)
			way = append(way[:0], way[1:]...)
			if c.br.Buffered() == 0 {
				break
			}
		}
	}
}

// whole puts a message with its envelope into the buffer, or on the wire when
// it is large.
func (c *conn) whole(it *item) error {
	it.reset = true
	c.envelope(it)
	c.buf = append(strconv.AppendInt(append(c.buf, "BDAT "...), int64(it.survey.size), 10), " LAST\r\n"...)
	for _, seg := range it.letter.Segments {
		if len(c.buf)+len(seg) > writeBlock {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if len(seg) > writeBlock {
			if err := c.write(seg); err != nil {
				return err
			}
			continue
		}
		c.room()
		c.buf = append(c.buf, seg...)
	}
	return nil
}

// answeredWhole reads the four replies to a message. An error has answered
// every letter on the way.
func (c *conn) answeredWhole(f *feed, it *item, way []*item) error {
	for i := range 4 {
		wait := c.t.Command
		if i == 3 {
			wait = c.t.End
		}
		r, err := c.read(wait)
		if err != nil {
			if i < 3 {
				c.silent(err)
			}
			if i > 0 {
				it.rested = false
			}
			c.brokenWindow(f, way, err)
			return err
		}
		if r.code == 421 {
			// The peer executes nothing more (RFC 5321 3.8); what follows was
			// not looked at.
			err := f.closed(it, r)
			for _, other := range way[1:] {
				f.untouched(other)
			}
			return err
		}
		switch {
		case !r.ok() && (i == 0 || r.code < 400):
			// Every server takes RSET (RFC 5321 4.1.1.5), and none of these commands
			// is answered 3yz: replies are out of step. A line of the message before
			// was answered, which a server did not take as the BDAT it was told of, or
			// something twice. By DATA that is seen before anything is wrong.
			c.relay.Known.avoid(c.relay.Addr, chunking)
			err := fmt.Errorf("%w: %s was answered %s", errGarbage, [...]string{"RSET", "MAIL", "RCPT", "BDAT"}[i], r)
			it.rested, it.no = false, reply{} // what it was refused with may have been about another
			c.brokenWindow(f, way, err)
			return err
		case it.refused() || i == 0:
		case i < 3 && !r.ok():
			it.note(r, stage(i-1))
		case i == 3 && (r.code == 500 || r.code == 502):
			return c.noBDAT(f, way, r)
		case i == 3:
			f.answer(it, r.result(atData))
		}
	}
	if it.refused() {
		f.refused(it)
	}
	return nil
}

// noBDAT answers what was on the way to a peer that offered CHUNKING and does not
// know BDAT: what followed was read as commands, and nothing was taken. When that
// is remembered all of it goes out by DATA at once.
func (c *conn) noBDAT(f *feed, way []*item, r reply) error {
	err := fmt.Errorf("%w: BDAT was answered %s", errGarbage, r)
	if c.relay.Known.avoid(c.relay.Addr, chunking) && c.taken == 0 {
		for _, it := range way {
			f.untouched(it)
		}
		return err
	}
	f.answer(way[0], queue.Result{State: queue.Temporary, Code: r.code, Reply: r.text})
	c.brokenWindow(f, way[1:], err)
	return err
}

// brokenWindow answers what was on the way when the connection ended: any of it
// may have arrived, but what was refused. And a peer that had rested with us and then says not a word
// has closed its end before it read anything.
func (c *conn) brokenWindow(f *feed, way []*item, err error) {
	asleep := len(way) > 0 && way[0].rested && !errors.Is(err, os.ErrDeadlineExceeded)
	for _, it := range way {
		switch {
		case it.refused():
			f.refused(it)
		case asleep:
			f.untouched(it)
		default:
			f.answer(it, lost(err))
		}
	}
}
