package imapd

import (
	"bytes"
	"strconv"

	"plenary/internal/mail/message"
)

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// composer appends one or more responses to the front's buffer. Large literals
// pass it by.
type composer struct {
	f   *front
	b   []byte
	err error
}

// compose gathers responses: whole lines when fill is done.
func (f *front) compose(fill func(w *composer) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	w := composer{f: f, b: *f.buffer()}
	err := fill(&w)
	*f.buffer() = w.b
	if err == nil && (len(w.b) >= flushAt || f.waiting) {
		err = f.flushLocked()
	}
	return err
}

// literal appends data as a literal.
func (w *composer) literal(data []byte) {
	w.b = append(appendInt(append(w.b, '{'), int64(len(data))), "}\r\n"...)
	if len(data) < flushAt {
		w.b = append(w.b, data...)
		return
	}
	w.flush()
	if w.err == nil {
		w.err = w.f.send(data)
	}
}

// flush writes what is there. An error stays until the end of the response;
// what is appended after it goes nowhere.
func (w *composer) flush() {
	if w.err != nil {
		return
	}
	*w.f.buffer() = w.b
	w.err = w.f.flushLocked()
	w.b = *w.f.buffer()
}

// message appends the response for one row; raw is nil when the plan needs no
// bytes.
func (f *fetching) message(w *composer, i int, light [3][]byte, raw []byte) {
	row, begin := f.sel.rows[i], len(w.b)
	w.b = append(appendInt(append(w.b, "* "...), int64(i+1)), " FETCH ("...)
	start := len(w.b)
	sep := func() {
		if len(w.b) != start {
			w.b = append(w.b, ' ')
		}
	}
	if f.plan.uid {
		w.b = appendInt(append(w.b, "UID "...), int64(row.UID))
	}
	if f.plan.flags || f.now[row.UID] {
		sep()
		w.b = f.sel.appendFlagItem(w.b, row.UID)
	}
	if f.modseqs != nil && (f.plan.modseq || f.now[row.UID]) {
		sep()
		w.b = appendModSeq(w.b, f.modseqs[i-f.first])
	}
	if f.plan.date {
		sep()
		w.b = append(row.ReceivedAt.Time().AppendFormat(append(w.b, `INTERNALDATE "`...), "_2-Jan-2006 15:04:05 -0700"), '"')
	}
	if f.plan.size {
		sep()
		w.b = appendInt(append(w.b, "RFC822.SIZE "...), int64(row.Size))
	}
	if f.plan.envelope {
		sep()
		w.b = append(append(w.b, "ENVELOPE "...), light[envelopes]...)
	}
	if f.plan.structure {
		sep()
		w.b = append(append(w.b, "BODYSTRUCTURE "...), light[structures]...)
	}
	if len(f.plan.sections)+len(f.plan.sizes) > 0 || f.plan.body {
		if !f.parts(w, len(w.b) != start, &part{raw: raw, headerLen: int(row.HeaderLen), usual: light[headers], scratch: f.scratch[:0]}) {
			w.b = w.b[:begin] // nothing is to be told
			return
		}
	}
	w.b = append(w.b, ")\r\n"...)
	if len(w.b) >= flushAt {
		w.flush()
	}
}

func appendModSeq(b []byte, n uint64) []byte {
	return append(strconv.AppendUint(append(b, "MODSEQ ("...), n, 10), ')')
}

// part is a message being taken apart.
type part struct {
	raw       []byte
	headerLen int
	usual     []byte // the usual header fields, when nothing else is needed
	structure *message.Structure
	scratch   []byte
	strange   bool // a part could not be decoded
}

// parts appends the sections of a message; some says whether items stand before
// them, and the answer whether items stand there now.
func (f *fetching) parts(w *composer, some bool, m *part) bool {
	if f.plan.scan {
		m.structure = message.Scan(m.raw)
	}
	item := func(label string) {
		if some {
			w.b = append(w.b, ' ')
		}
		some = true
		w.b = append(w.b, label...)
	}
	if f.plan.body {
		item("BODY ")
		w.b = append(w.b, m.structure.Body(m.raw)...)
	}
	for i := range f.plan.sections {
		s := &f.plan.sections[i]
		item(s.label)
		data, there := m.section(s)
		if s.partial != nil {
			w.b = append(appendInt(append(w.b, '<'), s.partial.Offset), '>')
			data = cut(data, s.partial.Offset, s.partial.Size)
		}
		w.b = append(w.b, ' ')
		if !there {
			w.b = append(w.b, "NIL"...)
			continue
		}
		switch nul := bytes.IndexByte(data, 0) >= 0; {
		case nul && s.binary:
			w.b = append(w.b, '~') // RFC 3516 4.3: literal8
		case nul:
			data = withoutNULs(data)
		}
		w.literal(data)
	}
	for i := range f.plan.sizes {
		s := &f.plan.sizes[i]
		octets, there := m.decoded(s.path)
		if !there && m.structure.Find(s.path) != nil {
			continue // nobody knows its size; of a part that there is not it is 0
		}
		item(s.label)
		w.b = appendInt(append(w.b, ' '), int64(len(octets)))
	}
	f.scratch, f.strange = m.scratch, f.strange || m.strange
	return some
}

// withoutNULs is data as a literal may carry it (RFC 9051 9, CHAR8): 0x80 stands
// where a NUL was, so that sizes and offsets stay. data belongs to others too.
func withoutNULs(data []byte) []byte { return bytes.ReplaceAll(data, []byte{0}, []byte{0x80}) }

// cut is the part of data from offset on, of at most n octets. Both come from
// the client and may be any number.
func cut(data []byte, offset, n int64) []byte {
	offset = min(max(offset, 0), int64(len(data)))
	data = data[offset:]
	return data[:min(max(n, 0), int64(len(data)))]
}
