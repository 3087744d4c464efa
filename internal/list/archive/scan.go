package archive

import (
	"slices"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Limits of looking at headers one by one.
const (
	maxOpened = 50_000 // messages opened for a header field that is not kept apart
	scanGap   = 64     // posts that are read over rather than asked for anew
)

// zoneReach is how far a local date may be from the UTC one.
const zoneReach = 26 * time.Hour

// scan gives those places of within whose header satisfies st.
func (s *searcher) scan(st step, within bitset) (bitset, error) {
	if st.op == opHeader && !message.UsualField(st.field) {
		return s.scanMessages(st, within)
	}
	hits := newBitset(len(s.rows))
	look := func(i int, hdr []byte) {
		if st.matches(message.ParseHeader(hdr), &s.rows[i]) {
			hits.add(i)
		}
	}
	return hits, s.headers(within, look)
}

// headers gives the usual header fields of the posts of within, in runs.
func (s *searcher) headers(within bitset, look func(int, []byte)) error {
	first, last := -1, -1
	flush := func() error {
		if first < 0 {
			return nil
		}
		return s.r.store.PostHeaders(s.ctx, s.list, s.rows[first].UID, s.rows[last].UID, func(uid model.UID, hdr []byte) error {
			if i, ok := find(s.rows, uid); ok && within.has(i) {
				look(i, hdr)
			}
			return nil
		})
	}
	for i := range within.all {
		if first >= 0 && i-last > scanGap {
			if err := flush(); err != nil {
				return err
			}
			first = i
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	return flush()
}

// scanMessages opens the messages: the field is not among those kept apart.
func (s *searcher) scanMessages(st step, within bitset) (bitset, error) {
	hits := newBitset(len(s.rows))
	n := within.count()
	if n > maxOpened {
		return hits, fault.New(fault.TooMany, "searching this header field looks into each of %d messages, "+
			"at most %d: add a date or another condition", n, maxOpened)
	}
	rows, places := make([]Row, 0, n), make(map[model.UID]int, n)
	for i := range within.all {
		rows = append(rows, s.rows[i])
		places[s.rows[i].UID] = i
	}
	err := s.r.stream(s.ctx, rows, true, func(row Row, header []byte) error {
		if st.matches(message.ParseHeader(header), &row) {
			hits.add(places[row.UID])
		}
		return nil
	})
	return hits, err
}

// addressFields are those of an envelope that hold addresses and are not kept in
// columns.
var addressFields = map[string]bool{"bcc": true, "sender": true, "reply-to": true}

// matches asks a header.
func (st step) matches(h message.Header, row *Row) bool {
	if st.op == opSent || st.op == opShown {
		d, ok := h.Date()
		if !ok || st.op == opShown && model.At(d) != row.SentAt {
			d = row.SentAt.Time() // without a Date when it was received
		}
		on := dayOf(d)
		return on >= st.from && on < st.to
	}
	for _, v := range h.All(st.field) {
		if st.text == "" || strings.Contains(Fold(v), st.text) || strings.Contains(Fold(message.DecodeWords(v)), st.text) {
			return true
		}
		if addressFields[st.field] && slices.ContainsFunc(broken(v), func(a string) bool { return strings.Contains(Fold(a), st.text) }) {
			return true
		}
	}
	return false
}

// sent compares the Date field, whatever it says, by its own time zone (RFC 9051
// 6.4.4, "disregarding time and timezone"), and the internal date where there is
// none. SORT and THREAD go by the same instant.
func (s *searcher) sent(st step) (conj, error) {
	if len(s.rows) == 0 {
		return s.where(func(*Row) bool { return false }), nil
	}
	cols, err := s.r.columns(s.ctx, s.ix, s.rows)
	if err != nil {
		return conj{}, err
	}
	return s.dated(st, time.Second, func(i int) int64 { return cols.dates[i] })
}

// shown compares the date people are shown.
func (s *searcher) shown(st step) (conj, error) {
	return s.dated(st, time.Microsecond, func(i int) int64 { return int64(s.rows[i].SentAt) })
}

// dated compares instants, in these units, with the days of st. Memory knows the
// instant; only where the zone may matter the field itself is read. Both must mean
// the same date (matches), or a post answers "from" by one and "before" by another.
func (s *searcher) dated(st step, unit time.Duration, instant func(i int) int64) (conj, error) {
	set, near := newBitset(len(s.rows)), newBitset(len(s.rows))
	day, reach := int64(24*time.Hour/unit), int64(zoneReach/unit)
	edge := func(at, bound int64) bool { return at > bound*day-reach && at < bound*day+reach }
	for i := range s.rows {
		at := instant(i)
		switch {
		case st.from > -endless && edge(at, st.from), st.to < endless && edge(at, st.to):
			near.add(i)
		case (st.from == -endless || at >= st.from*day) && (st.to == endless || at < st.to*day):
			set.add(i)
		}
	}
	hits, err := s.scan(st, near)
	if err == nil {
		set.or(hits)
	}
	return conj{set: &set}, err
}
