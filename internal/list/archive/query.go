package archive

import (
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Limits of a query.
const (
	maxSteps   = 1000 // steps of a query, counting every word and operator
	maxPhrases = 200  // steps that are asked of the index at once
	maxHeaders = 50   // conditions that look at headers one by one
)

// Query says which posts are sought: conditions and how they are joined. It is
// kept in postfix order, so that neither building nor answering one recurses.
// The zero value matches every post. A Query is not changed once made.
type Query struct{ steps []step }

type op uint8

const (
	opAll op = iota
	opAnd
	opOr
	opNot
	opWords
	opHeader
	opReceived
	opSent
	opShown
	opSize
	opFlag
	opWhere
	opFact
	opMessage
	opMine
	opList
	opThread
)

// step is a condition, or an operator on the n results before it.
type step struct {
	op      op
	n       int
	columns model.SearchColumns
	text    string // the phrase, the header substring, the flag
	field   string
	prefix  bool
	from    int64 // inclusive; dates are days since 1970; facts are bits
	to      int64 // exclusive
	account int64
	where   func(model.UID) bool
}

func leaf(s step) Query { return Query{[]step{s}} }

// All matches every post.
func All() Query { return Query{} }

// And matches what all of the queries match; none of them: everything.
func And(qs ...Query) Query { return join(opAnd, qs) }

// Or matches what any of the queries matches; none of them: nothing.
func Or(qs ...Query) Query {
	if len(qs) == 0 {
		return Not(All())
	}
	return join(opOr, qs)
}

// Not matches what q does not match.
func Not(q Query) Query {
	q = q.explicit()
	return Query{append(q.steps[:len(q.steps):len(q.steps)], step{op: opNot, n: 1})}
}

func (q Query) explicit() Query {
	if len(q.steps) == 0 {
		return leaf(step{op: opAll})
	}
	return q
}

func join(o op, qs []Query) Query {
	switch len(qs) {
	case 0:
		return All()
	case 1:
		return qs[0]
	}
	n := 1
	for _, q := range qs {
		n += max(1, len(q.steps))
	}
	steps := make([]step, 0, n)
	for _, q := range qs {
		steps = append(steps, q.explicit().steps...)
	}
	return Query{append(steps, step{op: o, n: len(qs)})}
}

// Phrase matches posts with the words of text one after another in any one of
// the columns. With prefix the last word may go on. Text without letters or
// digits is in no post; empty text in every post (RFC 9051 6.4.4).
func Phrase(columns model.SearchColumns, text string, prefix bool) Query {
	if text == "" {
		return All()
	}
	return leaf(step{op: opWords, columns: columns, text: text, prefix: prefix})
}

// HeaderHas matches posts with a header field of that name whose decoded value
// contains text, without regard to case and accents; empty text asks only
// whether the field is there (RFC 9051 6.4.4).
func HeaderHas(field, text string) Query {
	return leaf(step{op: opHeader, field: strings.ToLower(field), text: Fold(text)})
}

// ReceivedFrom matches posts whose internal date is on day or later; of day
// only year, month and day count.
func ReceivedFrom(day time.Time) Query {
	return leaf(step{op: opReceived, from: dayOf(day), to: endless})
}

// ReceivedBefore matches posts whose internal date is before day.
func ReceivedBefore(day time.Time) Query {
	return leaf(step{op: opReceived, from: -endless, to: dayOf(day)})
}

// SentFrom matches posts whose Date field, in its own time zone, is on day or
// later.
func SentFrom(day time.Time) Query { return leaf(step{op: opSent, from: dayOf(day), to: endless}) }

// SentBefore matches posts whose Date field is before day.
func SentBefore(day time.Time) Query { return leaf(step{op: opSent, from: -endless, to: dayOf(day)}) }

// ShownFrom matches posts whose date as people are shown it (model.Post.SentAt) is
// on day or later: the Date field in its own time zone, unless that makes no sense.
func ShownFrom(day time.Time) Query { return leaf(step{op: opShown, from: dayOf(day), to: endless}) }

// ShownBefore matches posts whose date as people are shown it is before day.
func ShownBefore(day time.Time) Query {
	return leaf(step{op: opShown, from: -endless, to: dayOf(day)})
}

// Larger matches posts of more than n octets.
func Larger(n int64) Query { return leaf(step{op: opSize, from: n + 1, to: endless}) }

// Smaller matches posts of fewer than n octets.
func Smaller(n int64) Query { return leaf(step{op: opSize, from: -endless, to: n}) }

// Flagged matches posts that carry the account's personal flag.
func Flagged(account int64, flag string) Query {
	return leaf(step{op: opFlag, account: account, text: flag})
}

// Where matches posts that f answers true for: sequence sets, a session's own
// flags. f is called for any post, in any order, as often as it takes.
func Where(f func(model.UID) bool) Query { return leaf(step{op: opWhere, where: f}) }

// HasFact matches posts with all of these facts.
func HasFact(facts model.PostFlags) Query { return leaf(step{op: opFact, from: int64(facts)}) }

// MessageID matches the post with this Message-ID, written without <>; where an
// import brought several, the first.
func MessageID(id string) Query { return leaf(step{op: opMessage, text: id}) }

// Mine matches posts that carry the personal flag of whoever asks. Only Ask
// knows who that is.
func Mine(flag string) Query { return leaf(step{op: opMine, text: flag}) }

// OfList matches the posts of the list of that address, or local part; with prefix
// those of all lists that begin so.
func OfList(name string, prefix bool) Query {
	return leaf(step{op: opList, text: Fold(name), prefix: prefix})
}

// listed is the name behind list: as it was asked for.
func (st step) listed() string {
	if st.prefix {
		return st.text + "*"
	}
	return st.text
}

// names reports whether the step means the list.
func (st step) names(l *model.List) bool {
	local, address := Fold(l.Local), Fold(l.Address())
	return st.text == local || st.text == address || st.prefix && strings.HasPrefix(address, st.text)
}

// OfThread matches the posts of the thread that holds the post with this
// Message-ID, written without <>, or with this UID.
func OfThread(post string) Query { return leaf(step{op: opThread, text: post}) }

const endless = int64(1) << 62

func dayOf(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// check refuses what would take too long to answer.
func (q Query) check() error {
	headers := 0
	for _, s := range q.steps {
		if s.op == opHeader || s.op == opSent || s.op == opShown {
			headers++
		}
	}
	if len(q.steps) > maxSteps || headers > maxHeaders {
		return fault.New(fault.TooMany, "that is more than can be searched for at once")
	}
	return nil
}
