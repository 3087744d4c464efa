package imapd

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// answerSearch answers SEARCH and UID SEARCH (RFC 9051 6.4.4).
func (f *front) answerSearch(c *command) error {
	return f.answered(c, f.sess.search(c))
}

func (s *session) search(c *command) error {
	r, done, err := s.reading(c)
	if err != nil {
		return err
	}
	defer done()
	o, err := r.options()
	if err != nil {
		return r.unsaved(o, err)
	}
	found, err := s.matching(r, o)
	if err != nil {
		return err
	}
	o.seqs = r.seqs
	r.sel.save(found, o)
	s.tellFound(c, found, o)
	return nil
}

// reading begins a command that looks for messages in the selected mailbox; the
// session is locked until done is called.
func (s *session) reading(c *command) (r *searchReader, done func(), err error) {
	if !s.loggedIn() {
		return nil, nil, &syntaxError{text: "Log in first"}
	}
	s.mu.Lock()
	sel, err := s.mailbox()
	if err != nil {
		s.mu.Unlock()
		return nil, nil, err
	}
	r = &searchReader{rest: string(c.args), sel: sel, account: s.who.AccountID, now: s.front.srv.opt.Now(),
		utf8: s.conn.EnabledCaps().Has(imap.CapUTF8Accept)}
	if s.condstore() && !sel.held {
		r.modseqs = func() ([]uint64, error) {
			m, err := s.modseqsOf(sel)
			if err != nil {
				return nil, s.failed("read flags", err)
			}
			return m.of(sel.rows), nil
		}
	}
	return r, s.mu.Unlock, nil
}

// matching reads the search keys and gives the places of the rows that match, in
// order; of a page at the end only what it needs. A search for mod-sequences that
// is not refused tells that the client knows of them (RFC 7162 3.1).
func (s *session) matching(r *searchReader, o searchOptions) (found []int, err error) {
	defer func() {
		if err == nil && r.seqs != nil {
			s.knows(true)
		}
	}()
	query, err := r.keys()
	if err != nil || r.sel.box == nil || len(r.sel.rows) == 0 {
		return nil, r.unsaved(o, err)
	}
	if o.save {
		r.sel.saved = nil // RFC 5182 2.1: what fails leaves nothing
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.front.srv.times.search)
	defer cancel()
	var ok bool
	found, ok, err = s.newest(ctx, r, query, o)
	if err == nil && !ok {
		var uids []model.UID
		uids, err = r.sel.box.texts.Search(ctx, r.sel.list.ID, query)
		found = r.sel.places(uids)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fault.Wrap(fault.TooLarge, err, "That search takes too long, please ask for less at once")
		}
		return nil, s.failed("search", err)
	}
	return found, nil
}

// unsaved empties the saved result where a search that was to save its own is
// refused; one that makes no sense leaves it (RFC 5182 2.1).
func (r *searchReader) unsaved(o searchOptions, err error) error {
	var bad *syntaxError
	if o.save && !errors.As(err, &bad) {
		r.sel.saved = nil
	}
	return err
}

// places are the rows of UIDs, in order; posts the client has not been told of
// are left out.
func (sel *selected) places(uids []model.UID) []int {
	places := sel.located(uids)
	if !slices.IsSorted(places) {
		slices.Sort(places)
	}
	return places
}

// located are the rows of UIDs, as they come.
func (sel *selected) located(uids []model.UID) []int {
	places := make([]int, 0, len(uids))
	for _, u := range uids {
		if i, ok := rowOf(sel.rows, u); ok {
			places = append(places, i)
		}
	}
	return places
}

// uids are the UIDs of places.
func (sel *selected) uids(places []int) []model.UID {
	uids := make([]model.UID, len(places))
	for i, at := range places {
		uids[i] = sel.rows[at].UID
	}
	return uids
}

