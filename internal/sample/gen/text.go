package gen

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// para is one logical line of a text: what a person types between two
// strokes of the return key.
type para struct {
	depth int      // how many marks of quoting stand before it
	text  string   // whole
	lines []string // as the client breaks it, without the marks
	sig   bool     // belongs to the signature
}

// write makes the text of m: directives carried out, signature added, lines
// broken as its client breaks them.
func (b *builder) write(m *Message) error {
	src := m.text
	for len(src) > 0 && src[len(src)-1] == "" {
		src = src[:len(src)-1]
	}
	tail := len(src)
	if tail > 0 && (src[tail-1] == "[[all]]" || src[tail-1] == "[[original]]") {
		tail--
	}
	for _, line := range src[:tail] {
		if err := b.writeLine(m, line); err != nil {
			return err
		}
	}
	if len(src) > 0 {
		m.sign()
	}
	for _, line := range src[tail:] {
		if err := b.writeLine(m, line); err != nil {
			return err
		}
	}
	for i := range m.paras {
		p := &m.paras[i]
		if p.lines == nil {
			p.lines = wrap(p.text, m.client, p.depth)
		}
	}
	return nil
}

func (b *builder) writeLine(m *Message, line string) error {
	inner, ok := strings.CutPrefix(line, "[[")
	inner, closed := strings.CutSuffix(inner, "]]")
	if !ok || !closed {
		depth, text := unquote(line)
		if m.client.smart && depth == 0 {
			text = typographic(text)
		}
		m.paras = append(m.paras, para{depth: depth, text: text})
		return nil
	}
	verb, words, _ := strings.Cut(inner, " ")
	parent := b.byKey[m.set["re"]]
	if key, rest, ok := strings.Cut(words, "|"); ok { // [[quote KEY|words]]: not the parent
		parent, words = b.byKey[key], rest
	}
	if parent == nil {
		return fmt.Errorf("%s: no message to quote", line)
	}
	switch verb {
	case "said":
		m.say(said(m, parent))
	case "all":
		m.say(said(m, parent))
		m.quote(parent.paras)
	case "original":
		for _, s := range original(m, parent, b.list) {
			m.say(s)
		}
		m.paras = append(m.paras, parent.paras...)
	case "quote":
		if parent.client.smart && !strings.HasPrefix(words, ">") {
			words = typographic(words)
		}
		block := findBlock(parent.paras, words)
		if block == nil {
			return fmt.Errorf("%s: %s has no such words", line, parent.Key)
		}
		m.quote(block)
	default:
		return fmt.Errorf("%s: no such directive", line)
	}
	return nil
}

// say adds a line that only some clients break.
func (m *Message) say(s string) {
	p := para{text: s}
	if m.client.name != "web" {
		p.lines = []string{s}
	}
	m.paras = append(m.paras, p)
}

func (m *Message) quote(block []para) {
	for _, p := range block {
		for _, line := range p.lines {
			m.paras = append(m.paras, para{depth: p.depth + 1, text: line, sig: p.sig})
		}
	}
}

// sign adds the author's signature, unless "sig: no" or another text says otherwise.
func (m *Message) sign() {
	sig := m.Author.sig
	if s := m.set["sig"]; s == "no" {
		return
	} else if s != "" {
		sig = []string{s}
	}
	if len(sig) == 0 {
		return
	}
	for n := len(m.paras); n > 0 && m.paras[n-1].text == ""; n-- {
		m.paras = m.paras[:n-1]
	}
	m.paras = append(m.paras, para{})
	if m.client.sigMark != "" {
		m.paras = append(m.paras, para{text: m.client.sigMark, lines: []string{m.client.sigMark}, sig: true})
	}
	for _, s := range sig {
		m.paras = append(m.paras, para{text: s, sig: true})
	}
	if m.tail() {
		m.paras = append(m.paras, para{})
	}
}

// tail tells whether a quoted original follows below the signature.
func (m *Message) tail() bool {
	for i := len(m.text) - 1; i >= 0; i-- {
		if m.text[i] != "" {
			return strings.HasPrefix(m.text[i], "[[all") || strings.HasPrefix(m.text[i], "[[original")
		}
	}
	return false
}

