package archive

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Bounds of a query as a person types it.
const (
	maxQuery = 2000 // characters
	maxTerms = 50
	maxDepth = 20 // of brackets

	maxFieldWords = 4 // of a phrase, that are looked for in one field
)

// Parse reads a query as a person types it. Terms stand side by side and must
// all be there; OR parts groups of terms, any one of which will do; a minus in
// front, or NOT, means not; brackets hold together. A term is a word, a
// beginning of one (shel*), a "phrase", whose last word may be a beginning ("oak
// shel*"), or one of these behind a prefix that says where to look:
//
//	s: subject   f: author   t: c: a: To, Cc, any address
//	b: body   nq: own words of the body   q: quoted lines   n: names of attachments
//	m: Message-ID   thread: the thread of a Message-ID or number   list: a list
//	d: date sent: d:2026-03-01, d:20260301..20260331, d:2026-03.., d:..2025, d:2.weeks.ago..,
//	   d:last.month..yesterday, d:monday.., d:march (see period)
//	has:attachment   is:unread is:read is:flagged is:answered
//
// now is what "ago" counts from. A query that cannot be meant is Invalid, with
// a sentence that explains it.
func Parse(text string, now time.Time) (Query, error) {
	if len(text) > utf8.UTFMax*maxQuery || utf8.RuneCountInString(text) > maxQuery || !utf8.ValidString(text) {
		return Query{}, fault.New(fault.Invalid, "the search is longer than %d characters, or not text", maxQuery)
	}
	p := &parser{now: now, open: []bracket{{}}}
	text = asTyped.Replace(text)
	for text = skipSpace(text); text != ""; text = skipSpace(text) {
		if p.terms++; p.terms > maxTerms {
			return Query{}, fault.New(fault.Invalid, "the search has more than %d terms", maxTerms)
		}
		var err error
		if text, err = p.next(text); err != nil {
			return Query{}, err
		}
	}
	if len(p.open) > 1 {
		return Query{}, fault.New(fault.Invalid, "a bracket is opened and not closed")
	}
	q, ok, err := p.open[0].all()
	if err == nil && !ok {
		err = fault.New(fault.Invalid, "say what to search for: words of letters or digits")
	}
	return q, err
}

