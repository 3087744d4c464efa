package imapd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/list/archive"
)

// sortKey is one criterion of SORT (RFC 5256 3, RFC 5957).
type sortKey struct {
	by      string
	reverse bool
}

// answerSort answers SORT and UID SORT (RFC 5256 3), with RETURN (RFC 5267 3).
func (f *front) answerSort(c *command) error {
	return f.answered(c, f.sess.sort(c))
}

// answered ends a command that looks for messages.
func (f *front) answered(c *command, err error) error {
	var bad *syntaxError
	switch {
	case err == nil:
		return f.done(c)
	case errors.As(err, &bad):
		bad.tag = c.tag
		f.refuse(bad)
		return nil
	}
	return f.refusal(c, err)
}

func (s *session) sort(c *command) error {
	r, done, err := s.reading(c)
	if err != nil {
		return err
	}
	defer done()
	o, err := r.returns()
	if err != nil {
		return err
	}
	keys, err := r.sortKeys()
	if err != nil {
		return err
	}
	if err := r.charset(); err != nil {
		return err
	}
	found, err := s.matching(r, o)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		if err := s.inOrder(r.sel, found, keys); err != nil {
			return s.failed("sort", err)
		}
	}
	s.tellFound(c, found, o)
	return nil
}

// sortKeys reads the criteria: words in brackets.
func (r *searchReader) sortKeys() (keys []sortKey, err error) {
	list, after, closed := strings.Cut(strings.TrimPrefix(r.rest, "("), ")")
	if !strings.HasPrefix(r.rest, "(") || !closed {
		return nil, &syntaxError{text: "SORT takes a list of criteria"}
	}
	r.rest = strings.TrimLeft(after, " ")
	reverse := false
	for _, word := range strings.Fields(strings.ToUpper(list)) {
		switch word {
		case "REVERSE":
			if reverse {
				return nil, &syntaxError{text: "REVERSE stands before a criterion"}
			}
			reverse = true
			continue
		case byArrival, byDate, bySize, bySubject, byFrom, byTo, byCc, byNameFrom, byNameTo:
		default:
			return nil, &syntaxError{text: "There is no such sort criterion"}
		}
		// A criterion that comes again decides nothing.
		if !slices.ContainsFunc(keys, func(k sortKey) bool { return k.by == word }) {
			keys = append(keys, sortKey{word, reverse})
		}
		reverse = false
	}
	if len(keys) == 0 || reverse {
		return nil, &syntaxError{text: "SORT takes a list of criteria"}
	}
	return keys, nil
}

// inOrder sorts places of rows. Equal ones stay in the order of the mailbox, in
// reverse too (RFC 5256 3).
func (s *session) inOrder(sel *selected, found []int, keys []sortKey) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.front.srv.times.search)
	defer cancel()
	columns := make([][]int64, len(keys))
	var ord *order
	for i, k := range keys {
		switch {
		case k.by == byArrival:
			columns[i] = measured(sel.rows, found, func(r *archive.Row) int64 { return int64(r.ReceivedAt) })
		case k.by == byDate:
			columns[i] = measured(sel.rows, found, func(r *archive.Row) int64 { return int64(r.SentAt) })
		case k.by == bySize:
			columns[i] = measured(sel.rows, found, func(r *archive.Row) int64 { return int64(r.Size) })
		default:
			if ord == nil {
				var err error
				if ord, err = s.front.srv.orders.of(ctx, s.front.srv.opt.Archive, sel.list.ID); err != nil {
					return err
				}
			}
			columns[i] = ord.ranks(sel.rows, found, k.by)
		}
		if k.reverse {
			for j := range columns[i] {
				columns[i][j] = -columns[i][j]
			}
		}
	}
	sortPlaces(found, columns)
	return nil
}

func measured(rows []archive.Row, found []int, of func(*archive.Row) int64) []int64 {
	all := make([]int64, len(found))
	for i, at := range found {
		all[i] = of(&rows[at])
	}
	return all
}

// sortPlaces sorts found, which is in order, by the columns beside it. The first
// column, which mostly decides, is next to the place in memory.
func sortPlaces(found []int, columns [][]int64) {
	type line struct {
		first int64
		at    int32 // in found
	}
	lines := make([]line, len(found))
	for i := range lines {
		lines[i] = line{columns[0][i], int32(i)}
	}
	slices.SortFunc(lines, func(a, b line) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		for _, c := range columns[1:] {
			if d := cmp.Compare(c[a.at], c[b.at]); d != 0 {
				return d
			}
		}
		return cmp.Compare(a.at, b.at)
	})
	was := slices.Clone(found)
	for i, l := range lines {
		found[i] = was[l.at]
	}
}

// charset reads the charset that SORT and THREAD name always.
func (r *searchReader) charset() error {
	name, after, good := firstAString(r.rest)
	if !good || name == "" {
		return &syntaxError{text: "A charset is to be named"}
	}
	r.rest = strings.TrimLeft(after, " ")
	if !strings.EqualFold(name, "UTF-8") && !strings.EqualFold(name, "US-ASCII") {
		return no(badCharset, "Search in UTF-8, please")
	}
	return nil
}

// badCharset names the charsets a search may be in (RFC 9051 7.1).
const badCharset imap.ResponseCode = "BADCHARSET (US-ASCII UTF-8)"