// save keeps the result for "$" where that was asked for (RFC 9051 6.4.4.1): all of
// it, unless only its ends or a page of it were asked for. It is kept in order,
// however the result was sorted.
func (sel *selected) save(found []int, o searchOptions) {
	if !o.save {
		return
	}
	switch n := len(found); {
	case n == 0 || o.all || o.count:
	case o.page.asked():
		found = o.told(found)
	case o.min && o.max && n > 1:
		found = []int{found[0], found[n-1]}
	case o.min:
		found = found[:1]
	case o.max:
		found = found[n-1:]
	}
	sel.saved = sel.uids(found)
	slices.Sort(sel.saved)
}

// searchOptions is what is asked of the result (RFC 9051 6.4.4, RETURN).
type searchOptions struct {
	given, all, min, max, count, save bool

	page page // PARTIAL (RFC 9394)

	seqs []uint64 // of all rows, where the search was for mod-sequences
}

// highest is the mod-sequence of what is told of a result (RFC 7162 3.1.5, RFC
// 4731 3.2); 0: none is told.
func (o searchOptions) highest(found []int) (top uint64) {
	if o.seqs == nil || len(found) == 0 {
		return 0
	}
	if ends := o.given && !o.all && !o.count; ends && o.page.asked() {
		found = o.told(found)
	} else if ends && o.min && o.max {
		found = []int{found[0], found[len(found)-1]}
	} else if ends && o.min {
		found = found[:1]
	} else if ends && o.max {
		found = found[len(found)-1:]
	}
	for _, i := range found {
		top = max(top, o.seqs[i])
	}
	return top
}

// tellFound writes SEARCH or SORT, or ESEARCH. Nothing but SAVE asked: nothing is
// said. Of a sorted result MIN and MAX are its ends.
func (s *session) tellFound(c *command, found []int, o searchOptions) {
	uid := strings.HasPrefix(c.name, "UID ")
	number := func(i int) int64 {
		if uid {
			return int64(s.sel.rows[i].UID)
		}
		return int64(i + 1)
	}
	extended := o.given || strings.HasSuffix(c.name, "SEARCH") && s.conn.EnabledCaps().Has(imap.CapIMAP4rev2)
	if o.given && o.save && !o.all && !o.min && !o.max && !o.count && !o.page.asked() {
		return
	}
	top := o.highest(found)
	_ = s.front.render(func(b []byte) []byte {
		if !extended {
			b = append(append(b, "* "...), strings.TrimPrefix(c.name, "UID ")...)
			for _, i := range found {
				b = appendInt(append(b, ' '), number(i))
			}
			if top > 0 {
				b = append(strconv.AppendUint(append(b, " (MODSEQ "...), top, 10), ')')
			}
			return append(b, "\r\n"...)
		}
		b = append(appendQuoted(append(b, "* ESEARCH (TAG "...), []byte(c.tag)), ')')
		if uid {
			b = append(b, " UID"...)
		}
		if n := len(found); n > 0 {
			if o.min {
				b = appendInt(append(b, " MIN "...), number(found[0]))
			}
			if o.max {
				b = appendInt(append(b, " MAX "...), number(found[n-1]))
			}
			if o.all {
				b = appendRuns(append(b, " ALL "...), found, number)
			}
		}
		if o.page.asked() {
			b = append(append(append(b, " PARTIAL ("...), o.page.String()...), ' ')
			if from, to := o.page.of(len(found)); from < to {
				b = appendRuns(b, found[from:to], number)
			} else {
				b = append(b, "NIL"...)
			}
			b = append(b, ')')
		}
		if o.count {
			b = appendInt(append(b, " COUNT "...), int64(len(found)))
		}
		if top > 0 {
			b = strconv.AppendUint(append(b, " MODSEQ "...), top, 10)
		}
		return append(b, "\r\n"...)
	})
}

// appendRuns writes numbers as a sequence set. Runs of places are runs of UIDs
// only where none is missing.
func appendRuns(b []byte, found []int, number func(int) int64) []byte {
	for at := 0; at < len(found); {
		end := at
		for end+1 < len(found) && number(found[end+1]) == number(found[end])+1 {
			end++
		}
		if at > 0 {
			b = append(b, ',')
		}
		b = appendInt(b, number(found[at]))
		if end > at {
			b = appendInt(append(b, ':'), number(found[end]))
		}
		at = end + 1
	}
	return b
}
