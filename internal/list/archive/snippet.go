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

// wanted is a word to mark; prefix means it may go on.
type wanted struct {
	word   string
	prefix bool
}

// sought gives the words q asks for, those it does not want left out.
func (q Query) sought() []wanted {
	var out []wanted
	for i, s := range q.steps {
		if s.op != opWords || i+1 < len(q.steps) && q.steps[i+1].op == opNot {
			continue
		}
		words, prefix := QueryWords(s.text)
		for i, w := range words {
			out = append(out, wanted{w, (prefix || s.prefix) && i == len(words)-1})
		}
	}
	return out
}

func (w wanted) is(s span) bool {
	return s.word == w.word || w.prefix && strings.HasPrefix(s.word, w.word)
}

// snippet cuts a line out of what was read, around the first word sought: of
// the own words, else of quoted lines and attachments, else the beginning.
func snippet(r message.Reading, sought []wanted) string {
	for _, text := range []string{r.Body, r.Quoted, r.Attached} {
		text = oneLine(text)
		at := -1
		scanWords(text, func(s span) bool {
			for _, w := range sought {
				if w.is(s) {
					at = s.start
					return false
				}
			}
			return true
		})
		if at >= 0 {
			return marked(window(text, at), sought)
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

// window cuts the text around octet at, at spaces where there are any.
func window(text string, at int) string {
	from, to := at-snippetBefore, at+snippetAfter
	var b strings.Builder
	if from > 0 {
		if n := strings.IndexByte(text[from:at], ' '); n >= 0 {
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
	if n := strings.LastIndexByte(text[at:to], ' '); n > 0 {
		to = at + n
	}
	for !utf8.RuneStart(text[to]) {
		to--
	}
	b.WriteString(text[from:to] + " …")
	return b.String()
}

// marked puts marks around the words sought.
func marked(text string, sought []wanted) string {
	var b strings.Builder
	done := 0
	scanWords(text, func(s span) bool {
		if s.start < done {
			return true
		}
		for _, w := range sought {
			if w.is(s) {
				b.WriteString(text[done:s.start] + MarkStart + text[s.start:s.end] + MarkEnd)
				done = s.end
				break
			}
		}
		return true
	})
	return b.String() + text[done:]
}
