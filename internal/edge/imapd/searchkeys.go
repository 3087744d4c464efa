package imapd

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// searchReader reads the arguments of SEARCH (RFC 9051 6.4.4): one pass over
// the text, with a stack of its own for brackets, NOT and OR.
type searchReader struct {
	rest    string
	sel     *selected
	account int64
	now     time.Time
	n       int  // keys read
	utf8    bool // UTF8=ACCEPT is enabled

	modseqs func() ([]uint64, error) // of all rows; nil: there are none
	seqs    []uint64                 // once they were asked for
}

// options reads RETURN (...) and CHARSET, as SEARCH has them. Who has enabled
// UTF8=ACCEPT names no charset (RFC 6855 3).
func (r *searchReader) options() (o searchOptions, err error) {
	if o, err = r.returns(); err != nil {
		return o, err
	}
	if rest, ok := cutWord(r.rest, "CHARSET"); ok {
		if r.utf8 {
			return o, &syntaxError{text: "After ENABLE UTF8=ACCEPT a search names no charset"}
		}
		r.rest = rest
		return o, r.charset()
	}
	return o, nil
}

// returns reads RETURN (...).
func (r *searchReader) returns() (o searchOptions, err error) {
	if rest, ok := cutWord(r.rest, "RETURN"); ok {
		list, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if !strings.HasPrefix(rest, "(") || !closed {
			return o, &syntaxError{text: "RETURN takes a list"}
		}
		r.rest = strings.TrimLeft(after, " ")
		o.given = true
		for words := strings.Fields(strings.ToUpper(list)); len(words) > 0; words = words[1:] {
			switch words[0] {
			case "PARTIAL":
				p, ok := page{}, false
				if len(words) > 1 && !o.page.asked() {
					p, ok = parsePage(words[1])
				}
				if !ok {
					return o, &syntaxError{text: "PARTIAL takes one range"}
				}
				o.page, words = p, words[1:]
			case "ALL":
				o.all = true
			case "MIN":
				o.min = true
			case "MAX":
				o.max = true
			case "COUNT":
				o.count = true
			case "SAVE":
				o.save = true
			default:
				return o, &syntaxError{text: "There is no such RETURN option"}
			}
		}
		if o.all && o.page.asked() { // RFC 9394 3.1
			return o, &syntaxError{text: "PARTIAL and ALL do not go together"}
		}
		o.all = o.all || !o.min && !o.max && !o.count && !o.save && !o.page.asked()
		return o, nil
	}
	o.all = true
	return o, nil
}

// cutWord takes a word and its space off the front.
func cutWord(s, word string) (rest string, ok bool) {
	if len(s) > len(word) && strings.EqualFold(s[:len(word)], word) && (s[len(word)] == ' ' || s[len(word)] == '(') {
		return strings.TrimLeft(s[len(word):], " "), true
	}
	return s, false
}

// frame is an operator that waits for its operands; takes 0 is a bracket.
type frame struct {
	takes int
	join  func(...archive.Query) archive.Query
	args  []archive.Query
}

func negated(q ...archive.Query) archive.Query { return archive.Not(q[0]) }

// keys reads the search keys to the end; keys side by side must all match.
func (r *searchReader) keys() (archive.Query, error) {
	stack := []frame{{join: archive.And}}
	for r.rest != "" {
		if r.n++; r.n > maxSearchKeys {
			return archive.Query{}, no(imap.ResponseCodeLimit, "That is more than can be searched for at once")
		}
		switch {
		case r.rest[0] == ' ':
			r.rest, r.n = r.rest[1:], r.n-1
			continue
		case r.rest[0] == '(':
			r.rest = r.rest[1:]
			stack = append(stack, frame{join: archive.And})
			continue
		case r.rest[0] == ')':
			r.rest = r.rest[1:]
			top := stack[len(stack)-1]
			if len(stack) == 1 || top.takes > 0 || len(top.args) == 0 {
				return archive.Query{}, &syntaxError{text: "The brackets do not fit"}
			}
			stack = deliver(stack[:len(stack)-1], top.join(top.args...))
			continue
		}
		word := strings.ToUpper(r.word())
		switch word {
		case "NOT":
			stack = append(stack, frame{takes: 1, join: negated})
			continue
		case "OR":
			stack = append(stack, frame{takes: 2, join: archive.Or})
			continue
		}
		q, err := r.key(word)
		if err != nil {
			return archive.Query{}, err
		}
		stack = deliver(stack, q)
	}
	if len(stack) != 1 || len(stack[0].args) == 0 {
		return archive.Query{}, &syntaxError{text: "The search is not complete"}
	}
	return r.here(archive.And(stack[0].args...)), nil
}

// here is a query about the folder of a year alone: the archive knows only of the
// whole list.
func (r *searchReader) here(q archive.Query) archive.Query {
	if !r.sel.part {
		return q
	}
	from := time.Date(r.sel.box.key.year, 1, 1, 0, 0, 0, 0, time.UTC)
	return archive.And(archive.ReceivedFrom(from), archive.ReceivedBefore(from.AddDate(1, 0, 0)), q)
}

// deliver gives an operand to the operator that waits for it, and its result to
// the next.
func deliver(stack []frame, q archive.Query) []frame {
	for {
		top := &stack[len(stack)-1]
		top.args = append(top.args, q)
		if top.takes == 0 || len(top.args) < top.takes {
			return stack
		}
		q = top.join(top.args...)
		stack = stack[:len(stack)-1]
	}
}

// word takes the next atom.
func (r *searchReader) word() string {
	end := strings.IndexAny(r.rest, ` ()"`)
	if end < 0 {
		end = len(r.rest)
	}
	w := r.rest[:end]
	r.rest = r.rest[end:]
	return w
}

// text takes the next string.
func (r *searchReader) text() (string, error) {
	rest := strings.TrimLeft(r.rest, " ")
	if rest == r.rest {
		return "", &syntaxError{text: "A search key lacks its value"}
	}
	s, rest, ok := firstAString(rest)
	if !ok {
		return "", &syntaxError{text: "A search key lacks its value"}
	}
	if !utf8.ValidString(s) {
		return "", no(badCharset, "Search in UTF-8, please")
	}
	r.rest = rest
	return s, nil
}

func (r *searchReader) number() (int64, error) {
	s, err := r.text()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil {
		return 0, &syntaxError{text: "A search key needs a number"}
	}
	return int64(n), nil
}

func (r *searchReader) date() (time.Time, error) {
	s, err := r.text()
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.Parse("2-Jan-2006", s)
	if err != nil {
		return time.Time{}, &syntaxError{text: "A search key needs a date like 1-Feb-2024"}
	}
	return day, nil
}

// among matches the messages of a set.
func (r *searchReader) among(spans []span) archive.Query {
	rows := r.sel.rows
	return archive.Where(func(uid model.UID) bool {
		i, ok := rowOf(rows, uid)
		return ok && within(spans, i)
	})
}