// findBlock gives what "words" or "words ... last words" stand for: the block
// of lines, up to the next blank one, that begins with words; or, when words
// stand inside a line or an end is given, that piece of the line. Words may
// begin with ">" to find what was quoted already.
func findBlock(paras []para, words string) []para {
	depth, words := unquote(words)
	words, last, piece := strings.Cut(words, " ... ")
	for i, p := range paras {
		at := strings.Index(p.text, words)
		if p.sig || p.depth != depth || at < 0 {
			continue
		}
		if at > 0 || piece {
			end := strings.Index(p.text[at:], last)
			if !piece {
				end = len(p.text) - at
			}
			if end < 0 {
				continue
			}
			text := p.text[at : at+end+len(last)]
			return []para{{depth: depth, text: text, lines: fold(text, 72)}}
		}
		end := i + 1
		for end < len(paras) && paras[end].depth == depth && strings.TrimSpace(paras[end].text) != "" {
			end++
		}
		return paras[i:end]
	}
	return nil
}

// unquote counts and removes the marks of quoting before a line.
func unquote(s string) (depth int, text string) {
	if !strings.HasPrefix(s, ">") || strings.HasPrefix(s, ">From ") {
		return 0, s
	}
	for {
		rest, ok := strings.CutPrefix(strings.TrimLeft(s, " "), ">")
		if !ok {
			return depth, strings.TrimPrefix(s, " ")
		}
		depth, s = depth+1, rest
	}
}

// wrap breaks a line at blanks. Lines laid out by hand (beginning with a blank
// or a bar, or holding a tab) stay as they are.
func wrap(s string, c client, depth int) []string {
	width := c.wrap - 2*depth
	if c.wrap == 0 || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "|") || strings.Contains(s, "\t") {
		return []string{s}
	}
	if c.flowed {
		return []string{s} // one paragraph; broken when written
	}
	if depth > 0 {
		width += 6 // clients leave what is quoted some room before they break it again
	}
	return fold(s, width)
}

// fold breaks s at blanks into lines of at most width characters.
func fold(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(s, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// typographic gives the quotes and dashes an office client makes of typed ones.
func typographic(s string) string {
	var out strings.Builder
	open := true
	for _, r := range s {
		switch r {
		case '\'':
			r = '’'
		case '"':
			r = '“'
			if !open {
				r = '”'
			}
			open = !open
		}
		out.WriteRune(r)
	}
	return strings.ReplaceAll(out.String(), " - ", " – ")
}

// plain gives the text part as the client writes it, LF line ends.
func (m *Message) plain() string {
	var out strings.Builder
	for _, p := range m.paras {
		mark := strings.Repeat("> ", p.depth)
		if m.client.flowed && p.depth > 0 {
			mark = strings.Repeat(">", p.depth) + " "
		}
		for _, line := range p.lines {
			if line == "" {
				mark = strings.TrimRight(mark, " ")
			}
			if m.client.flowed && !p.sig {
				flow(&out, mark, line, m.client.wrap)
				continue
			}
			out.WriteString(mark + line + "\n")
		}
	}
	if out.Len() == 0 {
		return "\n"
	}
	return out.String()
}

// flow writes one paragraph as RFC 3676 says: every line but the last ends in
// a blank, and lines that could be mistaken begin with one (4.4).
func flow(out *strings.Builder, mark, line string, width int) {
	parts := []string{line}
	if mark != "" {
		width = 79 // what was broken already stays as it is
	}
	if !strings.HasPrefix(line, " ") {
		parts = fold(strings.TrimRight(line, " "), width-len(mark)-1)
	}
	for i, s := range parts {
		if mark == "" && (strings.HasPrefix(s, " ") || strings.HasPrefix(s, ">") || strings.HasPrefix(s, "From ")) {
			s = " " + s
		}
		if i < len(parts)-1 {
			s += " "
		}
		out.WriteString(mark + s + "\n")
	}
}
