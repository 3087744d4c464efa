package message

import (
	"bytes"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
)

// Field is the place of one header field: raw[Start:End], End after the last
// line break of the field. Name is as written; it is empty for a line that is
// no field, such as an mbox "From " line.
type Field struct {
	Name       string
	Start, End int
}

// Header is a header parsed once. It refers to the bytes it was parsed from;
// they must not change while it is used. The zero value is an empty header.
type Header struct {
	raw    []byte
	fields []Field
	size   int
}

// usualFields is how many fields most headers have at most.
const usualFields = 32

// ParseHeader reads the header at the start of raw, up to and with the first
// empty line, or to the end when there is none. Lines may end in CRLF or LF. At
// most MaxFields fields are recorded; the length is right in any case.
func ParseHeader(raw []byte) Header {
	h := Header{raw: raw, fields: make([]Field, 0, usualFields)}
	for at := 0; at < len(raw); {
		end := lineEnd(raw, at)
		line := raw[at:end]
		if isBlankLine(line) {
			at = end
			h.size = at
			return h
		}
		fold := line[0] == ' ' || line[0] == '\t'
		switch {
		case fold && len(h.fields) > 0 && h.fields[len(h.fields)-1].End == at:
			h.fields[len(h.fields)-1].End = end
		case len(h.fields) < MaxFields:
			h.fields = append(h.fields, Field{Name: fieldName(line), Start: at, End: end})
		}
		at = end
	}
	h.size = len(raw)
	return h
}

// lineEnd gives the offset after the line that begins at at.
func lineEnd(raw []byte, at int) int {
	if n := bytes.IndexByte(raw[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(raw)
}

// isBlankLine tells an empty line, with its line break or without.
func isBlankLine(line []byte) bool {
	switch len(line) {
	case 1:
		return line[0] == '\n'
	case 2:
		return line[0] == '\r' && line[1] == '\n'
	}
	return len(line) == 0
}

// fieldName finds the name of the field in a line, or "". White space before
// the colon is forgiven (RFC 5322 4.5).
func fieldName(line []byte) string {
	colon := bytes.IndexByte(line[:min(len(line), maxName+1)], ':')
	if colon <= 0 {
		return ""
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7F {
			return ""
		}
	}
	if known, ok := knownNames[string(name)]; ok { // no allocation for the usual ones
		return known
	}
	return string(name)
}

// Len is the length of the header in octets, with the empty line that ends it.
func (h Header) Len() int { return h.size }

// Fields gives all fields in order, at most MaxFields.
func (h Header) Fields() []Field { return h.fields }

// Raw gives the bytes of one field, name and line breaks included.
func (h Header) Raw(f Field) []byte { return h.raw[f.Start:f.End] }

// Has tells whether a field of that name, in any case, is there.
func (h Header) Has(name string) bool {
	_, ok := h.find(name)
	return ok
}

// find gives the first field of that name.
func (h Header) find(name string) (Field, bool) {
	for _, f := range h.fields {
		if len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// Get gives the value of the first field of that name: unfolded (each line
// break with the white space octet after it is one space), not decoded,
// trimmed. It may hold any octets but CR and LF.
func (h Header) Get(name string) string {
	f, ok := h.find(name)
	if !ok {
		return ""
	}
	return h.value(f)
}

// All gives the values of all fields of that name, as Get does.
func (h Header) All(name string) []string {
	var values []string
	for _, f := range h.fields {
		if len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			values = append(values, h.value(f))
		}
	}
	return values
}

// value unfolds the value of a field.
func (h Header) value(f Field) string {
	raw := h.raw[f.Start:f.End]
	raw = raw[bytes.IndexByte(raw, ':')+1:]
	return unfold(bytes.Trim(raw, " \t\r\n"))
}

// unfold replaces each line break and the white space octet after it by one
// space, as Dovecot does; a lone CR counts as a line break.
func unfold(raw []byte) string {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			i++
			c = '\n'
		}
		if c != '\n' && c != '\r' {
			out = append(out, c)
			continue
		}
		if i+1 < len(raw) && (raw[i+1] == ' ' || raw[i+1] == '\t') {
			i++
		}
		out = append(out, ' ')
	}
	return string(out)
}

// Text gives the first field of that name for people: RFC 2047 words decoded,
// valid UTF-8, one line, no control characters. Raw 8-bit text that is not
// UTF-8 is read in the charset of the body when that is declared.
func (h Header) Text(name string) string {
	return word.Line(word.DecodeHint(h.Get(name), h.charset()))
}

// charset is the charset of the message's own Content-Type, or "".
func (h Header) charset() string {
	ct := h.Get("Content-Type")
	if ct == "" {
		return ""
	}
	_, _, params := parseContentType(ct)
	return paramValue(params, "charset")
}

// Addresses gives the mailboxes of all fields of that name.
func (h Header) Addresses(name string) []address.Mailbox {
	var boxes []address.Mailbox
	for _, value := range h.All(name) {
		if boxes == nil {
			boxes = address.ParseList(value)
		} else {
			boxes = append(boxes, address.ParseList(value)...)
		}
	}
	return boxes
}

// DecodeWords decodes the RFC 2047 words of an unstructured value and reads raw
// 8-bit text; the result is valid UTF-8.
func DecodeWords(s string) string { return word.Decode(s) }

// EncodeText writes text as the value of an unstructured field (RFC 2047): one
// line, ASCII only, encoded words parted by single spaces.
func EncodeText(s string) string { return word.EncodeText(s) }

// CleanText makes s fit to store and to show: valid UTF-8, lines ended by LF,
// no NUL and no control characters but LF and TAB.
func CleanText(s string) string { return word.Clean(s) }
