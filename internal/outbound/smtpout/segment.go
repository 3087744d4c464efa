package smtpout

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"plenary/internal/outbound/queue"
)

// rememberFrom: of segments this large the facts are remembered; smaller ones
// are looked through each time.
const (
	rememberFrom = 512
	remembered   = 16
)

// facts are what sending needs to know of a segment's bytes.
type facts struct {
	dots     bool // a line inside begins with a dot
	eightBit bool
	bare     bool // a CR or LF alone, the edges apart
	firstDot bool
	firstLF  bool
	lastCR   bool
	lastLF   bool
}

// segments remembers the facts of the large constant segments that copies
// share: they are told by their address, and kept alive by being remembered.
type segments struct {
	segs  [remembered][]byte
	facts [remembered]facts
	next  int
}

func newSegments() *segments { return &segments{} }

func (s *segments) of(seg []byte) facts {
	if len(seg) < rememberFrom {
		return look(seg)
	}
	p := unsafe.SliceData(seg)
	for i, have := range s.segs {
		if len(have) == len(seg) && unsafe.SliceData(have) == p {
			return s.facts[i]
		}
	}
	f := look(seg)
	s.segs[s.next], s.facts[s.next] = seg, f
	s.next = (s.next + 1) % remembered
	return f
}

// look reads a segment once.
func look(seg []byte) facts {
	if len(seg) == 0 {
		return facts{}
	}
	last := len(seg) - 1
	f := facts{firstDot: seg[0] == '.', firstLF: seg[0] == '\n', lastCR: seg[last] == '\r', lastLF: seg[last] == '\n'}
	for i := 0; i < len(seg); {
		n := bytes.IndexByte(seg[i:], '\n')
		line := seg[i:]
		if n >= 0 {
			line = seg[i : i+n]
		}
		cr := bytes.IndexByte(line, '\r')
		switch {
		case n < 0:
			f.bare = f.bare || cr >= 0 && i+cr != last
		case cr < 0:
			f.bare = f.bare || i+n > 0 // an LF at the very start may belong to a CR before
		default:
			f.bare = f.bare || cr != len(line)-1
		}
		if i > 0 && len(line) > 0 && line[0] == '.' {
			f.dots = true
		}
		if n < 0 {
			break
		}
		i += n + 1
	}
	f.eightBit = beyondASCII(seg)
	return f
}

// beyondASCII looks at eight octets at a time: small segments are looked through
// for every copy.
func beyondASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// survey is what a whole letter needs.
type survey struct {
	size     int
	eightBit bool
	bare     bool
}

func (s *segments) survey(l *queue.Letter) survey {
	var v survey
	cr := false // the last octet was a CR
	for _, seg := range l.Segments {
		if len(seg) == 0 {
			continue
		}
		f := s.of(seg)
		v.size += len(seg)
		v.eightBit = v.eightBit || f.eightBit
		v.bare = v.bare || f.bare || f.firstLF != cr
		cr = f.lastCR
	}
	v.bare = v.bare || cr
	return v
}

// stuff appends seg with a dot doubled at the start of each line inside it (RFC
// 5321 4.5.2); dots says that there are any.
func stuff(buf, seg []byte, dots bool) []byte {
	for dots {
		i := bytes.Index(seg, []byte("\n."))
		if i < 0 {
			break
		}
		buf = append(append(buf, seg[:i+2]...), '.')
		seg = seg[i+2:]
	}
	return append(buf, seg...)
}
