package imapd

import (
	"strings"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// The columns that BODY and TEXT look into. An attachment's name belongs to the
// body it is in.
const (
	bodyColumns = model.InText | model.InFiles
	textColumns = model.InAll
)

// key reads the value of one search key (RFC 9051 6.4.4, RFC 5032). Words of
// BODY and TEXT are found by their beginnings, which the RFC leaves open;
// everything else is exact.
func (r *searchReader) key(word string) (archive.Query, error) {
	none := archive.Not(archive.All())
	switch word {
	case "ALL", "OLD", "UNDELETED":
		return archive.All(), nil
	case "DELETED", "NEW", "RECENT":
		return none, nil
	case "ANSWERED", "DRAFT", "FLAGGED", "SEEN":
		return r.flag(`\` + word), nil
	case "UNANSWERED", "UNDRAFT", "UNFLAGGED", "UNSEEN":
		return archive.Not(r.flag(`\` + word[2:])), nil
	case "KEYWORD", "UNKEYWORD":
		name, err := r.text()
		if err != nil {
			return none, err
		}
		if word == "UNKEYWORD" {
			return archive.Not(r.flag(name)), nil
		}
		return r.flag(name), nil
	case "UID":
		set, err := r.text()
		if err != nil {
			return none, err
		}
		return r.set(set, true)
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		value, err := r.text()
		return archive.HeaderHas(word, value), err
	case "HEADER":
		field, err := r.text()
		if err != nil {
			return none, err
		}
		value, err := r.text()
		return r.here(archive.HeaderHas(field, value)), err // within OR and NOT too: messages may have to be opened
	case "BODY":
		value, err := r.text()
		return archive.Phrase(bodyColumns, value, true), err
	case "TEXT":
		value, err := r.text()
		return archive.Phrase(textColumns, value, true), err
	case "MODSEQ":
		return r.modseq()
	case "LARGER", "SMALLER", "OLDER", "YOUNGER":
		n, err := r.number()
		if err != nil {
			return none, err
		}
		return r.measure(word, n), nil
	}
	if q, ok, err := r.dated(word); ok {
		return q, err
	}
	return r.set(word, false)
}

// modseq reads MODSEQ with or without the name of a flag, which does not matter
// here: a message has one mod-sequence (RFC 7162 3.1.5).
func (r *searchReader) modseq() (q archive.Query, err error) {
	if r.modseqs == nil {
		return q, &syntaxError{text: "There are no mod-sequences here"}
	}
	if strings.HasPrefix(r.rest, ` "`) {
		if _, err := r.text(); err != nil {
			return q, err
		}
		if _, err := r.text(); err != nil {
			return q, err
		}
	}
	since, err := r.number()
	if err != nil {
		return q, err
	}
	if r.seqs == nil {
		if r.seqs, err = r.modseqs(); err != nil {
			return q, err
		}
	}
	rows, seqs := r.sel.rows, r.seqs
	return archive.Where(func(uid model.UID) bool {
		i, ok := rowOf(rows, uid)
		return ok && seqs[i] >= uint64(since)
	}), nil
}

func (r *searchReader) flag(name string) archive.Query {
	if r.sel.held {
		flags := r.sel.flags
		return archive.Where(func(uid model.UID) bool { return flags.Has(strings.ToLower(name), uid) })
	}
	if r.account == 0 {
		return archive.Not(archive.All())
	}
	return archive.Flagged(r.account, strings.ToLower(name))
}

// measure compares sizes, and ages in seconds (RFC 5032).
func (r *searchReader) measure(word string, n int64) archive.Query {
	switch word {
	case "LARGER":
		return archive.Larger(n)
	case "SMALLER":
		return archive.Smaller(n)
	}
	rows, border := r.sel.rows, model.At(r.now)-model.Instant(min(n, 1<<40)*1e6)
	return archive.Where(func(uid model.UID) bool {
		i, ok := rowOf(rows, uid)
		return ok && (rows[i].ReceivedAt <= border) == (word == "OLDER")
	})
}

// dated reads the keys that take a day.
func (r *searchReader) dated(word string) (q archive.Query, ok bool, err error) {
	from, before := archive.ReceivedFrom, archive.ReceivedBefore
	kind, sent := strings.CutPrefix(word, "SENT")
	if sent {
		from, before = archive.SentFrom, archive.SentBefore
	}
	if kind != "SINCE" && kind != "BEFORE" && kind != "ON" {
		return q, false, nil
	}
	day, err := r.date()
	if err != nil {
		return q, true, err
	}
	switch kind {
	case "SINCE":
		q = from(day)
	case "BEFORE":
		q = before(day)
	case "ON":
		q = archive.And(from(day), before(day.Add(24*time.Hour)))
	}
	return q, true, nil
}

// set reads a sequence set; "$" is the saved result.
func (r *searchReader) set(text string, uid bool) (archive.Query, error) {
	if text == "$" {
		return r.among(uidSpans(r.sel.rows, r.sel.saved)), nil
	}
	spans, ok := parseSet(r.sel.rows, text, uid)
	if !ok {
		return archive.Query{}, &syntaxError{text: "There is no such search key"}
	}
	return r.among(spans), nil
}