// asTyped makes quotes of what telephones and word processors make of them, and
// spaces of those of East Asian keyboards and of web pages.
var asTyped = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`, "«", `"`, "»", `"`, "\u3000", " ", "\u00a0", " ")

func skipSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// parser is a query half read; open are the brackets around the place it is at.
type parser struct {
	now   time.Time
	terms int
	open  []bracket
}

// bracket is what stands between brackets: groups parted by OR.
type bracket struct {
	groups []Query
	terms  []Query
	not    bool // a minus stood before the bracket
	before bool // a NOT waits for what it negates
	or     bool // an OR waits for what follows
}

// next reads one term, bracket or operator off the front.
func (p *parser) next(text string) (rest string, err error) {
	b := &p.open[len(p.open)-1]
	switch {
	case strings.HasPrefix(text, "("), strings.HasPrefix(text, "-("), strings.HasPrefix(text, "!("):
		if len(p.open) > maxDepth {
			return "", fault.New(fault.Invalid, "more than %d brackets inside each other", maxDepth)
		}
		not := (text[0] != '(') != b.before
		b.before = false
		p.open = append(p.open, bracket{not: not})
		return strings.TrimLeft(text, "-!")[1:], nil
	case text[0] == ')':
		if len(p.open) == 1 {
			return "", fault.New(fault.Invalid, "a bracket is closed that was not opened")
		}
		p.open = p.open[:len(p.open)-1]
		q, ok, err := b.all()
		if ok && b.not {
			q = Not(q)
		}
		p.open[len(p.open)-1].add(q, ok)
		return text[1:], err
	}
	t, rest := cutTerm(text)
	if !t.not && t.field == "" && !t.quoted && !t.prefix {
		switch t.value {
		case "AND":
			return rest, nil
		case "NOT":
			b.before = !b.before
			return rest, nil
		case "OR":
			return rest, b.part()
		}
	}
	t.not, b.before = t.not != b.before, false
	q, ok, err := t.query(p.now)
	b.add(q, ok)
	return rest, err
}

func (b *bracket) add(q Query, ok bool) {
	b.or = false
	if ok {
		b.terms = append(b.terms, q)
	}
}

func badOr() error { return fault.New(fault.Invalid, "OR stands between two things to search for") }

// part ends a group of terms.
func (b *bracket) part() error {
	if len(b.terms) == 0 || b.before {
		return badOr()
	}
	b.groups, b.terms, b.or = append(b.groups, And(b.terms...)), nil, true
	return nil
}

// all joins the groups; ok is false where there is nothing to search for.
func (b *bracket) all() (q Query, ok bool, err error) {
	switch {
	case b.or, len(b.groups) > 0 && len(b.terms) == 0:
		return q, false, badOr()
	case b.before:
		return q, false, fault.New(fault.Invalid, "NOT stands before what is not sought")
	case len(b.terms) == 0:
		return q, false, nil
	}
	return Or(append(b.groups, And(b.terms...))...), true, nil
}

// term is one thing to search for.
type term struct {
	not    bool
	field  string
	value  string
	quoted bool
	prefix bool // a * stood behind it
}

// cutTerm reads the first term of text, which begins with none of space and
// brackets. It takes any text.
func cutTerm(text string) (t term, rest string) {
	if len(text) > 1 && (text[0] == '-' || text[0] == '!') {
		t.not, text = true, text[1:]
	}
	if head, after, ok := strings.Cut(text, ":"); ok && knownField(strings.ToLower(head)) {
		t.field, text = strings.ToLower(head), after
	}
	if strings.HasPrefix(text, `"`) {
		t.quoted = true
		t.value, text, _ = strings.Cut(text[1:], `"`)
	} else {
		n := strings.IndexAny(text, " \t\r\n\"()")
		if n < 0 {
			n = len(text)
		}
		t.value, text = text[:n], text[n:]
	}
	if t.quoted && t.words() {
		t.value = strings.TrimRight(t.value, " ")
	}
	if t.quoted && strings.HasPrefix(text, "*") || !t.quoted && strings.HasSuffix(t.value, "*") || t.quoted && t.words() && t.star() == len(t.value)-1 {
		t.prefix, text = true, strings.TrimPrefix(text, "*")
		t.value = strings.TrimRight(t.value, "*")
	}
	return t, text
}

// words reports whether words are sought.
func (t term) words() bool {
	_, ok := fieldColumns[t.field]
	return ok
}

// star gives the place of a * that says in a phrase that a word may go on, -1 where
// there is none: "char *p" and "*so* be it" have none.
func (t term) star() int {
	at := strings.IndexByte(t.value, '*')
	if at < 1 || strings.Count(t.value, "*") > 1 || t.value[at-1] == ' ' || at+1 < len(t.value) && t.value[at+1] != ' ' {
		return -1
	}
	return at
}

// fieldColumns are the prefixes that look at columns of the index. A word alone
// is not sought in To and Cc: most posts have the name of the list there.
var fieldColumns = map[string]model.SearchColumns{
	"": model.InAll &^ model.InRecipients, "s": model.InSubject, "subject": model.InSubject, "f": model.InAuthor, "from": model.InAuthor,
	"t": model.InRecipients, "to": model.InRecipients, "c": model.InRecipients, "cc": model.InRecipients,
	"tc": model.InRecipients, "a": model.InAuthor | model.InRecipients,
	"b": model.InText, "body": model.InText, "nq": model.InBody, "q": model.InQuoted, "n": model.InFiles,
}

func knownField(name string) bool {
	_, ok := fieldColumns[name]
	return name != "" && (ok || slices.Contains(otherFields, name))
}

// otherFields are the prefixes that do not look at words.
var otherFields = []string{"d", "date", "m", "mid", "has", "is", "list", "l", "thread"}

// marks are what is: asks for, as personal flags.
var marks = map[string]struct {
	flag string
	not  bool
}{"unread": {`\seen`, true}, "read": {`\seen`, false}, "flagged": {`\flagged`, false}, "starred": {`\flagged`, false}, "answered": {`\answered`, false}}

