package imapd

import (
	"bufio"
	"errors"
	"io"
)

// inflater unpacks what the client sends (RFC 1951), and gives every line as
// soon as the bits for it are there. Clients such as mbsync end what they say
// with zlib's partial flush, which keeps back up to seven bits: Go's reader waits
// for a full flush, and klauspost's for ten bits behind a block, both for ever.
type inflater struct {
	wire *counted
	br   *bufio.Reader
	n    int64 // octets given
	err  error // what ended it

	bits  uint32 // read and not used, the least first
	nbits uint

	inside bool // a block
	last   bool
	stored int // octets of a stored block to come
	lit    huffman
	dist   huffman

	window [1 << 15]byte
	at     int // octets in all; the window is a ring
	length int // of a copy to come
	back   int
}

// counted counts what came over the wire.
type counted struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newInflater(r io.Reader) *inflater {
	wire := &counted{r: r}
	return &inflater{wire: wire, br: bufio.NewReaderSize(wire, 4096)}
}

var (
	errBomb   = errors.New("imapd: packed more than any command is")
	errBroken = errors.New("imapd: not what DEFLATE makes")
)

// Read implements io.Reader. It gives no more than a line at once: behind the
// last one there may be marks of a flush, and no octet to be had by waiting.
// Commands do not shrink to a hundredth: what does is there to keep us busy.
func (z *inflater) Read(p []byte) (n int, err error) {
	for z.err == nil && n < len(p) && (n == 0 || p[n-1] != '\n' && z.br.Buffered() > 0) {
		var c byte
		if c, z.err = z.next(); z.err == nil {
			p[n] = c
			n++
		}
	}
	if z.n += int64(n); z.n > maxInflated+maxRatio*z.wire.n {
		z.err, n = errBomb, 0
	}
	if n > 0 {
		return n, nil
	}
	return 0, z.err
}

// next gives one octet.
func (z *inflater) next() (byte, error) {
	for {
		switch {
		case z.length > 0:
			z.length--
			return z.put(z.window[(z.at-z.back)&(len(z.window)-1)]), nil
		case z.stored > 0:
			c, err := z.br.ReadByte()
			if err != nil {
				return 0, err
			}
			z.stored--
			return z.put(c), nil
		case !z.inside && z.last:
			return 0, io.EOF
		case !z.inside:
			if err := z.block(); err != nil {
				return 0, err
			}
			continue
		}
		sym, err := z.symbol(&z.lit)
		switch {
		case err != nil:
			return 0, err
		case sym < 256:
			return z.put(byte(sym)), nil
		case sym == 256:
			z.inside = false
		default:
			if err := z.match(sym - 257); err != nil {
				return 0, err
			}
		}
	}
}

func (z *inflater) put(c byte) byte {
	z.window[z.at&(len(z.window)-1)] = c
	z.at++
	return c
}

// need reads n bits, at most 16.
func (z *inflater) need(n uint) (uint32, error) {
	for z.nbits < n {
		c, err := z.br.ReadByte()
		if err != nil {
			return 0, err
		}
		z.bits |= uint32(c) << z.nbits
		z.nbits += 8
	}
	v := z.bits & (1<<n - 1)
	z.bits >>= n
	z.nbits -= n
	return v, nil
}

// block begins the next block (RFC 1951 3.2.3).
func (z *inflater) block() error {
	head, err := z.need(3)
	if err != nil {
		return err
	}
	z.last = head&1 == 1
	switch head >> 1 {
	case 0:
		z.bits, z.nbits = 0, 0 // to the next octet: never more than seven bits are here
		size, err := z.need(16)
		if err != nil {
			return err
		}
		check, err := z.need(16)
		if err != nil {
			return err
		}
		if check != ^size&0xffff {
			return errBroken
		}
		z.stored = int(size)
		return nil
	case 1:
		z.inside = true
		return z.fixed()
	case 2:
		z.inside = true
		return z.dynamic()
	}
	return errBroken
}

