package message

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxToken     = 1 << 20 // octets of one HTML token; a longer one ends the reading
	maxQuoteMark = 10      // levels of <blockquote> that are shown
)

// TextOfHTML gives the words of an HTML document as plain text: blocks become
// lines, quotations get "> " in front, images their alternative text; scripts,
// styles and the head are left out. It is a reading aid and no filter: the
// result is text, not HTML. The tokens are taken one by one, so time is linear
// and nesting costs nothing.
func TextOfHTML(doc string) string {
	w := htmlWriter{}
	z := html.NewTokenizer(strings.NewReader(doc))
	z.SetMaxBuf(maxToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(w.out.String())
		case html.TextToken:
			if w.skip == 0 {
				w.text(string(z.Text()))
			}
		case html.StartTagToken:
			w.start(z, false)
		case html.SelfClosingTagToken:
			w.start(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(atom.Lookup(name))
		}
	}
}

// htmlWriter is the state of one TextOfHTML.
type htmlWriter struct {
	out    strings.Builder
	quote  int       // open blockquotes
	least  int       // the fewest since the last word: what empty lines there belong to
	pre    int       // open pre elements
	skip   atom.Atom // the element whose content is left out, until its end tag
	breaks int       // line breaks owed before the next word
	space  bool      // a space is owed
	begun  bool      // something is on the current line
}

func (w *htmlWriter) start(z *html.Tokenizer, closed bool) {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	if w.skip != 0 {
		return
	}
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Template, atom.Noscript, atom.Object:
		if !closed {
			w.skip = tag
		}
	case atom.Br:
		w.line(1, true)
	case atom.Hr:
		w.line(1, false)
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table, atom.Ul, atom.Ol, atom.Dl:
		w.line(2, false)
	case atom.Div, atom.Tr, atom.Dt, atom.Dd, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Address, atom.Center, atom.Form:
		w.line(1, false)
	case atom.Li:
		w.line(1, false)
		w.word("-")
		w.space = true
	case atom.Td, atom.Th:
		w.space = w.begun
	case atom.Pre:
		w.line(1, false)
		w.pre++
	case atom.Blockquote:
		w.line(1, false)
		w.quote++
	case atom.Img:
		if alt := attribute(z, more, "alt"); alt != "" {
			w.text(" " + alt + " ")
		}
	}
}

func (w *htmlWriter) end(tag atom.Atom) {
	if w.skip != 0 {
		if tag == w.skip {
			w.skip = 0
		}
		return
	}
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table, atom.Ul, atom.Ol, atom.Dl:
		w.line(2, false)
	case atom.Div, atom.Tr, atom.Li, atom.Dt, atom.Dd, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Address, atom.Center, atom.Form:
		w.line(1, false)
	case atom.Pre:
		w.line(1, false)
		w.pre = max(w.pre-1, 0)
	case atom.Blockquote:
		w.line(1, false)
		w.quote = max(w.quote-1, 0)
		w.least = min(w.least, w.quote)
	}
}

// attribute gives one attribute of the current tag.
func attribute(z *html.Tokenizer, more bool, name string) string {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) == name {
			return string(value)
		}
	}
	return ""
}

// line owes n line breaks: as many more when add is set, no less otherwise.
func (w *htmlWriter) line(n int, add bool) {
	w.space = false
	if add {
		w.breaks = min(w.breaks+n, 3)
	} else {
		w.breaks = max(w.breaks, n)
	}
}

// text writes words, with white space made single outside pre.
func (w *htmlWriter) text(s string) {
	if w.pre > 0 {
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				w.line(1, true)
			}
			if line = strings.TrimRight(line, "\r"); line != "" {
				w.word(line)
			}
		}
		return
	}
	for s != "" {
		n := strings.IndexFunc(s, isHTMLSpace)
		switch {
		case n == 0:
			w.space = w.begun && w.breaks == 0 || w.space
			s = strings.TrimLeftFunc(s, isHTMLSpace)
			continue
		case n < 0:
			n = len(s)
		}
		w.word(s[:n])
		s = s[n:]
	}
}

func isHTMLSpace(r rune) bool {
	return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' || r == 0xA0
}

// word writes what is owed, and then a word.
func (w *htmlWriter) word(s string) {
	if w.breaks > 0 && w.out.Len() > 0 {
		for range w.breaks - 1 {
			w.out.WriteByte('\n')
			w.out.WriteString(strings.TrimRight(mark(w.least), " "))
		}
		w.out.WriteByte('\n')
		w.begun = false
	}
	w.breaks, w.least = 0, w.quote
	if !w.begun {
		w.out.WriteString(mark(w.quote))
		w.begun, w.space = true, false
	}
	if w.space {
		w.out.WriteByte(' ')
		w.space = false
	}
	w.out.WriteString(s)
}

// mark is what stands before each line of a quotation this deep.
func mark(quote int) string { return strings.Repeat("> ", min(quote, maxQuoteMark)) }