// query makes the condition; ok is false when there is nothing to search for.
func (t term) query(now time.Time) (q Query, ok bool, err error) {
	switch t.field {
	case "d", "date":
		q, err = dates(t.value, now)
	case "m", "mid":
		q, err = MessageID(strings.Trim(t.value, "<> ")), t.needs("a Message-ID: m:<id@host>")
	case "thread":
		q, err = OfThread(strings.Trim(t.value, "<> ")), t.needs("a Message-ID or a number: thread:<id@host>")
	case "list", "l":
		q, err = OfList(t.value, t.prefix), t.needs("the name or address of a list: list:talk")
	case "is":
		m, ok := marks[strings.ToLower(t.value)]
		if !ok {
			err = fault.New(fault.Invalid, "there are is:unread, is:read, is:flagged and is:answered")
		}
		if q = Mine(m.flag); m.not {
			q = Not(q)
		}
	case "has":
		if !strings.EqualFold(t.value, "attachment") {
			err = fault.New(fault.Invalid, "there is has:attachment, and nothing else with has:")
		}
		q = HasFact(model.PostHasAttachment)
	default:
		words, _ := QueryWords(t.value)
		if len(words) == 0 {
			if t.field != "" {
				err = fault.New(fault.Invalid, "behind %s: belongs a word or a \"phrase\", without a space", t.field)
			}
			return Query{}, false, err
		}
		if ours := t.elsewhere(); ours != "" {
			return Query{}, false, fault.New(fault.Invalid, "there is no such prefix here: write %s", ours)
		}
		if !t.quoted && strings.Contains(t.value, "*") {
			return Query{}, false, fault.New(fault.Invalid, "the * stands at the end of a word: shel* finds shelves; the middle of a word is not sought")
		}
		if t.quoted && !t.prefix && t.star() >= 0 {
			return Query{}, false, fault.New(fault.Invalid, "in a phrase only the last word may be a beginning: \"oak shel*\"")
		}
		if t.prefix && len(words[len(words)-1]) < leastPrefix {
			return Query{}, false, fault.New(fault.Invalid, "at least %d letters stand before the *", leastPrefix)
		}
		q = Phrase(fieldColumns[t.field], t.value, t.prefix)
		switch t.field {
		case "t", "to":
			q = inField(q, "To", words)
		case "c", "cc":
			q = inField(q, "Cc", words)
		}
	}
	if err == nil && t.not {
		q = Not(q)
	}
	return q, err == nil, err
}

// inField keeps of what q matches, in To or Cc, what has the words in this one.
// Which signs stand between them does not matter: "Lee, Ann" is Lee Ann.
func inField(q Query, field string, words []string) Query {
	all := []Query{q}
	for _, w := range words[:min(len(words), maxFieldWords)] {
		all = append(all, HeaderHas(field, w))
	}
	return And(all...)
}

// otherPrefixes are what other programs call ours.
var otherPrefixes = map[string]string{
	"author": "f:name", "sender": "f:name", "subj": "s:word", "title": "s:word", "filename": "n:name", "attachment": "n:name", "msgid": "m:id@host",
	"after": "d:2026-03-01..", "since": "d:2026-03-01..", "newer": "d:2026-03-01..", "before": "d:..2026-03-01", "until": "d:..2026-03-01", "older": "d:..2026-03-01",
	"dt": "d:2026-03-01..", "rt": "d:2026-03-01..",
}

// elsewhere tells what a prefix of another program is called here.
func (t term) elsewhere() string {
	head, value, ok := strings.Cut(t.value, ":")
	if !ok || value == "" || t.quoted || t.field != "" { // "Since: a" is text
		return ""
	}
	return otherPrefixes[strings.ToLower(head)]
}

// needs explains an empty value.
func (t term) needs(what string) error {
	if strings.Trim(t.value, "<> ") == "" {
		return fault.New(fault.Invalid, "behind %s: belongs %s", t.field, what)
	}
	return nil
}
