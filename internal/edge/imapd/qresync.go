package imapd

import (
	"sort"
	"strconv"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// resync is what a client that comes back knows of a mailbox (RFC 7162 3.2.5). It
// is told what was taken away and what changed since between the other responses
// to SELECT and its outcome: there the front stands.
type resync struct {
	validity uint64
	since    uint64
	known    []model.UIDRun // nil: all

	tell func(f *front) error // set by Select; the front is locked
}

// takeSelect takes (CONDSTORE) and (QRESYNC (...)) off SELECT. What it does not
// understand stays for go-imap to refuse.
func (f *front) takeSelect(c *command) error {
	name, rest, ok := firstAString(string(c.args))
	param := strings.TrimSpace(rest)
	if !ok || name == "" || !strings.HasPrefix(param, "(") || !strings.HasSuffix(param, ")") {
		return nil
	}
	var back *resync
	for left := param[1 : len(param)-1]; left != ""; {
		var word string
		word, left = cutItem(left)
		switch {
		case strings.EqualFold(word, "CONDSTORE"):
		case strings.EqualFold(word, "QRESYNC"):
			if !f.sess.resyncs {
				return &syntaxError{text: "QRESYNC is to be enabled first"}
			}
			var args string
			args, left = cutItem(left)
			if back = parseResync(args); back == nil {
				return &syntaxError{text: "QRESYNC takes UIDVALIDITY, a mod-sequence and maybe UIDs"}
			}
		default:
			return nil
		}
	}
	c.cond.back = back
	c.args = c.args[:len(c.args)-len(rest)]
	return nil
}

func parseResync(args string) *resync {
	if !strings.HasPrefix(args, "(") || !strings.HasSuffix(args, ")") {
		return nil
	}
	validity, left := cutItem(args[1 : len(args)-1])
	since, left := cutItem(left)
	known, left := cutItem(left)
	if strings.HasPrefix(known, "(") { // what matches numbers to UIDs helps only where few are known
		known, left = "", known
	}
	r := &resync{}
	var err, failed error
	if r.validity, err = strconv.ParseUint(validity, 10, 32); err != nil {
		failed = err
	}
	if r.since, err = strconv.ParseUint(since, 10, 63); err != nil {
		failed = err
	}
	if failed != nil || left != "" && !strings.HasPrefix(left, "(") {
		return nil
	}
	if known != "" {
		if r.known = parseRuns(known); r.known == nil {
			return nil
		}
	}
	return r
}

// parseRuns reads a set of UIDs without "*"; nil when it is none.
func parseRuns(set string) (runs []model.UIDRun) {
	for part := range strings.SplitSeq(set, ",") {
		from, to, two := strings.Cut(part, ":")
		if !two {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 32)
		b, err2 := strconv.ParseUint(to, 10, 32)
		if err != nil || err2 != nil || a == 0 || b == 0 {
			return nil
		}
		runs = append(runs, model.UIDRun{From: model.UID(min(a, b)), To: model.UID(max(a, b))})
	}
	return model.JoinRuns(runs)
}

// resynced prepares what is told to who comes back to the mailbox.
func (s *session) resynced(sel *selected) error {
	c := s.front.cmd
	if c == nil || c.cond.back == nil || sel.box == nil || sel.held || c.cond.back.validity != uint64(sel.box.index.UIDValidity()) {
		return nil // of another UIDVALIDITY nothing is known
	}
	back := c.cond.back
	m, err := s.modseqsOf(sel)
	if err != nil {
		return s.failed("read flags", err)
	}
	spans := m.changed(sel.rows, back.since)
	if back.known != nil {
		spans = common(spans, joined(runSpans(sel.rows, back.known)))
	}
	back.tell = func(f *front) error {
		if err := f.gather(appendVanished(nil, sel.view, back.known, true)); err != nil {
			return err
		}
		for _, span := range spans {
			seqs := m.of(sel.rows[span.from:span.to])
			for i := span.from; i < span.to; i++ {
				if err := f.gather(sel.appendFlags(nil, i, true, seqs[i-span.from])); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return nil
}

// appendVanished writes VANISHED with the UIDs among those known that are not
// there (RFC 7162 3.2.10), and nothing where there are none.
func appendVanished(b []byte, v view, known []model.UIDRun, earlier bool) []byte {
	gone := missing(v.rows, v.next)
	if known != nil {
		gone = commonRuns(gone, known)
	}
	if len(gone) == 0 {
		return b
	}
	b = append(b, "* VANISHED "...)
	if earlier {
		b = append(b, "(EARLIER) "...)
	}
	return append(appendUIDs(b, gone), "\r\n"...)
}

func appendUIDs(b []byte, runs []model.UIDRun) []byte {
	for i, r := range runs {
		if i > 0 {
			b = append(b, ',')
		}
		if b = appendInt(b, int64(r.From)); r.To > r.From {
			b = appendInt(append(b, ':'), int64(r.To))
		}
	}
	return b
}

// missing gives the UIDs below next that no row has. They are in few runs: the
// way to each is a binary search.
func missing(rows []archive.Row, next model.UID) (runs []model.UIDRun) {
	if len(rows) == int(next)-1 {
		return nil
	}
	for uid := model.UID(1); uid < next; {
		n := sort.Search(len(rows), func(i int) bool { return rows[i].UID > uid+model.UID(i) })
		rows, uid = rows[n:], uid+model.UID(n)
		end := next
		if len(rows) > 0 {
			end = rows[0].UID
		}
		if uid < end {
			runs = append(runs, model.UIDRun{From: uid, To: end - 1})
		}
		uid = end
	}
	return runs
}

// commonRuns are the UIDs in both; each is in order without overlap.
func commonRuns(a, b []model.UIDRun) (both []model.UIDRun) {
	for len(a) > 0 && len(b) > 0 {
		if r := (model.UIDRun{From: max(a[0].From, b[0].From), To: min(a[0].To, b[0].To)}); r.From <= r.To {
			both = append(both, r)
		}
		if a[0].To < b[0].To {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// tellVanished answers what of the UIDs of a UID FETCH was taken away.
func (s *session) tellVanished(sel *selected, c *command) error {
	set, _, _ := strings.Cut(string(c.args), " ")
	if i := strings.LastIndexByte(set, '*'); i >= 0 { // "5:*" is up to the last
		set = strings.ReplaceAll(set, "*", strconv.FormatUint(uint64(max(sel.next, 2)-1), 10))
	}
	known := parseRuns(set)
	if known == nil {
		return nil // "$": what was found is there
	}
	return s.front.render(func(b []byte) []byte { return appendVanished(b, sel.view, known, true) })
}
