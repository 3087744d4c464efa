package smtpout

import (
	"strconv"
	"strings"
	"time"

	"plenary/internal/outbound/queue"
)

// feed gives the letters of the units one by one, and takes their answers.
type feed struct {
	c        *conn
	units    <-chan *queue.Unit
	outcomes chan<- queue.Outcome
	unit     *queue.Unit
	index    int
	ahead    *queue.Unit // the one after it
	timer    *time.Timer
	spare    []*item // answered, for the next letters
	rested   bool    // the connection was idle before the next letter
	dead     bool    // and the peer has closed it meanwhile
	full     bool    // the peer takes no more recipients on this connection
}

// longRest is the rest after which a connection is looked at before it is used.
const longRest = 50 * time.Millisecond

// item is a letter in work.
type item struct {
	unit   *queue.Unit
	index  int
	letter queue.Letter
	survey survey
	reset  bool // RSET was sent in front
	rested bool // the connection had been idle before

	no reply // the first refusal in its transaction; zero: none yet
	at stage // of it
}

// note keeps the first refusal: what follows is only about the transaction that it
// ended.
func (it *item) note(r reply, at stage) {
	if !it.refused() {
		it.no, it.at = r, at
	}
}

func (it *item) refused() bool { return it.no.code != 0 }

func (f *feed) answer(it *item, r queue.Result) {
	if r.State == queue.OK {
		f.c.taken++
	}
	f.outcomes <- queue.Outcome{Unit: it.unit, Index: it.index, Result: r}
}

// refused answers a letter by the refusal that was noted. A peer
// that says "too many recipients" on a connection that took some counts them by
// connection, although each transaction had one: the next takes this one.
func (f *feed) refused(it *item) {
	if it.at == atRcpt && f.c.taken > 0 && it.no.tooMany() {
		f.full = true
		f.untouched(it)
		return
	}
	f.answer(it, it.no.result(it.at))
}

// next gives the next letter that can be sent over this connection; those that
// cannot are answered here. With wait it blocks until there is one; nil means
// there is none (now, or with wait: at all, or for the idle time).
func (f *feed) next(wait bool) *item {
	for !f.full {
		for f.unit == nil {
			if !f.pull(wait) {
				return nil
			}
		}
		if f.dead {
			return nil
		}
		it := f.item()
		*it = item{unit: f.unit, index: f.index, letter: f.unit.Letter(f.index), rested: f.rested}
		if f.index++; f.index == f.unit.Len() {
			f.unit = nil
		}
		it.survey = f.c.seen.survey(&it.letter)
		if r, bad := f.c.refuse(it); bad {
			f.answer(it, r)
			f.done(it)
			continue
		}
		f.rested = false
		return it
	}
	return nil
}

func (f *feed) item() *item {
	if n := len(f.spare); n > 0 {
		it := f.spare[n-1]
		f.spare = f.spare[:n-1]
		return it
	}
	return &item{}
}

// done takes back an item that is answered and held by nobody else.
func (f *feed) done(it *item) { f.spare = append(f.spare, it) }

// lookAhead takes another unit while the one in work has letters, if one is there
// and no more than half are left. Connections that wait for the same round trip end
// their units together, and who then has none for a moment loses one.
func (f *feed) lookAhead() {
	if f.unit == nil || f.ahead != nil || 2*(f.unit.Len()-f.index) > f.unit.Len() {
		return
	}
	select {
	case u, ok := <-f.units:
		if ok && u.Len() > 0 {
			f.ahead = u
		}
	default:
	}
}

// pull takes a unit; false when there is none.
func (f *feed) pull(wait bool) bool {
	if f.ahead != nil {
		f.unit, f.index, f.ahead = f.ahead, 0, nil
		return true
	}
	var u *queue.Unit
	ok := false
	select {
	case u, ok = <-f.units:
	default:
		if !wait {
			return false
		}
		if f.timer == nil {
			f.timer = time.NewTimer(f.c.t.Idle)
		} else {
			f.timer.Reset(f.c.t.Idle)
		}
		begin := time.Now()
		select {
		case u, ok = <-f.units:
			f.timer.Stop()
			f.rested = true
			// Looking costs a millisecond: too much where connections wait for each other
			// all the time. Who closed meanwhile is found out by the first reply.
			f.dead = time.Since(begin) > longRest && !f.c.alive()
		case <-f.timer.C:
			return false
		}
	}
	if !ok {
		return false
	}
	if u.Len() > 0 {
		f.unit, f.index = u, 0
	}
	return true
}

