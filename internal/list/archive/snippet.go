package archive

import (
	"strings"
	"unicode/utf8"

	"plenary/internal/mail/message"
)

const (
	snippetBefore = 60  // octets before the first word found
	snippetAfter  = 140 // and after it
	snippetText   = 64 << 10
)

// phrase is words to mark that stand one after another; prefix means that the
// last may go on.
type phrase struct {
	words  []string
	prefix bool
}

// sought gives what q asks for, what it does not want left out.
func (q Query) sought() []phrase {
	not := make([]bool, len(q.steps))
	var begins []int // of the results on the stack
	for i, s := range q.steps {
		switch s.op {
		case opAnd, opOr:
			begins = begins[:len(begins)-s.n+1]
		case opNot:
			for k := begins[len(begins)-1]; k < i; k++ {
				not[k] = !not[k]
			}
		default:
			begins = append(begins, i)
		}
	}
	var out []phrase
	for i, s := range q.steps {
		if s.op != opWords || not[i] {
			continue
		}
		if words, prefix := QueryWords(s.text); len(words) > 0 {
			out = append(out, phrase{words, prefix || s.prefix})
		}
	}
	return out
}

// begins reports whether the phrase stands at the beginning of the words.
func (p phrase) begins(at []placed) bool {
	if len(at) < len(p.words) {
		return false
	}
	for i, w := range p.words {
		last := p.prefix && i == len(p.words)-1
		if at[i].word != w && !(last && strings.HasPrefix(at[i].word, w)) {
			return false
		}
	}
	return true
}

// mark is a piece of a text that is marked.
type mark struct{ start, end int }

// found gives the places of the words of text that are sought, in order. Pairs of
// characters that overlap are one.
func found(text string, sought []phrase) (marks []mark) {
	all := placedWords(text)
	add := func(m mark) {
		if n := len(marks); n > 0 && m.start < marks[n-1].end {
			marks[n-1].end = max(marks[n-1].end, m.end)
			return
		}
		marks = append(marks, m)
	}
	for i := range all {
		for _, p := range sought {
			if !p.begins(all[i:]) {
				continue
			}
			for k, w := range all[i : i+len(p.words)] {
				if p.words[k] == w.first {
					w.end = w.firstEnd
				}
				add(mark{w.start, w.end})
			}
		}
	}
	return marks
}

// snippet cuts a line out of what was read, around the first thing sought: of
// the own words, else of quoted lines and attachments, else the beginning.
func snippet(r message.Reading, sought []phrase) string {
	for _, text := range []string{r.Body, r.Quoted, r.Attached} {
		text = oneLine(text)
		if marks := found(text, sought); len(marks) > 0 {
			return marked(window(text, marks[0].start), sought)
		}
	}
	return window(oneLine(r.Body), 0)
}

// oneLine makes runs of white space one space.
func oneLine(text string) string {
	if len(text) > snippetText {
		text = strings.ToValidUTF8(text[:snippetText], "")
	}
	return strings.Join(strings.Fields(text), " ")
}

// window cuts the text around octet at, at spaces where there are any near the ends.
func window(text string, at int) string {
	from, to := at-snippetBefore, at+snippetAfter
	var b strings.Builder
	if from > 0 {
		if n := strings.IndexByte(text[from:at], ' '); n >= 0 && n < snippetBefore/2 {
			from += n + 1
		}
		for !utf8.RuneStart(text[from]) {
			from++
		}
		b.WriteString("… ")
	}
	from = max(from, 0)
	if to >= len(text) {
		b.WriteString(text[from:])
		return b.String()
	}
	if n := strings.LastIndexByte(text[at:to], ' '); n > snippetAfter/2 {
		to = at + n
	}
	for !utf8.RuneStart(text[to]) {
		to--
	}
	b.WriteString(text[from:to] + " …")
	return b.String()
}

// marked puts marks around the words sought.
func marked(text string, sought []phrase) string {
	var b strings.Builder
	done := 0
	for _, s := range found(text, sought) {
		b.WriteString(text[done:s.start] + MarkStart + text[s.start:s.end] + MarkEnd)
		done = s.end
	}
	return b.String() + text[done:]
}
