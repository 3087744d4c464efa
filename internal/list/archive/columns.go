package archive

import (
	"encoding/binary"
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// What searching, sorting and threading keep of a header, made once, when a
// post is stored, so that a list of a million posts is not parsed again:
//
//	'c'                                     so that it is no group of the store
//	flags                                   bit 0: there is a Date
//	varint                                  the Date, seconds
//	8 octets                                key of the Message-ID, 0 none
//	uvarint n, n times 8 octets             keys of References (RFC 5256), parent last
//	4 times uvarint length, octets          From, To, Cc, Subject
//
// A field is its values one after another, instanceMark between them; where
// decoding changes a value, decodedMark and the decoded form follow it, and so do
// addresses that do not stand in one piece in it.
const (
	columnsMark  = 'c'
	instanceMark = "\x00"
	decodedMark  = "\x01"
	hasDate      = 1
	maxField     = 256 << 10 // octets of one field
)

// The fields, in the order they are kept.
const (
	inFrom = iota
	inTo
	inCc
	inSubject
	columnFields
)

var columnNames = [columnFields]string{"from", "to", "cc", "subject"}

// columnOf tells which of the columns a field is, -1 for none.
func columnOf(field string) int {
	for i, n := range columnNames {
		if n == field {
			return i
		}
	}
	return -1
}

// Columns makes what is kept of a header; the store keeps it beside the post.
func Columns(h message.Header) []byte {
	var flags byte
	var seconds int64
	if d, ok := h.Date(); ok {
		flags, seconds = hasDate, d.Unix()
	}
	out := binary.AppendVarint([]byte{columnsMark, flags}, seconds)
	var self int64
	if id := h.MessageID(); id != "" {
		self = ThreadKey(id)
	}
	out = binary.BigEndian.AppendUint64(out, uint64(self))
	refs := strictReferences(h)
	out = binary.AppendUvarint(out, uint64(len(refs)))
	for _, id := range refs {
		out = binary.BigEndian.AppendUint64(out, uint64(ThreadKey(id)))
	}
	for i, name := range columnNames {
		f := columnField(h.All(name), i != inSubject)
		out = append(binary.AppendUvarint(out, uint64(len(f))), f...)
	}
	return out
}

// strictReferences are the ids of References, or else the first of In-Reply-To:
// what THREAD counts (RFC 5256 REFERENCES, step 1), unlike the graph of threads.
func strictReferences(h message.Header) []string {
	if h.Has("References") && h.Has("In-Reply-To") {
		var b strings.Builder
		for _, v := range h.All("References") {
			b.WriteString("References: " + v + "\r\n")
		}
		if ids := message.ParseHeader([]byte(b.String())).References(); len(ids) > 0 {
			return ids
		}
	}
	return h.References()
}

func columnField(values []string, addresses bool) string {
	clean := func(s string) string {
		if strings.IndexByte(s, 0) >= 0 || strings.IndexByte(s, 1) >= 0 {
			s = strings.NewReplacer(instanceMark, " ", decodedMark, " ").Replace(s)
		}
		return s
	}
	var b strings.Builder
	for i, v := range values {
		if b.Len()+len(v) > maxField {
			break
		}
		if i > 0 {
			b.WriteString(instanceMark)
		}
		b.WriteString(clean(v))
		if d := message.DecodeWords(v); d != v {
			b.WriteString(decodedMark + clean(d))
		}
		if addresses {
			for _, a := range broken(v) {
				b.WriteString(decodedMark + clean(a))
			}
		}
	}
	if len(values) > 0 && b.Len() == 0 {
		return decodedMark // there, and empty
	}
	return b.String()
}

// maxBroken is how many addresses of one field are put together again.
const maxBroken = 100

// broken gives the addresses of a field that do not stand in it in one piece:
// with comments or space in them. A search for an author looks into the envelope,
// where they do (RFC 9051 6.4.4).
func broken(v string) (whole []string) {
	if !strings.Contains(v, "(") && !strings.Contains(v, " @") && !strings.Contains(v, "@ ") {
		return nil
	}
	for _, e := range address.Scan(v, maxBroken) {
		if e.Local == "" || e.Domain == "" {
			continue
		}
		if a := e.Local + "@" + e.Domain; !strings.Contains(v, a) {
			whole = append(whole, a)
		}
	}
	return whole
}

// record is Columns read again; it refers to the bytes it was read from.
type record struct {
	dated  bool
	date   int64 // seconds
	self   int64
	refs   []byte // 8 octets each
	fields [columnFields][]byte
}

// readColumns takes any bytes; what is not Columns gives ok false.
func readColumns(b []byte) (rec record, ok bool) {
	if len(b) < 2 || b[0] != columnsMark {
		return rec, false
	}
	rec.dated = b[1]&hasDate != 0
	date, n := binary.Varint(b[2:])
	if n <= 0 || len(b) < 2+n+8 {
		return rec, false
	}
	rec.date, b = date, b[2+n:]
	rec.self, b = int64(binary.BigEndian.Uint64(b)), b[8:]
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)-n)/8 {
		return rec, false
	}
	rec.refs, b = b[n:n+8*int(count)], b[n+8*int(count):]
	for i := range rec.fields {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return rec, false
		}
		rec.fields[i], b = b[n:n+int(size)], b[n+int(size):]
	}
	return rec, true
}

// sentSeconds is the sent date of RFC 5256 2.2: the Date field, else the
// internal date.
func (rec *record) sentSeconds(received model.Instant) int64 {
	if rec.dated {
		return rec.date
	}
	return int64(received) / int64(time.Second/time.Microsecond)
}
