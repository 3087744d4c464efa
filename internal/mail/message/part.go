package message

import (
	"bytes"
	"strings"

	"plenary/internal/mail/message/word"
)

// Part is one MIME part. Its header is raw[HeaderStart:BodyStart], with the
// empty line; its body is raw[BodyStart:End], without the line break that
// belongs to the boundary after it (RFC 2046 5.1.1).
type Part struct {
	Path                        []int // IMAP part number (RFC 9051 6.4.5); a multipart that is a whole message has that of the message around it
	HeaderStart, BodyStart, End int   // offsets in octets

	Type, Subtype     string // lower case; text/plain when the field is missing or broken
	Params            []Param
	Disposition       string // lower case, "" when absent
	DispositionParams []Param
	Encoding          string // Content-Transfer-Encoding in lower case, "7bit" when absent
	ID                string // Content-ID as written, with brackets
	Description       string // as written, unfolded, not decoded
	MD5, Location     string
	Languages         []string

	Lines    int     // line breaks in the body; counted for text and message/rfc822 only
	Children []*Part // of a multipart; never empty there
	Message  *Part   // of message/rfc822: the message inside

	written writtenForm
}

// writtenForm keeps what was written where the exported fields hold lower case.
type writtenForm struct{ typ, sub, encoding, disposition string }

// readFields fills in what the header of the part says. inDigest changes the
// default type (RFC 2046 5.1.5).
func (p *Part) readFields(raw []byte, inDigest bool) {
	h := ParseHeader(raw[p.HeaderStart:p.BodyStart])
	w := &p.written
	if v := h.Get("Content-Type"); v != "" {
		w.typ, w.sub, p.Params = parseContentType(v)
	}
	if w.typ == "" {
		w.typ, w.sub = "text", "plain"
		if inDigest {
			w.typ, w.sub = "message", "rfc822"
		}
	}
	p.Type, p.Subtype = strings.ToLower(w.typ), strings.ToLower(w.sub)
	w.encoding = "7bit"
	if v := (&paramReader{in: strings.TrimLeft(h.Get("Content-Transfer-Encoding"), " \t")}).token(); v != "" {
		w.encoding = v
	}
	p.Encoding = strings.ToLower(w.encoding)
	if v := h.Get("Content-Disposition"); v != "" {
		w.disposition, p.DispositionParams = parseDisposition(v)
		p.Disposition = strings.ToLower(w.disposition)
	}
	p.ID, p.Description = h.Get("Content-ID"), h.Get("Content-Description")
	p.MD5, p.Location = h.Get("Content-MD5"), h.Get("Content-Location")
	if v := h.Get("Content-Language"); v != "" {
		p.Languages = languages(v)
	}
}

// languages reads a Content-Language list (RFC 3282).
func languages(value string) []string {
	var list []string
	for _, l := range strings.FieldsFunc(stripComments(value), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if len(list) == maxLanguages {
			break
		}
		list = append(list, strings.Trim(l, `"`))
	}
	return list
}

func (p *Part) isMultipart() bool { return p.Type == "multipart" }

// isMessage tells a part that holds a message IMAP can look into.
func (p *Part) isMessage() bool { return p.Type == "message" && p.Subtype == "rfc822" }

// Param gives a parameter of Content-Type, decoded (RFC 2231, RFC 2047): one
// line of valid UTF-8, "" when absent.
func (p *Part) Param(name string) string { return paramValue(p.Params, name) }

// FileName gives the name the part wants to be saved under, without any path;
// "" when it has none. It is what a stranger wrote: good to show, not to open.
func (p *Part) FileName() string {
	name := paramValue(p.DispositionParams, "filename")
	if name == "" {
		name = p.Param("name")
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if name = strings.Trim(name, " ."); len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return word.Line(name)
}

// isSignature tells the parts that hold how another part was signed or encrypted.
func (p *Part) isSignature() bool {
	return p.Type == "application" && (strings.HasSuffix(p.Subtype, "-signature") || p.Subtype == "pgp-encrypted")
}

// IsAttachment tells a part that is a thing of its own and not text to be read
// in place: disposition attachment, or anything that is neither text nor
// multipart, nor shown inline by reference, nor the signature of another part.
func (p *Part) IsAttachment() bool {
	switch {
	case p.isMultipart(), p.isSignature():
		return false
	case p.Disposition == "attachment":
		return true
	case p.Type == "text" && (p.Subtype == "plain" || p.Subtype == "html" || p.Subtype == "enriched"):
		return p.Disposition != "inline" && p.FileName() != ""
	}
	return p.ID == "" || p.Disposition != "inline" && p.Type != "image"
}

// close sets the end of the part, and what is only known then.
func (p *Part) close(raw []byte, end int) {
	p.End = max(end, p.BodyStart)
	if p.Type == "text" || p.isMessage() {
		p.Lines = bytes.Count(raw[p.BodyStart:p.End], lineFeed)
	}
	if p.isMultipart() && len(p.Children) == 0 {
		// Nothing inside: no boundary, or none that occurs. IMAP has no word for a
		// multipart without parts, and the text must stay within reach (BODY[1]).
		inside := p.whole("text", "plain")
		inside.Lines = bytes.Count(raw[p.BodyStart:p.End], lineFeed)
		p.Children = []*Part{inside}
	}
}

// whole makes a leaf without header that covers the body of p.
func (p *Part) whole(typ, sub string) *Part {
	return &Part{HeaderStart: p.BodyStart, BodyStart: p.BodyStart, End: p.End, Type: typ, Subtype: sub, Encoding: "7bit",
		written: writtenForm{typ: typ, sub: sub, encoding: "7bit"}}
}
