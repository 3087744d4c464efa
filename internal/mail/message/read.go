package message

import (
	"strings"

	"plenary/internal/mail/message/word"
)

const (
	maxText  = 4 << 20 // octets of text of each kind; what is longer is cut
	maxFiles = 200     // names of attachments
	maxTexts = 200     // text parts that are decoded
)

// Reading is what a message says, for people and for the index. All texts are
// valid UTF-8 with LF lines, free of NUL and control characters, and cut at 4 MiB.
type Reading struct {
	Plain    string   // the plain text parts in order, format=flowed unwrapped, quote marks kept
	HTML     string   // the HTML parts in order, as they stand: to be sanitised before it is shown
	Body     string   // the text as read, own words only: of plain text, and of HTML that has no plain twin
	Quoted   string   // the quoted lines of the same text, without their marks
	Attached string   // text of attachments and of messages inside, for the index
	Files    []string // names of attachments; the media type where there is no name
	Opaque   bool     // beyond the limits of Scan: nothing was read

	text string // Body and Quoted as they were
}

// Answered gives, of Quoted, what seems to be the own words of the message this
// one answers.
func (r *Reading) Answered() string { return answeredText(r.text) }

// Text is what the message says, in reading order and with its quote marks: plain
// text, and HTML made into text where it has no plain twin.
func (r *Reading) Text() string { return r.text }

// Read reads a message. It never fails; see Structure.Read.
func Read(raw []byte) Reading { return Scan(raw).Read(raw) }

// Read reads the text of a scanned message; raw is what was scanned. Parts that
// are damaged are read as far as they go.
func (s *Structure) Read(raw []byte) Reading {
	if s.Opaque {
		return Reading{Opaque: true}
	}
	r := reader{raw: raw}
	if text, ok := headless(raw, s.Root); ok {
		r.plain.add(text)
		r.body.add(text)
	} else {
		r.walk(s.Root)
		r.preamble(s.Root)
	}
	var out Reading
	out.Plain, out.HTML, out.Attached, out.Files = r.plain.String(), r.html.String(), r.attached.String(), r.files
	out.text = r.body.String()
	out.Body, out.Quoted = splitQuoted(out.text)
	return out
}

// headless gives the text of input that has no header at all: the first
// paragraph is then text as well.
func headless(raw []byte, root *Part) (text string, ok bool) {
	if fieldName(raw[:lineEnd(raw, 0)]) != "" {
		return "", false
	}
	for _, f := range ParseHeader(raw[:root.BodyStart]).fields {
		if f.Name != "" {
			return "", false
		}
	}
	return word.Clean(word.Guess(raw[:min(len(raw), maxLeaf)])), root.isText("plain")
}

// preamble reads the text before the first boundary when the parts have none:
// a broken header can put the text there. What mail programs write there for
// readers without MIME is left out.
func (r *reader) preamble(root *Part) {
	if !root.isMultipart() || r.body.Len()+r.attached.Len() > 0 {
		return
	}
	text := word.Clean(word.Guess(r.raw[root.BodyStart:root.Children[0].HeaderStart]))
	if i := strings.LastIndex(strings.TrimRight(text, "\n"), "\n"); i >= 0 {
		text = text[:i+1] // the last line is the boundary
	} else {
		return
	}
	if strings.TrimSpace(text) != "" && !strings.Contains(text, "MIME") {
		r.body.add(wordsOfHTML(text))
	}
}

// wordsOfHTML is TextOfHTML for a reading: character references can name what
// Clean takes out.
func wordsOfHTML(doc string) string { return word.Clean(TextOfHTML(doc)) }

// reader gathers the texts of one message.
type reader struct {
	raw                         []byte
	plain, html, body, attached gathering
	files                       []string
	texts                       int
}

// gathering is a text that grows up to maxText.
type gathering struct{ strings.Builder }

// add appends a text on a line of its own.
func (g *gathering) add(s string) {
	if room := maxText - g.Len() - 1; len(s) > room {
		s = strings.ToValidUTF8(s[:max(room, 0)], "")
	}
	if s == "" {
		return
	}
	if g.Len() > 0 && !strings.HasSuffix(g.String(), "\n") {
		g.WriteByte('\n')
	}
	g.WriteString(s)
}

// visit is one part to look at, and in what light.
type visit struct {
	part    *Part
	in      *branch // the alternatives around it; nil: none
	foreign bool    // inside an attached message
	first   bool    // the first leaf: text even when it has a name
	related bool    // inside multipart/related: pictures belong to the text
}

// branch is which child of an alternative a part lies in, and so on outwards.
type branch struct {
	of    *Part
	child int
	outer *branch
}

// told is what alternatives have shown in plain text.
type told map[*Part]*shownPlain