// returnRest answers what was never begun.
func (f *feed) returnRest() {
	for _, u := range []*queue.Unit{f.unit, f.ahead} {
		for u != nil && f.index < u.Len() {
			f.outcomes <- queue.Outcome{Unit: u, Index: f.index}
			f.index++
		}
		f.index = 0
	}
	f.unit, f.ahead = nil, nil
}

// refuse finds letters this peer cannot be given.
func (c *conn) refuse(it *item) (queue.Result, bool) {
	permanent := func(code int, text string) (queue.Result, bool) {
		return queue.Result{State: queue.Permanent, Code: code, Reply: text, Local: true}, true
	}
	l := &it.letter
	switch {
	case l.Unfit != "":
		return queue.Result{State: queue.Temporary, Reply: l.Unfit, Local: true}, true
	case !pathOK(l.Recipient) || l.Recipient == "":
		return permanent(501, "5.1.3 the recipient's address cannot be written in SMTP")
	case !pathOK(l.ReversePath):
		return permanent(501, "5.1.7 the reverse path cannot be written in SMTP")
	case !c.ext.utf8 && (eightBit(l.Recipient) || eightBit(l.ReversePath)):
		return queue.Result{State: queue.Permanent, Code: 553, Local: true, Peer: true,
			Reply: "5.6.7 the address needs SMTPUTF8, which the next hop does not offer"}, true
	case c.ext.size > 0 && int64(it.survey.size) > c.ext.size:
		return queue.TooLarge(int64(it.survey.size), c.ext.size), true
	case it.survey.bare:
		// A line end that is not CRLF may end the message for one server and
		// not for the next: that is how mail is smuggled.
		return permanent(554, "5.6.0 the message has line ends that are not CRLF")
	}
	return queue.Result{}, false
}

// envelope appends the commands in front of the message.
func (c *conn) envelope(it *item) {
	c.room()
	b := c.buf
	if it.reset {
		b = append(b, "RSET\r\n"...)
	}
	b = append(append(append(b, "MAIL FROM:<"...), it.letter.ReversePath...), '>')
	b = c.mailParams(b, it)
	b = append(append(append(b, "\r\nRCPT TO:<"...), it.letter.Recipient...), ">\r\n"...)
	c.buf = b
}

func (c *conn) mailParams(b []byte, it *item) []byte {
	if c.ext.sizes {
		b = strconv.AppendInt(append(b, " SIZE="...), int64(it.survey.size), 10)
	}
	if c.ext.eightBit && it.survey.eightBit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if c.ext.utf8 && (eightBit(it.letter.Recipient) || eightBit(it.letter.ReversePath)) {
		b = append(b, " SMTPUTF8"...)
	}
	return b
}

// ordinary are the octets of an address that need no second look.
var ordinary = func() (is [256]bool) {
	for c := range is {
		is[c] = c > ' ' && c != 0x7f && !strings.ContainsRune(`"\<>`, rune(c))
	}
	return is
}()

// pathOK reports whether an address can stand between angle brackets without
// ending the command or beginning a parameter. Quoted local parts may hold
// anything printable.
func pathOK(s string) bool {
	quoted := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if ordinary[c] {
			continue
		}
		switch {
		case c < ' ' || c == 0x7f:
			return false
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
			if i == len(s) || s[i] < ' ' || s[i] == 0x7f {
				return false
			}
		case !quoted && (c == ' ' || c == '<' || c == '>'):
			return false
		}
	}
	return !quoted
}

func eightBit(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

// plain reports whether s is printable ASCII without spaces.
func plain(s string) bool { return !eightBit(s) && pathOK(s) }
