package imapd

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"

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
	case f.pack != nil:
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
	f.src = newInflater(f.src)
	f.pack = &deflater{dst: f.dst, pool: &f.srv.buffers}
	f.dst, f.packed = f.pack, time.Now()
	return nil
}

// heard notes how long the first packed command took. The client had to wait for
// our answer before it, so this is the way there and back at least: over a way as
// short as that, packing takes longer than sending.
func (d *deflater) heard(after time.Duration) { d.near = after < nearby }

// deflater packs responses, each Write to its end. It keeps no state between
// them but the last octets, so that an idle connection costs little.
type deflater struct {
	dst  io.Writer
	pool *sync.Pool // of *[]byte
	near bool       // nothing is made smaller
	tail []byte
}

// packers are shared by all connections: each takes about a megabyte.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed)
	return w
}}

// Write implements io.Writer.
func (d *deflater) Write(p []byte) (int, error) {
	b, _ := d.pool.Get().(*[]byte)
	out := bytes.NewBuffer((*b)[:0])
	err := d.pack(out, p)
	if err == nil {
		_, err = d.dst.Write(out.Bytes())
	}
	if packed := out.Bytes()[:0]; cap(packed) <= 8*flushAt {
		*b = packed
		d.pool.Put(b)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (d *deflater) pack(out *bytes.Buffer, p []byte) error {
	if d.near {
		d.tail = nil
		// Blocks that are stored (RFC 1951 3.2.4). The last is empty, as a flush
		// makes one: some unpack what stands before it only then.
		for more := true; more; {
			n := min(len(p), 1<<16-1)
			more = n > 0
			out.Write([]byte{0, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)})
			out.Write(p[:n])
			p = p[n:]
		}
		return nil
	}
	w, _ := packers.Get().(*flate.Writer)
	w.ResetDict(out, d.tail)
	_, err := w.Write(p)
	if err == nil {
		err = w.Flush()
	}
	w.ResetDict(nil, nil)
	packers.Put(w)
	d.remember(p)
	return err
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
