package message

import "bytes"

// Structure is the tree of parts of one message.
type Structure struct {
	Root   *Part
	Opaque bool   // beyond a limit: Root is one leaf over the whole body
	Why    string // which limit; "" unless Opaque

	// Unclosed is true when a multipart ends without its closing boundary.
	Unclosed bool
}

// Scan finds the parts of a message in one pass. Lines may end in CRLF or LF.
// It never fails: a message beyond MaxDepth, MaxParts or MaxHeader is Opaque.
func Scan(raw []byte) *Structure {
	s := scanner{raw: raw}
	root := &Part{}
	if why := s.run(root); why != "" {
		return opaque(raw, why)
	}
	number(root)
	return &Structure{Root: root, Unclosed: s.unclosed}
}

// opaque gives the structure of a message nobody looks into.
func opaque(raw []byte, why string) *Structure {
	start := headerEnd(raw)
	p := &Part{BodyStart: start, End: len(raw)}
	root := p.whole("application", "octet-stream")
	root.HeaderStart = 0
	root.Path = []int{1}
	return &Structure{Root: root, Opaque: true, Why: why}
}

// headerEnd gives the offset after the first empty line, or the end.
func headerEnd(raw []byte) int {
	for at := 0; at < len(raw); {
		end := lineEnd(raw, at)
		if isBlankLine(raw[at:end]) {
			return end
		}
		at = end
	}
	return len(raw)
}

// frame is an open part: a multipart with its boundary, or anything else with none.
type frame struct {
	part     *Part
	boundary []byte // nil once the closing boundary was seen
	nests    bool   // counts as a level of depth
}

// scanner is the state of one Scan: the open parts, outermost first.
type scanner struct {
	raw      []byte
	open     []frame
	waiting  int // open frames whose boundary may still come
	depth    int
	parts    int
	unclosed bool
}

// delimiter is a boundary line.
type delimiter struct {
	start, next int // of the line, and after it
	frame       int // whose it is; -1: none, the input ends at start
	closing     bool
}

// run reads everything; it returns which limit was passed, or "".
func (s *scanner) run(root *Part) (why string) {
	if why = s.enter(root, false); why != "" {
		return why
	}
	for at := s.open[len(s.open)-1].part.BodyStart; ; {
		d := s.next(at)
		if d.frame < 0 {
			s.unclosed = s.waiting > 0
			s.closeAbove(-1, len(s.raw))
			return ""
		}
		s.closeAbove(d.frame, s.beforeBreak(d.start))
		f := &s.open[d.frame]
		if d.closing {
			f.boundary = nil
			s.waiting--
			at = d.next
			continue
		}
		child := &Part{HeaderStart: d.next}
		f.part.Children = append(f.part.Children, child)
		if why = s.enter(child, f.part.Subtype == "digest"); why != "" {
			return why
		}
		at = s.open[len(s.open)-1].part.BodyStart
	}
}

// enter reads the header of a part, opens it, and goes on into the message
// inside as long as it is a message/rfc822.
func (s *scanner) enter(p *Part, inDigest bool) (why string) {
	for {
		if s.parts++; s.parts > MaxParts {
			return "too many parts"
		}
		end, ok := s.headerEnd(p.HeaderStart)
		if !ok {
			return "a header is too large"
		}
		p.BodyStart = end
		p.readFields(s.raw, inDigest)
		f := frame{part: p, nests: p.isMessage()}
		if b := boundaryOf(p); b != nil {
			f.boundary, f.nests = b, true
			s.waiting++
		}
		if f.nests {
			if s.depth++; s.depth > MaxDepth {
				return "nested too deeply"
			}
		}
		s.open = append(s.open, f)
		if !p.isMessage() {
			return ""
		}
		p.Message = &Part{HeaderStart: p.BodyStart}
		p, inDigest = p.Message, false
	}
}

// headerEnd finds where the header that begins at start ends: after its empty
// line, or before a boundary.
func (s *scanner) headerEnd(start int) (end int, ok bool) {
	for at := start; at < len(s.raw); {
		if at-start > MaxHeader {
			return 0, false
		}
		end := lineEnd(s.raw, at)
		if isBlankLine(s.raw[at:end]) {
			return end, end-start <= MaxHeader
		}
		if _, ok := s.match(at, end); ok {
			return at, true
		}
		at = end
	}
	return len(s.raw), len(s.raw)-start <= MaxHeader
}

