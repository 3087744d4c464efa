package imapd

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"plenary/internal/list/archive"
)

// Paged results (RFC 9394): SEARCH RETURN (PARTIAL -1:-50) gives the newest fifty
// of what was found, which is all a program shows at once, and the archive looks
// no further than it must for them.

// page is a range of results, counted from the first or the last; the zero value
// is none.
type page struct {
	from, to int // from is not above to; 1 is the first
	last     bool
}

// parsePage reads a partial-range.
func parsePage(text string) (p page, ok bool) {
	a, b, two := strings.Cut(text, ":")
	if p.last = strings.HasPrefix(a, "-"); p.last {
		a = a[1:]
		if !strings.HasPrefix(b, "-") {
			return page{}, false
		}
		b = b[1:]
	}
	from, ok1 := parseNumber(a)
	to, ok2 := parseNumber(b)
	if !two || !ok1 || !ok2 || from == 0 || to == 0 {
		return page{}, false
	}
	p.from, p.to = int(min(from, to)), int(max(from, to))
	return p, true
}

// asked reports whether there is a page.
func (p page) asked() bool { return p.to > 0 }

// String is the range as it is said again in the answer.
func (p page) String() string {
	sign := ""
	if p.last {
		sign = "-"
	}
	return sign + strconv.Itoa(p.from) + ":" + sign + strconv.Itoa(p.to)
}

// of gives the places of n results that are on the page: from the first to before
// the last.
func (p page) of(n int) (from, to int) {
	if p.last {
		return max(n-p.to, 0), max(n-p.from+1, 0)
	}
	return min(p.from-1, n), min(p.to, n)
}

// cut gives the rows of spans that are on the page.
func (p page) cut(spans []span) (some []span) {
	if !p.asked() {
		return spans
	}
	from, to := p.of(count(spans))
	for _, s := range spans {
		n := s.to - s.from
		if a, b := max(from, 0), min(to, n); a < b {
			some = append(some, span{s.from + a, s.from + b})
		}
		from, to = from-n, to-n
	}
	return some
}

// takePage takes PARTIAL out of the modifiers of FETCH (RFC 9394 3.3).
func (c *command) takePage() error {
	if !containsFold(c.args, "PARTIAL") {
		return nil
	}
	set, rest, _ := strings.Cut(string(c.args), " ")
	items, modifiers := cutItem(strings.TrimLeft(rest, " "))
	if !strings.HasPrefix(modifiers, "(") || !strings.HasSuffix(modifiers, ")") {
		return nil
	}
	var kept []string
	for words := strings.Fields(modifiers[1 : len(modifiers)-1]); len(words) > 0; words = words[1:] {
		if !strings.EqualFold(words[0], "PARTIAL") {
			kept = append(kept, words[0])
			continue
		}
		p, ok := page{}, false
		if len(words) > 1 && !c.page.asked() {
			p, ok = parsePage(words[1])
		}
		if !ok {
			return &syntaxError{text: "PARTIAL takes one range"}
		}
		c.page, words = p, words[1:]
	}
	c.args = []byte(set + " " + items)
	if len(kept) > 0 {
		c.args = append(c.args, " ("+strings.Join(kept, " ")+")"...)
	}
	return nil
}

// containsFold finds a word in capitals whatever the case.
func containsFold(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0]|0x20 && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// newest gives the places of the last results, as many as the page reaches to,
// where they are all that is asked for; ok is false where everything must be found.
func (s *session) newest(ctx context.Context, r *searchReader, q archive.Query, o searchOptions) (places []int, ok bool, err error) {
	rows := r.sel.rows
	if !o.page.last || o.count || o.min || r.sel.part || o.page.to > len(rows)/2 {
		return nil, false, nil
	}
	uids, err := r.sel.box.texts.Newest(ctx, r.sel.list.ID, q, rows[len(rows)-1].UID, o.page.to)
	if err != nil {
		return nil, false, err
	}
	places = r.sel.places(uids)
	return places, len(places) == len(uids), nil // else some are shown no more
}

// told are the places a page and the ends that were asked for with it stand for:
// what "$" is afterwards (RFC 9394 3.2), unless all were counted.
func (o searchOptions) told(found []int) []int {
	n := len(found)
	if n == 0 {
		return nil
	}
	from, to := o.page.of(n)
	some := slices.Clone(found[from:max(from, to)])
	if o.min {
		some = append(some, found[0])
	}
	if o.max {
		some = append(some, found[n-1])
	}
	slices.Sort(some)
	return slices.Compact(some)
}
