package imapd

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// span is a run of rows: from the first to before the last, by place.
type span struct{ from, to int }

// spans are the rows a set of a command names, in order and without overlap
// (RFC 9051 9, sequence-set). Numbers that do not exist are passed over; "*" is
// the last message, and so is a range that begins behind it.
func (sel *selected) spans(set imap.NumSet) []span {
	var all []span
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			all = append(all, seqSpan(len(sel.rows), r.Start, r.Stop))
		}
	case imap.UIDSet:
		if imap.IsSearchRes(set) {
			return uidSpans(sel.rows, sel.saved)
		}
		for _, r := range set {
			all = append(all, uidSpan(sel.rows, model.UID(r.Start), model.UID(r.Stop)))
		}
	}
	return joined(all)
}

// seqSpan resolves one range; 0 is "*".
func seqSpan(n int, start, stop uint32) span {
	if n == 0 {
		return span{}
	}
	lo, hi := int64(start), int64(stop)
	if lo == 0 {
		lo = int64(n)
	}
	if hi == 0 {
		hi = int64(n)
	}
	if lo > hi {
		lo, hi = hi, lo
	}
	if lo > int64(n) {
		return span{}
	}
	return span{int(lo - 1), int(min(hi, int64(n)))}
}

// uidSpan is seqSpan for UIDs.
func uidSpan(rows []archive.Row, start, stop model.UID) span {
	if len(rows) == 0 {
		return span{}
	}
	last := rows[len(rows)-1].UID
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	if start > stop {
		start, stop = stop, start
	}
	from, _ := rowOf(rows, start)
	to, found := rowOf(rows, stop)
	if found {
		to++
	}
	return span{from, to}
}

// uidSpans are the rows of a sorted list of UIDs.
func uidSpans(rows []archive.Row, uids []model.UID) []span {
	var all []span
	for _, u := range uids {
		i, ok := rowOf(rows, u)
		if !ok {
			continue
		}
		if n := len(all); n > 0 && all[n-1].to == i {
			all[n-1].to++
			continue
		}
		all = append(all, span{i, i + 1})
	}
	return all
}

// joined sorts and joins what touches.
func joined(all []span) []span {
	all = slices.DeleteFunc(all, func(s span) bool { return s.from >= s.to })
	sort.Slice(all, func(i, j int) bool { return all[i].from < all[j].from })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// within reports whether a row is in spans.
func within(spans []span, i int) bool {
	at := sort.Search(len(spans), func(k int) bool { return spans[k].to > i })
	return at < len(spans) && spans[at].from <= i
}

func count(spans []span) int {
	n := 0
	for _, s := range spans {
		n += s.to - s.from
	}
	return n
}

// parseSet reads a sequence set of a search.
func parseSet(rows []archive.Row, text string, uid bool) ([]span, bool) {
	var all []span
	for _, piece := range strings.Split(text, ",") {
		a, b, two := strings.Cut(piece, ":")
		if !two {
			b = a
		}
		start, ok1 := parseNumber(a)
		stop, ok2 := parseNumber(b)
		if !ok1 || !ok2 {
			return nil, false
		}
		if uid {
			all = append(all, uidSpan(rows, model.UID(start), model.UID(stop)))
		} else {
			all = append(all, seqSpan(len(rows), start, stop))
		}
	}
	return joined(all), true
}

// parseNumber reads a number of a set; "*" is 0, which no message has.
func parseNumber(s string) (uint32, bool) {
	if s == "*" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n > 0
}
