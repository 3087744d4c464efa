package bounce

import (
	"bytes"
	"slices"
	"strings"

	"plenary/internal/mail/message"
)

// How much is kept of a report.
const (
	maxKept   = 64 << 10 // octets in all
	maxHeader = 16 << 10 // of a header, the report's own or a returned one's
	maxText   = 8 << 10  // of a text for people
)

// kept is what is kept of a report. A small one is kept byte for byte. Of a large one
// stay the header, what machines read, the header of the message that came
// back, and the beginning of the text: the rest is a post we have, or somebody's load.
func kept(raw []byte) []byte {
	if len(raw) <= maxKept {
		return raw
	}
	root := message.Scan(raw).Root
	boundary := root.Param("boundary")
	if len(root.Children) == 0 || boundary == "" || !bytes.Contains(raw, []byte("--"+boundary)) {
		return cut(raw, maxKept)
	}
	out := bytes.Clone(cutHeader(raw[:root.BodyStart], maxHeader))
	if !bytes.HasSuffix(out, []byte("\n\r\n")) && !bytes.HasSuffix(out, []byte("\n\n")) {
		out = append(out, "\r\n"...)
	}
	end := "--" + boundary + "--\r\n"
	var texts [][]byte
	for _, p := range leaves(root) {
		part, machine := excerpt(raw, p)
		if !machine {
			texts = append(texts, part)
			continue
		}
		out = add(out, part, boundary)
	}
	for _, part := range texts {
		out = add(out, part, boundary)
	}
	return append(out, end...)
}

// add puts a part behind the others where there is room.
func add(out, part []byte, boundary string) []byte {
	if len(part) == 0 || len(out)+len(part)+2*len(boundary)+16 > maxKept {
		return out
	}
	out = append(append(append(out, "--"+boundary+"\r\n"...), part...), "\r\n"...)
	return out
}

// excerpt gives what is kept of a part; machine tells that a program reads it.
func excerpt(raw []byte, p *message.Part) (part []byte, machine bool) {
	whole := raw[p.HeaderStart:p.End]
	switch p.Type + "/" + p.Subtype {
	case "message/delivery-status", "message/global-delivery-status", "message/feedback-report", "message/disposition-notification":
		return cut(whole, maxHeader), true
	case "text/rfc822-headers", "message/global-headers":
		return cut(whole, maxHeader), true
	case "message/rfc822":
		if p.Message == nil {
			return cut(whole, maxHeader), true
		}
		part = bytes.Clone(cutHeader(raw[p.HeaderStart:p.BodyStart], maxHeader/2))
		return append(part, cutHeader(raw[p.BodyStart:p.Message.BodyStart], maxHeader-len(part))...), true
	case "text/plain":
		return cut(whole, maxText), false
	}
	return nil, false
}

// leaves gives the parts that are no multipart, in order; what is inside a message
// that came back is not looked at.
func leaves(root *message.Part) (all []*message.Part) {
	for todo := []*message.Part{root}; len(todo) > 0; {
		p := todo[0]
		if todo = todo[1:]; len(p.Children) > 0 {
			todo = append(append([]*message.Part{}, p.Children...), todo...)
			continue
		}
		all = append(all, p)
	}
	return all
}

// firstFields are kept of a long header before any other; the last may be long itself.
var firstFields = []string{"content-type", "mime-version", "auto-submitted", "message-id", "date", "from", "subject", "to"}

// cutHeader gives at most max octets of a header: the fields a report is understood
// by, then the others as far as there is room.
func cutHeader(b []byte, max int) []byte {
	if len(b) <= max {
		return b
	}
	h := message.ParseHeader(b)
	rank := func(f message.Field) int {
		if i := slices.Index(firstFields, strings.ToLower(f.Name)); i >= 0 {
			return i
		}
		return len(firstFields)
	}
	fields := slices.Clone(h.Fields())
	slices.SortStableFunc(fields, func(a, b message.Field) int { return rank(a) - rank(b) })
	const lineEnd = "\r\n"
	var out []byte
	for _, f := range fields {
		raw := h.Raw(f)
		if len(out)+len(raw)+2*len(lineEnd) > max {
			continue
		}
		out = append(out, raw...)
		if !bytes.HasSuffix(raw, []byte("\n")) { // the last one of a header without a body
			out = append(out, lineEnd...)
		}
	}
	return append(out, lineEnd...)
}

// cut gives the first max octets, up to a line's end where there is one.
func cut(b []byte, max int) []byte {
	if len(b) <= max {
		return b
	}
	b = b[:max]
	if at := bytes.LastIndexByte(b, '\n'); at >= 0 {
		b = b[:at+1]
	}
	return b
}
