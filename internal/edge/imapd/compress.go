package imapd

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// answerCompress packs both directions from here on (RFC 4978). It comes after
// TLS and after login: a stranger is not given the work, and a password is never
// packed beside anything else.
func (f *front) answerCompress(c *command) error {
	switch {
	case !f.sess.loggedIn():
		f.refuse(&syntaxError{tag: c.tag, text: "Log in first"})
		return nil
	case !strings.EqualFold(string(c.args), "DEFLATE"):
		f.refuse(&syntaxError{tag: c.tag, text: "There is COMPRESS DEFLATE only"})
		return nil
	case f.packed:
		f.put(c.tag + " NO [COMPRESSIONACTIVE] DEFLATE is active already\r\n")
		return nil
	case f.pos < len(f.in): // nobody knows whether it is packed
		f.put("* BYE Nothing may follow COMPRESS before it is answered\r\n")
		return errEnd
	}
	f.bad = 0
	f.put(c.tag + " OK DEFLATE active\r\n")
	if err := f.flush(); err != nil {
		return err
	}
	f.packed = true
	f.src = newInflater(f.src)
	f.dst = &deflater{dst: f.dst, pool: &f.srv.buffers}
	return nil
}

// deflater packs responses, each Write to its end. It keeps no state between
// them but the last octets, so that an idle connection costs little.
type deflater struct {
	dst  io.Writer
	pool *sync.Pool // of *[]byte
	tail []byte
}

// Write implements io.Writer.
func (d *deflater) Write(p []byte) (int, error) {
	b, _ := d.pool.Get().(*[]byte)
	out := bytes.NewBuffer((*b)[:0])
	err := flate.StatelessDeflate(out, p, false, d.tail)
	if err == nil {
		_, err = d.dst.Write(out.Bytes())
	}
	if packed := out.Bytes()[:0]; cap(packed) <= 8*flushAt {
		*b = packed
		d.pool.Put(b)
	}
	d.remember(p)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// remember keeps the end of what was said: it often comes again.
func (d *deflater) remember(p []byte) {
	if len(p) >= maxTail {
		d.tail = append(d.tail[:0], p[len(p)-maxTail:]...)
		return
	}
	if over := len(d.tail) + len(p) - maxTail; over > 0 {
		d.tail = d.tail[:copy(d.tail, d.tail[over:])]
	}
	d.tail = append(d.tail, p...)
}
