package imapd

import (
	"bytes"
	"time"
)

// Write takes responses of go-imap, each beginning with a Write of its own.
// They are gathered, and go out when the front waits for the next command or
// the buffer is full. Capabilities and the outcome of a command that the front
// knows better are put right on the way.
func (f *front) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := p
	switch {
	case !f.greeted:
		f.greeted = true
		if bytes.HasPrefix(p, []byte("* OK [CAPABILITY")) {
			line = []byte("* OK [CAPABILITY " + f.capabilities() + "] " + f.srv.opt.Hostname + " list archive ready\r\n")
		}
	case f.cmd != nil && bytes.HasPrefix(p, f.cmd.tagged()):
		line = f.outcome(p)
	case f.cmd != nil:
		line = f.conditioned(p)
	}
	return len(p), f.gather(line)
}

// outcome is the tagged response of the command at hand as the client gets it.
func (f *front) outcome(p []byte) []byte {
	c := f.cmd
	c.done = true
	status := p[len(c.tagged()):]
	c.refused = !bytes.HasPrefix(status, []byte("OK")) && !bytes.HasPrefix(status, []byte("NO [UNKNOWN-CTE]")) // that comes behind the data
	if back := c.cond.back; back != nil && back.tell != nil && bytes.HasPrefix(status, []byte("OK")) {
		_ = back.tell(f) // an error stays with the front
	}
	switch {
	case bytes.HasPrefix(status, []byte("NO [SERVERBUG]")):
		// Go-imap's answer to arguments it could not parse; the session never
		// answers so.
		f.bad++
		return []byte(c.tag + " BAD [CLIENTBUG] The arguments of " + c.name + " make no sense\r\n")
	case bytes.HasPrefix(status, []byte("BAD")):
		f.bad++
	case bytes.HasPrefix(status, []byte("OK [CAPABILITY")):
		return []byte(c.tag + " OK [CAPABILITY " + f.capabilities() + "] You are logged in\r\n")
	case bytes.HasPrefix(status, []byte("OK [READ-WRITE]")) && !f.sess.mayMark():
		return bytes.Replace(p, []byte("[READ-WRITE]"), []byte("[READ-ONLY]"), 1)
	case c.cond.left != "" && bytes.HasPrefix(status, []byte("OK")):
		f.bad = 0
		return []byte(c.tag + " OK [MODIFIED " + c.cond.left + "] Some had changed and were left alone\r\n")
	default:
		f.bad = 0
	}
	return p
}

// put gathers a response of our own: whole lines.
func (f *front) put(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.gather([]byte(s))
}

// render gathers responses that fill appends to the buffer: whole lines. It
// fails once the client is gone.
func (f *front) render(fill func(b []byte) []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	b := f.buffer()
	*b = fill(*b)
	if len(*b) >= flushAt || f.waiting {
		return f.flushLocked()
	}
	return nil
}

func (f *front) gather(p []byte) error {
	if f.broken != nil {
		return f.broken
	}
	b := f.buffer()
	*b = append(*b, p...)
	if len(*b) >= flushAt || f.waiting {
		return f.flushLocked()
	}
	return nil
}

func (f *front) buffer() *[]byte {
	if f.out == nil {
		f.out, _ = f.srv.buffers.Get().(*[]byte)
	}
	return f.out
}

// flushAndWait writes what was gathered; from then on responses go out at once.
func (f *front) flushAndWait() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = true
	return f.flushLocked()
}

func (f *front) stopWaiting() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = false
}

// flush writes what was gathered.
func (f *front) flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushLocked()
}

// flushLocked writes the buffer and gives it back to the pool, so that an idle
// connection holds none.
func (f *front) flushLocked() error {
	if f.broken != nil || f.out == nil {
		return f.broken
	}
	err := f.send(*f.out)
	if cap(*f.out) <= 8*flushAt {
		*f.out = (*f.out)[:0]
		f.srv.buffers.Put(f.out)
	}
	f.out = nil
	return err
}

// send writes in pieces, each with its own deadline: a client that does not
// read is cut off, one that reads slowly is not.
func (f *front) send(p []byte) error {
	for len(p) > 0 && f.broken == nil {
		piece := p[:min(len(p), 4*flushAt)]
		p = p[len(piece):]
		f.broken = f.raw.SetWriteDeadline(time.Now().Add(f.srv.times.write))
		if f.broken == nil {
			_, f.broken = f.dst.Write(piece)
		}
	}
	if f.broken != nil {
		_ = f.raw.Close()
	}
	return f.broken
}
