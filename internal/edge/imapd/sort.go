package imapd

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/list/archive"
)

// sortCriteria are the criteria of SORT (RFC 5256 3, RFC 5957).
var sortCriteria = map[string]archive.SortBy{
	"ARRIVAL": archive.SortArrival, "DATE": archive.SortDate, "SIZE": archive.SortSize, "FROM": archive.SortFrom,
	"TO": archive.SortTo, "CC": archive.SortCc, "SUBJECT": archive.SortSubject,
	"DISPLAYFROM": archive.SortShownFrom, "DISPLAYTO": archive.SortShownTo,
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
		return r.unsaved(o, err)
	}
	all := o
	all.page = page{} // which of them come first is known in the end
	found, err := s.matching(r, all)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		ctx, cancel := context.WithTimeout(s.ctx, s.front.srv.times.search)
		defer cancel()
		uids, err := r.sel.box.texts.Sort(ctx, r.sel.list.ID, keys, r.sel.uids(found))
		if err != nil {
			return s.failed("sort", err)
		}
		found = r.sel.located(uids)
	}
	o.seqs = r.seqs
	r.sel.save(found, o)
	s.tellFound(c, found, o)
	return nil
}

// sortKeys reads the criteria: words in brackets.
func (r *searchReader) sortKeys() (keys []archive.SortKey, err error) {
	list, after, closed := strings.Cut(strings.TrimPrefix(r.rest, "("), ")")
	if !strings.HasPrefix(r.rest, "(") || !closed {
		return nil, &syntaxError{text: "SORT takes a list of criteria"}
	}
	r.rest = strings.TrimLeft(after, " ")
	reverse := false
	for _, word := range strings.Fields(strings.ToUpper(list)) {
		if word == "REVERSE" {
			if reverse {
				return nil, &syntaxError{text: "REVERSE stands before a criterion"}
			}
			reverse = true
			continue
		}
		by, ok := sortCriteria[word]
		if !ok {
			return nil, &syntaxError{text: "There is no such sort criterion"}
		}
		// A criterion that comes again decides nothing.
		if !slices.ContainsFunc(keys, func(k archive.SortKey) bool { return k.By == by }) {
			keys = append(keys, archive.SortKey{By: by, Reverse: reverse})
		}
		reverse = false
	}
	if len(keys) == 0 || reverse {
		return nil, &syntaxError{text: "SORT takes a list of criteria"}
	}
	return keys, nil
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
