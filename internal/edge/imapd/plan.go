package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/mail/message"
)

// plan is what a FETCH asks for, made once for all its messages.
type plan struct {
	uid, flags, size, date, envelope bool
	modseq                           bool // MODSEQ (RFC 7162)
	structure, body                  bool // BODYSTRUCTURE, BODY
	sections                         []section
	sizes                            []section // BINARY.SIZE

	needs [3]bool // shelves
	bytes bool    // message bytes
	heads bool    // of these the headers will do
	scan  bool    // their structure
	marks bool    // sets \Seen
}

// section is one BODY[...] or BINARY[...] item with its name in the response.
type section struct {
	label   string // up to the partial's origin, e.g. BODY[HEADER]
	path    []int
	what    string   // "", HEADER, TEXT, MIME
	fields  [][]byte // HEADER.FIELDS; nil: the whole header
	not     bool     // HEADER.FIELDS.NOT
	usual   bool     // answered from the usual header fields
	binary  bool     // decoded (RFC 3516)
	partial *imap.SectionPartial
}

// planOf reads go-imap's options. The items' text tells what those leave out:
// whether BODY[] was asked for under its old name RFC822, and whether BODY was
// asked for beside BODYSTRUCTURE.
func planOf(o *imap.FetchOptions, args []byte) plan {
	p := plan{uid: o.UID, flags: o.Flags, size: o.RFC822Size, date: o.InternalDate, envelope: o.Envelope}
	labels, structure, body := itemLabels(string(args))
	p.structure = o.BodyStructure != nil && structure
	p.body = o.BodyStructure != nil && (body || !structure)
	for i, item := range o.BodySection {
		s := bodySection(item)
		if len(labels) == len(o.BodySection) && labels[i] != "" {
			s.label = labels[i]
		}
		p.marks = p.marks || !item.Peek
		p.sections = append(p.sections, s)
	}
	for _, item := range o.BinarySection {
		p.marks = p.marks || !item.Peek
		p.sections = append(p.sections, section{label: "BINARY[" + pathText(item.Part) + "]", path: item.Part, binary: true, partial: item.Partial})
	}
	for _, item := range o.BinarySectionSize {
		p.sizes = append(p.sizes, section{label: "BINARY.SIZE[" + pathText(item.Part) + "]", path: item.Part, binary: true})
	}
	p.needs = [3]bool{envelopes: p.envelope, structures: p.structure}
	p.bytes, p.scan = p.body || len(p.sizes) > 0, p.body || len(p.sizes) > 0
	p.heads = !p.bytes
	for _, s := range p.sections {
		p.heads = p.heads && !s.binary && len(s.path) == 0 && s.what == "HEADER"
		p.needs[headers] = p.needs[headers] || s.usual
		p.bytes = p.bytes || !s.usual
		p.scan = p.scan || len(s.path) > 0
	}
	return p
}

// only gives the shelf that is all a message needs.
func (p *plan) only() (kind int, ok bool) {
	for k, need := range p.needs {
		switch {
		case !need:
		case ok:
			return 0, false
		default:
			kind, ok = k, true
		}
	}
	return kind, ok && !p.bytes
}

func bodySection(item *imap.FetchItemBodySection) section {
	s := section{path: item.Part, what: string(item.Specifier), partial: item.Partial}
	var b strings.Builder
	b.WriteString("BODY[" + pathText(item.Part))
	if s.what != "" && len(item.Part) > 0 {
		b.WriteByte('.')
	}
	b.WriteString(s.what)
	names := item.HeaderFields
	if len(names) == 0 {
		names = item.HeaderFieldsNot
		s.not = len(names) > 0
	}
	if len(names) > 0 {
		b.WriteString(".FIELDS")
		if s.not {
			b.WriteString(".NOT")
		}
		b.WriteString(" (")
		s.usual = !s.not && len(item.Part) == 0
		for i, n := range names {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.Write(appendAString(nil, n))
			s.fields = append(s.fields, []byte(n))
			s.usual = s.usual && message.UsualField(n)
		}
		b.WriteByte(')')
	}
	b.WriteByte(']')
	s.label = b.String()
	return s
}

func pathText(path []int) string {
	var b []byte
	for i, n := range path {
		if i > 0 {
			b = append(b, '.')
		}
		b = appendInt(b, int64(n))
	}
	return string(b)
}

// appendAString writes a name as the client may have written it: an atom where
// that will do.
func appendAString(b []byte, s string) []byte {
	if s != "" && all([]byte(s), tagChar) {
		return append(b, s...)
	}
	return appendQuoted(b, []byte(s))
}

// itemLabels goes through the text of a FETCH's items: the old names of
// sections, in their order ("" for BODY[...]), and the two forms of structure.
func itemLabels(args string) (labels []string, structure, body bool) {
	_, items, _ := strings.Cut(args, " ")
	items = strings.TrimSpace(items)
	if strings.HasPrefix(items, "(") {
		items = strings.TrimSuffix(items[1:], ")")
	}
	for items != "" {
		var item string
		item, items = cutItem(items)
		switch item = strings.ToUpper(item); {
		case item == "BODYSTRUCTURE":
			structure = true
		case item == "BODY" || item == "FULL":
			body = true
		case item == "RFC822.PEEK":
			labels = append(labels, "RFC822")
		case item == "RFC822" || item == "RFC822.HEADER" || item == "RFC822.TEXT":
			labels = append(labels, item)
		case strings.HasPrefix(item, "BODY"):
			labels = append(labels, "")
		}
	}
	return labels, structure, body
}

// cutItem takes one item off the front: up to a space outside brackets, lists
// and quotes.
func cutItem(s string) (item, rest string) {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '(':
			depth++
		case c == ']' || c == ')':
			depth--
		case c == ' ' && depth <= 0:
			return s[:i], strings.TrimLeft(s[i:], " ")
		}
	}
	return s, ""
}