// shownPlain is where plain text of an alternative was: among its children, or deeper
// in one of them or in several.
type shownPlain struct {
	itself, several bool
	child           int // the first
}

// note keeps that a part in this branch was plain text.
func (t told) note(in *branch) {
	for b := in; b != nil; b = b.outer {
		seen := t[b.of]
		if seen == nil {
			seen = &shownPlain{child: b.child}
			t[b.of] = seen
		}
		seen.itself = seen.itself || b == in
		seen.several = seen.several || seen.child != b.child
	}
}

// twice reports whether a part in this branch says what plain text has said: of its
// own alternative, or in another child of one further out.
func (t told) twice(in *branch) bool {
	for b := in; b != nil; b = b.outer {
		if seen := t[b.of]; seen != nil && (b == in && seen.itself || seen.several || seen.child != b.child) {
			return true
		}
	}
	return false
}

// walk visits all parts in order without recursion.
func (r *reader) walk(root *Part) {
	todo := []visit{{part: root, first: true}}
	plain := told{}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := v.part
		switch {
		case p.isMultipart():
			children, alternative := p.Children, p.Subtype == "alternative"
			if alternative {
				children = plainFirst(children)
			}
			for i := len(children) - 1; i >= 0; i-- {
				in := v.in
				if alternative {
					in = &branch{p, i, v.in}
				}
				todo = append(todo, visit{part: children[i], in: in, foreign: v.foreign, first: v.first && i == 0, related: v.related || p.Subtype == "related"})
			}
		case p.Message != nil:
			r.inside(p)
			todo = append(todo, visit{part: p.Message, foreign: true, first: true})
		default:
			r.leaf(v, plain)
		}
	}
}

// plainFirst puts plain text before its twins, whose words it stands for.
func plainFirst(alternatives []*Part) []*Part {
	var plain, others []*Part
	for _, p := range alternatives {
		if p.isText("plain") {
			plain = append(plain, p)
		} else {
			others = append(others, p)
		}
	}
	return append(plain, others...)
}

// inside notes an attached message: its name, author and subject.
func (r *reader) inside(p *Part) {
	h := ParseHeader(r.raw[p.Message.HeaderStart:p.Message.BodyStart])
	subject := h.Text("Subject")
	name := p.FileName()
	if name == "" && subject != "" {
		name = subject + ".eml"
	}
	r.file(name, p)
	r.attached.add(strings.TrimSpace(h.Text("From") + "\n" + subject))
}

func (r *reader) file(name string, p *Part) {
	if name == "" {
		name = p.Type + "/" + p.Subtype
	}
	if len(r.files) < maxFiles {
		r.files = append(r.files, name)
	}
}

// leaf reads one single part.
func (r *reader) leaf(v visit, plain told) {
	p := v.part
	attachment := p.IsAttachment() && !(v.first && p.Type == "text") || p.isData()
	if loose := p.ID != "" && p.Type != "text" && !v.related && !p.isSignature(); (attachment || loose) && !v.foreign {
		r.file(p.FileName(), p)
	}
	if !p.hasWords() || r.texts >= maxTexts {
		return
	}
	r.texts++
	twice := plain.twice(v.in)
	text := p.text(r.raw)
	read := text
	switch {
	case p.isText("html"):
		if twice && (v.foreign || attachment) {
			return
		}
		if !twice {
			read = wordsOfHTML(text)
		}
	case p.isText("enriched"), p.isText("richtext"):
		if twice {
			return
		}
		read = wordsOfHTML(text)
	case strings.EqualFold(p.Param("format"), "flowed"):
		text = unflow(text, strings.EqualFold(p.Param("delsp"), "yes"))
		read = text
	}
	switch {
	case attachment || v.foreign || p.isData():
		r.attached.add(read)
	case p.isText("html"):
		r.html.add(text)
		if !twice {
			r.body.add(read)
		}
	default:
		r.plain.add(read)
		r.body.add(read)
	}
	if !attachment && !p.isText("html") && strings.TrimSpace(read) != "" {
		plain.note(v.in)
	}
}

func (p *Part) isText(subtype string) bool { return p.Type == "text" && p.Subtype == subtype }

// isData tells text that is written for programs but full of words for people:
// invitations and visiting cards. It is searched, and not shown as text.
func (p *Part) isData() bool {
	switch p.Subtype {
	case "calendar", "vcard", "x-vcard", "directory", "csv":
		return p.Type == "text"
	}
	return false
}

// hasWords tells a part with text that is worth reading or searching.
func (p *Part) hasWords() bool {
	if p.Type != "text" {
		return p.Type == "message" && (p.Subtype == "delivery-status" || p.Subtype == "disposition-notification")
	}
	switch p.Subtype {
	case "css", "javascript", "rtf", "x-amp-html":
		return false
	}
	return true
}
