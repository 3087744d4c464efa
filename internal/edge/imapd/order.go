package imapd

import (
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
)

// The criteria of SORT.
const (
	byArrival  = "ARRIVAL"
	byDate     = "DATE"
	bySize     = "SIZE"
	bySubject  = "SUBJECT"
	byFrom     = "FROM"
	byTo       = "TO"
	byCc       = "CC"
	byNameFrom = "DISPLAYFROM"
	byNameTo   = "DISPLAYTO"
)

// orders keeps what SORT and THREAD need of the lists that were asked about
// last: clients that come with a new connection for each question, as webmail
// does, are answered from memory.
type orders struct {
	mu   sync.Mutex
	last []*order // the latest first
}

// order is one list's sort keys and threads. Rows that come are added; when
// something else happened on the list, the threads are drawn again.
type order struct {
	list   int64
	wake   <-chan struct{}
	cancel func()

	mu      sync.Mutex
	rows    []archive.Row // that the columns hold
	columns map[string]*column
	drawn   []archive.Branch // nil: to be drawn
	forest  *forest          // of all rows; nil: to be made
}

// column is one sort key of every row. Values are kept once: people and subjects
// come again.
type column struct {
	of    []int32 // per row: its value
	at    map[string]int32
	keys  []string // per value: what is compared
	reply []bool   // per value: a subject that says it answers
	rank  []int64  // per value; shorter than keys: to be made
}

// of gives the list's order as it is now.
func (o *orders) of(ctx context.Context, a Archive, list int64) (*order, error) {
	ord := o.get(a, list)
	ord.mu.Lock()
	defer ord.mu.Unlock()
	select {
	case <-ord.wake:
		ord.drawn, ord.forest = nil, nil
	default:
	}
	index, err := a.Open(ctx, list)
	if err != nil {
		return nil, err
	}
	return ord, ord.load(ctx, a, index.Rows())
}

func (o *orders) get(a Archive, list int64) *order {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.last, func(x *order) bool { return x.list == list })
	var ord *order
	if i >= 0 {
		ord = o.last[i]
		o.last = slices.Delete(o.last, i, i+1)
	} else {
		ord = &order{list: list}
		ord.wake, ord.cancel = a.Watch(list)
	}
	o.last = slices.Insert(o.last, 0, ord)
	for len(o.last) > maxOrders {
		o.last[len(o.last)-1].cancel()
		o.last = o.last[:len(o.last)-1]
	}
	return ord
}

// close ends all watching.
func (o *orders) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ord := range o.last {
		ord.cancel()
	}
	o.last = nil
}

// load takes in new rows. Where rows were taken away it begins again.
func (ord *order) load(ctx context.Context, a Archive, rows []archive.Row) error {
	n := len(ord.rows)
	if ord.columns == nil || n > len(rows) || n > 0 && rows[n-1].UID != ord.rows[n-1].UID {
		n, ord.columns, ord.drawn, ord.forest = 0, map[string]*column{}, nil, nil
		for _, by := range []string{bySubject, byFrom, byTo, byCc, byNameFrom, byNameTo} {
			ord.columns[by] = &column{at: map[string]int32{}}
		}
	}
	ord.rows = rows[:n]
	if n == len(rows) {
		return nil
	}
	ord.drawn, ord.forest = nil, nil
	at := n
	err := a.Envelopes(ctx, ord.list, rows[n].UID, rows[len(rows)-1].UID, func(uid model.UID, env []byte) error {
		for at < len(rows) && rows[at].UID < uid { // taken away meanwhile
			ord.add(nil)
			at++
		}
		if at < len(rows) && rows[at].UID == uid {
			ord.add(env)
			at++
		}
		return nil
	})
	if err != nil { // what is half there is not kept
		ord.columns, ord.rows = nil, nil
		return err
	}
	for ; at < len(rows); at++ {
		ord.add(nil)
	}
	ord.rows = rows
	return nil
}

// add appends one row's values, read from its ENVELOPE.
func (ord *order) add(env []byte) {
	e := readEnvelope(env)
	ord.columns[bySubject].add(string(e.subject), func(s string) (string, bool) {
		base, reply := message.BaseSubject(word.Decode(s))
		return casemap(base), reply
	})
	for _, p := range []struct {
		box, name string
		of        envelopePerson
	}{{byFrom, byNameFrom, e.from}, {byTo, byNameTo, e.to}, {byCc, "", e.cc}} {
		ord.columns[p.box].add(string(p.of.mailbox), func(s string) (string, bool) { return casemap(s), false })
		if p.name != "" {
			ord.columns[p.name].add(p.of.shown(), func(s string) (string, bool) { return casemap(word.Decode(s)), false })
		}
	}
}

func (c *column) add(value string, key func(string) (string, bool)) {
	id, ok := c.at[value]
	if !ok {
		id = int32(len(c.keys))
		c.at[value] = id
		k, reply := key(value)
		c.keys, c.reply = append(c.keys, k), append(c.reply, reply)
	}
	c.of = append(c.of, id)
}

// ranks gives, for places of rows that a session has, numbers that compare as
// their values do.
func (ord *order) ranks(rows []archive.Row, found []int, by string) []int64 {
	ord.mu.Lock()
	defer ord.mu.Unlock()
	c := ord.columns[by]
	c.sort()
	out := make([]int64, len(found))
	for i, at := range found {
		if own, ok := rowOf(ord.rows, rows[at].UID); ok {
			out[i] = c.rank[c.of[own]]
		}
	}
	return out
}

// sort makes the ranks; equal keys have equal ones.
func (c *column) sort() {
	if len(c.rank) == len(c.keys) {
		return
	}
	ids := make([]int32, len(c.keys))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortFunc(ids, func(a, b int32) int { return strings.Compare(c.keys[a], c.keys[b]) })
	c.rank = make([]int64, len(ids))
	rank := int64(0)
	for i, id := range ids {
		if i > 0 && c.keys[id] != c.keys[ids[i-1]] {
			rank++
		}
		c.rank[id] = rank
	}
}

// casemap is i;unicode-casemap (RFC 5051 2): title case, then decomposed.
func casemap(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < 0x80
	}
	if ascii {
		return strings.ToUpper(s)
	}
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}
