package archive

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// maxQuery bounds a query as a person types it.
const (
	maxQuery = 2000 // octets
	maxTerms = 50
)

// Parse reads a query as a person types it. Terms stand side by side and must
// all be there; OR parts groups of terms, any one of which will do; a minus in
// front means not. A term is a word, a beginning of one (shel*), a "phrase", or
// one of these behind a prefix that says where to look:
//
//	s: subject   f: author   t: c: a: To, Cc, any address
//	b: body   nq: own words of the body   q: quoted lines   n: names of attachments
//	m: Message-ID   d: date sent, d:2026-03-01..2026-03-31, d:2.weeks.ago..
//	has:attachment
//
// now is what "ago" counts from. A query that cannot be meant is Invalid, with
// a sentence that explains it.
func Parse(text string, now time.Time) (Query, error) {
	if len(text) > maxQuery || !utf8.ValidString(text) {
		return Query{}, fault.New(fault.Invalid, "the search is longer than %d characters, or not text", maxQuery)
	}
	var groups, group []Query
	terms := splitTerms(text)
	if len(terms) > maxTerms {
		return Query{}, fault.New(fault.Invalid, "the search has more than %d terms", maxTerms)
	}
	for i, t := range terms {
		if t.value == "OR" && t.field == "" && !t.quoted && !t.not {
			if len(group) == 0 || i == len(terms)-1 {
				return Query{}, fault.New(fault.Invalid, "OR stands between two things to search for")
			}
			groups, group = append(groups, And(group...)), nil
			continue
		}
		q, ok, err := t.query(now)
		if err != nil {
			return Query{}, err
		}
		if ok {
			group = append(group, q)
		}
	}
	if len(group) == 0 {
		return Query{}, fault.New(fault.Invalid, "say what to search for: words of letters or digits")
	}
	return Or(append(groups, And(group...))...), nil
}

// term is one thing to search for.
type term struct {
	not    bool
	field  string
	value  string
	quoted bool
	prefix bool // a * stood behind it
}

// splitTerms cuts a query at spaces and quotation marks. It takes any text.
func splitTerms(text string) []term {
	var out []term
	for {
		text = strings.TrimLeft(text, " \t\r\n()")
		if text == "" {
			return out
		}
		var t term
		if len(text) > 1 && (text[0] == '-' || text[0] == '!') {
			t.not, text = true, text[1:]
		}
		if head, rest, ok := strings.Cut(text, ":"); ok && knownField(strings.ToLower(head)) {
			t.field, text = strings.ToLower(head), rest
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
		if t.quoted && strings.HasPrefix(text, "*") || !t.quoted && strings.HasSuffix(t.value, "*") {
			t.prefix, text = true, strings.TrimPrefix(text, "*")
			t.value = strings.TrimRight(t.value, "*")
		}
		out = append(out, t)
	}
}

// fieldColumns are the prefixes that look at columns of the index.
var fieldColumns = map[string]model.SearchColumns{
	"": model.InAll, "s": model.InSubject, "subject": model.InSubject, "f": model.InAuthor, "from": model.InAuthor,
	"t": model.InRecipients, "to": model.InRecipients, "c": model.InRecipients, "cc": model.InRecipients,
	"tc": model.InRecipients, "a": model.InAuthor | model.InRecipients,
	"b": model.InText, "body": model.InText, "nq": model.InBody, "q": model.InQuoted, "n": model.InFiles,
}

func knownField(name string) bool {
	_, ok := fieldColumns[name]
	return name != "" && (ok || name == "d" || name == "m" || name == "has")
}

// query makes the condition; ok is false when there is nothing to search for.
func (t term) query(now time.Time) (q Query, ok bool, err error) {
	switch t.field {
	case "d":
		q, err = dates(t.value, now)
	case "m":
		q = MessageID(strings.Trim(t.value, "<> "))
	case "has":
		if !strings.EqualFold(t.value, "attachment") {
			err = fault.New(fault.Invalid, "has: knows only has:attachment")
		}
		q = HasFact(model.PostHasAttachment)
	default:
		words, _ := QueryWords(t.value)
		if len(words) == 0 {
			return Query{}, false, nil
		}
		if t.prefix && len(words[len(words)-1]) < leastPrefix {
			return Query{}, false, fault.New(fault.Invalid, "%s* is too short: at least %d letters before the *", t.value, leastPrefix)
		}
		q = Phrase(fieldColumns[t.field], t.value, t.prefix)
		switch t.field {
		case "t", "to":
			q = And(q, HeaderHas("To", t.value))
		case "c", "cc":
			q = And(q, HeaderHas("Cc", t.value))
		}
	}
	if err == nil && t.not {
		q = Not(q)
	}
	return q, err == nil, err
}

// dates reads a day or a range of days, both ends included.
func dates(text string, now time.Time) (Query, error) {
	from, to, isRange := strings.Cut(text, "..")
	var parts []Query
	if from != "" {
		first, last, err := period(from, now)
		if err != nil {
			return Query{}, err
		}
		parts = append(parts, SentFrom(first))
		if !isRange {
			parts = append(parts, SentBefore(last))
		}
	}
	if to != "" {
		_, last, err := period(to, now)
		if err != nil {
			return Query{}, err
		}
		parts = append(parts, SentBefore(last))
	}
	if len(parts) == 0 {
		return Query{}, badDate(text)
	}
	return And(parts...), nil
}

func badDate(text string) error {
	return fault.New(fault.Invalid, "%q is no date: write d:2026-03-01, d:2026-03, d:2026, d:2026-01-01..2026-03-31 or d:2.weeks.ago..", text)
}

// period gives the first day of what text names, and the first day after it.
func period(text string, now time.Time) (first, after time.Time, err error) {
	for _, f := range []struct {
		layout         string
		year, mon, day int
	}{{"2006-01-02", 0, 0, 1}, {"20060102", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"200601", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.Parse(f.layout, text); err == nil {
			return t, t.AddDate(f.year, f.mon, f.day), nil
		}
	}
	switch strings.ToLower(text) {
	case "today":
		return now, now.AddDate(0, 0, 1), nil
	case "yesterday":
		return now.AddDate(0, 0, -1), now, nil
	}
	if f := strings.Split(strings.ToLower(text), "."); len(f) == 3 && f[2] == "ago" {
		n, err := strconv.Atoi(f[0])
		if err == nil && n >= 0 && n < 100_000 {
			switch strings.TrimSuffix(f[1], "s") {
			case "day":
				first = now.AddDate(0, 0, -n)
			case "week":
				first = now.AddDate(0, 0, -7*n)
			case "month":
				first = now.AddDate(0, -n, 0)
			case "year":
				first = now.AddDate(-n, 0, 0)
			}
		}
	}
	if first.IsZero() {
		return first, after, badDate(text)
	}
	return first, first.AddDate(0, 0, 1), nil
}