// The lengths and distances of copies (RFC 1951 3.2.5): base and extra bits.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
		8193, 12289, 16385, 24577}
	codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// match reads what is to be copied.
func (z *inflater) match(code int) error {
	if code >= len(lengthBase) {
		return errBroken
	}
	more, err := z.need(uint(lengthExtra[code]))
	if err != nil {
		return err
	}
	d, err := z.symbol(&z.dist)
	if err != nil {
		return err
	}
	if d >= len(distBase) {
		return errBroken
	}
	far, err := z.need(uint(max(d/2-1, 0)))
	if err != nil {
		return err
	}
	z.back = int(distBase[d]) + int(far)
	if z.back > z.at {
		return errBroken
	}
	z.length = int(lengthBase[code]) + int(more)
	return nil
}

// fixed sets the codes of RFC 1951 3.2.6.
func (z *inflater) fixed() error {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	z.lit.make(lengths[:])
	for i := range 30 {
		lengths[i] = 5
	}
	z.dist.make(lengths[:30])
	return nil
}

// dynamic reads the codes of a block (RFC 1951 3.2.7).
func (z *inflater) dynamic() error {
	head, err := z.need(14)
	if err != nil {
		return err
	}
	lits, dists, codes := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if lits > 286 || dists > 30 {
		return errBroken
	}
	var lengths [286 + 30]uint8
	for _, at := range codeOrder[:codes] {
		v, err := z.need(3)
		if err != nil {
			return err
		}
		lengths[at] = uint8(v)
	}
	if !z.lit.make(lengths[:19]) {
		return errBroken
	}
	clear(lengths[:19])
	for i := 0; i < lits+dists; {
		sym, err := z.symbol(&z.lit)
		if err != nil {
			return err
		}
		value, times := uint8(sym), uint32(1)
		if sym >= 16 { // 16: the last again; 17, 18: zeros
			extra, base := [3]uint{2, 3, 7}[sym-16], [3]uint32{3, 3, 11}[sym-16]
			if times, err = z.need(extra); err != nil {
				return err
			}
			times, value = times+base, 0
			if sym == 16 {
				if i == 0 {
					return errBroken
				}
				value = lengths[i-1]
			}
		}
		if i+int(times) > lits+dists {
			return errBroken
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	if lengths[256] == 0 || !z.lit.make(lengths[:lits]) || !z.dist.make(lengths[lits:lits+dists]) {
		return errBroken
	}
	return nil
}

// huffman is a canonical code (RFC 1951 3.2.2): how many symbols have each
// length, and the symbols in the order of their codes.
type huffman struct {
	count [16]uint16
	syms  [288]uint16
}

// make builds the code. Lengths that give more codes than there are, are none.
func (h *huffman) make(lengths []uint8) bool {
	h.count = [16]uint16{}
	for _, l := range lengths {
		h.count[l]++
	}
	h.count[0] = 0
	left := 1
	var next [16]uint16
	for l := 1; l < 16; l++ {
		if left = left<<1 - int(h.count[l]); left < 0 {
			return false
		}
		next[l] = next[l-1] + h.count[l-1]
	}
	for sym, l := range lengths {
		if l > 0 {
			h.syms[next[l]] = uint16(sym)
			next[l]++
		}
	}
	return true
}

// symbol reads one symbol bit by bit, and so no bit more than it has.
func (z *inflater) symbol(h *huffman) (int, error) {
	code, first, at := 0, 0, 0 // of this length: the code, the first one, its symbol
	for l := 1; l < 16; l++ {
		bit, err := z.need(1)
		if err != nil {
			return 0, err
		}
		code |= int(bit)
		n := int(h.count[l])
		if code-first < n {
			return int(h.syms[at+code-first]), nil
		}
		at, first, code = at+n, (first+n)<<1, code<<1
	}
	return 0, errBroken
}
