package compose

import (
	"bytes"
	"strings"

	"plenary/internal/mail/message"
	"plenary/internal/mail/message/word"
)

// stepSubject puts the tag before the raw value and leaves the rest as it is,
// encoded words included. A subject that bears the tag anywhere keeps it there:
// "Re: [talk] Hours" does not become "[talk] Re: [talk] Hours".
func stepSubject(d *Draft) {
	tag := cut(word.Line(d.options.Tag), maxPhrase)
	if tag == "" {
		return
	}
	for _, f := range d.header.Fields() {
		if !strings.EqualFold(f.Name, "Subject") {
			continue
		}
		if !strings.Contains(strings.ToLower(d.header.Text("Subject")), strings.ToLower(tag)) {
			d.replace(f.Start, f.End, tagged(d.header.Raw(f), tag))
		}
		return
	}
	d.add(field("Subject", encodeTag(tag)))
}

// tagged puts the tag after the colon of a raw Subject field.
func tagged(raw []byte, tag string) []byte {
	colon := bytes.IndexByte(raw, ':') + 1
	value := raw[colon:]
	out := folded(bytes.Clone(raw[:colon]), encodeTag(tag))
	if len(bytes.TrimSpace(value)) == 0 {
		return append(out, "\r\n"...)
	}
	first, _, _ := bytes.Cut(value, []byte("\n"))
	column := len(out) - 1 - bytes.LastIndexByte(out, '\n')
	if column+len(first) > foldAt {
		out = append(out, "\r\n"...) // the value stays in one piece, on a line of its own
	}
	if value[0] != ' ' && value[0] != '\t' {
		out = append(out, ' ')
	}
	return append(out, value...)
}

// encodeTag gives the tag as header text. White space between two encoded words
// is not shown (RFC 2047 6.2): behind an encoded tag comes a word that is a space.
func encodeTag(tag string) string {
	e := message.EncodeText(tag)
	if e != tag {
		e += " =?utf-8?q?_?="
	}
	return e
}