// boundaryOf gives the boundary of a multipart, or nil when it has none to use.
func boundaryOf(p *Part) []byte {
	if !p.isMultipart() {
		return nil
	}
	b := bytes.TrimRight([]byte(p.boundary()), " \t")
	if len(b) == 0 || len(b) > maxBoundary {
		return nil
	}
	return b
}

// boundary is the parameter as written: it is matched octet for octet.
func (p *Part) boundary() string {
	for _, q := range p.Params {
		if len(q.Name) == len("boundary") && bytes.EqualFold([]byte(q.Name), []byte("boundary")) {
			return q.Value
		}
	}
	return p.Param("boundary")
}

// next finds the next boundary line at or after at, which is the start of a line.
func (s *scanner) next(at int) delimiter {
	for s.waiting > 0 && at < len(s.raw) {
		if bytes.HasPrefix(s.raw[at:], dashes) {
			if d, ok := s.match(at, lineEnd(s.raw, at)); ok {
				return d
			}
		}
		n := bytes.Index(s.raw[at:], lineDashes)
		if n < 0 {
			break
		}
		at += n + 1
	}
	return delimiter{start: len(s.raw), frame: -1}
}

var dashes, lineDashes, lineFeed = []byte("--"), []byte("\n--"), []byte("\n")

// match tells whether the line raw[start:end] is a boundary of an open frame,
// the innermost first. White space after it is allowed (RFC 2046 5.1.1), and
// after a closing one anything, as long as no other boundary fits.
func (s *scanner) match(start, end int) (delimiter, bool) {
	if s.waiting == 0 || end-start < 3 || s.raw[start] != '-' || s.raw[start+1] != '-' {
		return delimiter{}, false
	}
	line := bytes.TrimRight(s.raw[start+2:end], " \t\r\n")
	loose := -1
	for i := len(s.open) - 1; i >= 0; i-- {
		b := s.open[i].boundary
		if b == nil || !bytes.HasPrefix(line, b) {
			continue
		}
		rest := line[len(b):]
		if closing := bytes.HasPrefix(rest, dashes); len(rest) == 0 || closing && len(rest) == 2 {
			return delimiter{start: start, next: end, frame: i, closing: closing}, true
		} else if closing && loose < 0 {
			loose = i
		}
	}
	return delimiter{start: start, next: end, frame: loose, closing: true}, loose >= 0
}

// beforeBreak gives the offset before the line break that ends at at: it
// belongs to the boundary after it.
func (s *scanner) beforeBreak(at int) int {
	if at > 0 && s.raw[at-1] == '\n' {
		at--
		if at > 0 && s.raw[at-1] == '\r' {
			at--
		}
	}
	return at
}

// closeAbove ends all parts opened inside frame i; -1 ends all.
func (s *scanner) closeAbove(i, end int) {
	for k := len(s.open) - 1; k > i; k-- {
		f := s.open[k]
		if f.boundary != nil {
			s.waiting--
			s.unclosed = true
		}
		if f.nests {
			s.depth--
		}
		f.part.close(s.raw, end)
		end = f.part.End // a header cut off by the boundary may end after it
	}
	s.open = s.open[:i+1]
}

// number gives every part its IMAP path.
func number(root *Part) {
	type item struct {
		part   *Part
		base   []int // of the message or multipart around
		isBody bool  // the part is the body of a message
	}
	todo := []item{{part: root, isBody: true}}
	for len(todo) > 0 {
		it := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := it.part
		p.Path = it.base
		if it.isBody && !p.isMultipart() {
			p.Path = below(it.base, 1)
		}
		for i, c := range p.Children {
			todo = append(todo, item{part: c, base: below(p.Path, i+1)})
		}
		if p.Message != nil {
			todo = append(todo, item{part: p.Message, base: p.Path, isBody: true})
		}
	}
}

func below(path []int, n int) []int {
	return append(append(make([]int, 0, len(path)+1), path...), n)
}
