package message

import (
	"strconv"
	"strings"
)

// BodyStructure gives the BODYSTRUCTURE of a message as IMAP writes it,
// extension data included (RFC 9051 7.5.2). raw is what was scanned.
func (s *Structure) BodyStructure(raw []byte) []byte { return s.render(raw, true) }

// Body gives the BODY form: BodyStructure without extension data.
func (s *Structure) Body(raw []byte) []byte { return s.render(raw, false) }

// bodyWriter renders a tree without recursion.
type bodyWriter struct {
	raw      []byte
	dst      []byte
	extended bool
	todo     []bodyStep
}

// bodyStep is a part to begin, or one to end whose inside is written.
type bodyStep struct {
	part *Part
	end  bool
}

func (s *Structure) render(raw []byte, extended bool) []byte {
	w := bodyWriter{raw: raw, dst: make([]byte, 0, 256), extended: extended, todo: []bodyStep{{part: s.Root}}}
	for len(w.todo) > 0 {
		step := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if step.end {
			w.finish(step.part)
		} else {
			w.begin(step.part)
		}
	}
	return w.dst
}

// begin writes a part up to where its inside stands.
func (w *bodyWriter) begin(p *Part) {
	w.text("(")
	w.todo = append(w.todo, bodyStep{part: p, end: true})
	if p.isMultipart() {
		for i := len(p.Children) - 1; i >= 0; i-- {
			w.todo = append(w.todo, bodyStep{part: p.Children[i]})
		}
		return
	}
	w.basic(p)
	if p.Message != nil {
		w.text(" ")
		w.dst = append(w.dst, Envelope(ParseHeader(w.raw[p.Message.HeaderStart:p.Message.BodyStart]))...)
		w.text(" ")
		w.todo = append(w.todo, bodyStep{part: p.Message})
	}
}

// basic writes the seven fields every single part has.
func (w *bodyWriter) basic(p *Part) {
	w.dst = appendString(w.dst, p.written.typ)
	w.text(" ")
	w.dst = appendString(w.dst, p.written.sub)
	w.text(" ")
	w.params(p.Params, p.Type == "text")
	w.text(" ")
	w.dst = appendNString(w.dst, p.ID)
	w.text(" ")
	w.dst = appendNString(w.dst, p.Description)
	w.text(" ")
	w.dst = appendString(w.dst, p.written.encoding)
	w.text(" ")
	w.number(p.End - p.BodyStart)
}

// finish writes what follows the inside of a part.
func (w *bodyWriter) finish(p *Part) {
	switch {
	case p.isMultipart():
		w.text(" ")
		w.dst = appendString(w.dst, p.written.sub)
		if w.extended {
			w.text(" ")
			w.params(p.Params, false)
		}
	case p.Message != nil || p.Type == "text":
		w.text(" ")
		w.number(p.Lines)
	}
	if w.extended {
		if !p.isMultipart() {
			w.text(" ")
			w.dst = appendNString(w.dst, p.MD5)
		}
		w.text(" ")
		w.disposition(p)
		w.text(" ")
		w.languages(p)
		w.text(" ")
		w.dst = appendNString(w.dst, p.Location)
	}
	w.text(")")
}

// params writes a parameter list; text has always a charset (RFC 2046 4.1.2).
func (w *bodyWriter) params(params []Param, text bool) {
	if len(params) == 0 && !text {
		w.text("NIL")
		return
	}
	w.text("(")
	for i, p := range params {
		if i > 0 {
			w.text(" ")
		}
		w.dst = appendString(w.dst, p.Name)
		w.text(" ")
		w.dst = appendString(w.dst, p.Value)
		text = text && !strings.EqualFold(p.Name, "charset")
	}
	if text {
		if len(params) > 0 {
			w.text(" ")
		}
		w.text(`"charset" "us-ascii"`)
	}
	w.text(")")
}

func (w *bodyWriter) disposition(p *Part) {
	if p.Disposition == "" {
		w.text("NIL")
		return
	}
	w.text("(")
	w.dst = appendString(w.dst, p.written.disposition)
	w.text(" ")
	w.params(p.DispositionParams, false)
	w.text(")")
}

func (w *bodyWriter) languages(p *Part) {
	if len(p.Languages) == 0 {
		w.text("NIL")
		return
	}
	for i, l := range p.Languages {
		if i == 0 {
			w.text("(")
		} else {
			w.text(" ")
		}
		w.dst = appendString(w.dst, l)
	}
	w.text(")")
}

func (w *bodyWriter) text(s string) { w.dst = append(w.dst, s...) }
func (w *bodyWriter) number(n int)  { w.dst = strconv.AppendInt(w.dst, int64(n), 10) }
