package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"plenary/internal/model"
)

// Flags are kept in lower case, because IMAP does not tell case apart (RFC 9051
// 2.3.2), and said as mail programs are used to see them.
const seen = `\seen`

// draft means nothing here, but a program that keeps a mailbox of its own in
// step may push it.
const draft = `\draft`

// ownFlags are shown for every mailbox, as they are kept.
var ownFlags = [...]string{`\answered`, `\flagged`, seen, "$forwarded"}

// saidFlags are how those with capitals are written.
var saidFlags = [...]string{`\Answered`, `\Draft`, `\Flagged`, `\Seen`, "$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing", "$Important",
	"Junk", "NonJunk"}

// said is a kept flag as it is written.
func said(kept string) string {
	for _, s := range saidFlags {
		if strings.EqualFold(s, kept) {
			return s
		}
	}
	return kept
}

// noFlags are the flags of somebody who has none.
type noFlags struct{}

// Names are none.
func (noFlags) Names() []string { return nil }

// Has is false.
func (noFlags) Has(string, model.UID) bool { return false }

// Count is zero.
func (noFlags) Count(string) int { return 0 }

// Octets are none.
func (noFlags) Octets() int { return 0 }

// setFlags takes a snapshot of the person's flags. Another door may have kept a
// mark that cannot be said in IMAP: it is not shown.
func (sel *selected) setFlags(f Flags) {
	sel.flags, sel.shown, sel.said = f, nil, nil
	for _, n := range f.Names() {
		if sayable(n) {
			sel.shown, sel.said = append(sel.shown, n), append(sel.said, said(n))
		}
	}
}

// sayable reports whether a flag can be written as an atom.
func sayable(flag string) bool {
	name := strings.TrimPrefix(flag, `\`)
	return name != "" && all([]byte(name), atomChar)
}

// names are the flags of the mailbox as they are kept: those every mail program
// uses, and the person's keywords.
func (sel *selected) names() []string {
	names := slices.Clone(ownFlags[:])
	for _, n := range sel.shown {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func flagList(names []string) []imap.Flag {
	flags := make([]imap.Flag, len(names))
	for i, n := range names {
		flags[i] = imap.Flag(said(n))
	}
	return flags
}

// appendFlags writes a FETCH response with the flags of one row, and its
// mod-sequence unless that is 0.
func (sel *selected) appendFlags(b []byte, i int, uid bool, modseq uint64) []byte {
	b = appendInt(append(b, "* "...), int64(i+1))
	b = append(b, " FETCH ("...)
	if uid {
		b = append(appendInt(append(b, "UID "...), int64(sel.rows[i].UID)), ' ')
	}
	b = sel.appendFlagItem(b, sel.rows[i].UID)
	if modseq > 0 {
		b = appendModSeq(append(b, ' '), modseq)
	}
	return append(b, ")\r\n"...)
}

// appendFlagItem writes FLAGS (...).
func (sel *selected) appendFlagItem(b []byte, uid model.UID) []byte {
	b = append(b, "FLAGS ("...)
	start := len(b)
	for i, n := range sel.shown {
		if !sel.flags.Has(n, uid) {
			continue
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, sel.said[i]...)
	}
	return append(b, ')')
}

// announceFlags tells which flags another session of the same person changed.
func (s *session) announceFlags(sel *selected) error {
	select {
	case <-sel.marked:
		sel.stale = true
	default:
	}
	if !sel.stale {
		return nil
	}
	if err := s.refreshFlags(sel, nil); err != nil {
		return err
	}
	sel.stale = false
	return nil
}

// ownChange is what this session changed itself just now, and tells otherwise.
type ownChange struct {
	spans []span
	names []string
	op    imap.StoreFlagsOp
	all   bool // everything about these rows will be told
}

// expected is whether a row has a flag after our own change, and nobody else's.
func (o *ownChange) expected(had bool, name string, i int) bool {
	switch {
	case o == nil || !within(o.spans, i):
		return had
	case slices.Contains(o.names, name):
		return o.op != imap.StoreFlagsDel
	}
	return had && o.op != imap.StoreFlagsSet
}

// refreshFlags reads the flags again and tells what is not as expected: what
// other sessions of the person changed.
func (s *session) refreshFlags(sel *selected, own *ownChange) error {
	flags, spans, seqs, err := s.newFlags(sel)
	if err != nil {
		return s.failed("read flags", err)
	}
	had, names := sel.flags, sel.names()
	sel.setFlags(flags)
	if err := s.tellKeywords(sel); err != nil {
		return err
	}
	for _, n := range sel.shown {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return s.front.render(func(b []byte) []byte {
		for _, span := range spans {
			for i := span.from; i < span.to; i++ {
				uid := sel.rows[i].UID
				if own != nil && own.all && within(own.spans, i) {
					continue
				}
				if slices.ContainsFunc(names, func(n string) bool { return own.expected(had.Has(n, uid), n, i) != flags.Has(n, uid) }) {
					b = sel.appendFlags(b, i, true, seqs[uid])
				}
			}
		}
		return b
	})
}

// newFlags reads the person's flags, and which rows may have changed since the
// last time: by the log, else all.
func (s *session) newFlags(sel *selected) (f Flags, spans []span, seqs map[model.UID]uint64, err error) {
	if sel.held {
		return sel.flags, nil, nil, nil
	}
	for range 3 { // until nothing comes in between
		if !s.condstore() || !s.mayMark() {
			break
		}
		changes, err := s.front.srv.opt.Changes.FlagChanges(s.ctx, s.who.AccountID, sel.list.ID, sel.last.ModSeq())
		if err != nil {
			return nil, nil, nil, err
		}
		f, last, _, err := s.flagsOf(sel.list.ID, nil)
		if err != nil {
			return nil, nil, nil, err
		}
		if n := len(changes); n > 0 && changes[n-1].Seq != last.Seq || n == 0 && last.Seq != sel.last.Seq {
			continue
		}
		sel.last = last
		for _, c := range changes {
			spans = append(spans, runSpans(sel.rows, c.Runs)...)
		}
		spans = joined(spans)
		if s.told {
			seqs = sel.modseqsIn(changes)
		}
		return f, spans, seqs, nil
	}
	f, sel.last, _, err = s.flagsOf(sel.list.ID, nil)
	return f, []span{{0, len(sel.rows)}}, nil, err
}

// modseqsIn are the mod-sequences of what the changes touched.
func (sel *selected) modseqsIn(changes []model.FlagChange) map[model.UID]uint64 {
	seqs := map[model.UID]uint64{}
	for _, c := range changes {
		for _, span := range runSpans(sel.rows, c.Runs) {
			for _, r := range sel.rows[span.from:span.to] {
				seqs[r.UID] = c.ModSeq() + sel.gone
			}
		}
	}
	return seqs
}

// tellKeywords tells of a keyword the client has not heard of yet.
func (s *session) tellKeywords(sel *selected) error {
	names := sel.names()
	if slices.Equal(names, sel.keywords) {
		return nil
	}
	sel.keywords = names
	return s.front.render(func(b []byte) []byte {
		b = append(b, "* FLAGS ("...)
		for i, n := range names {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, said(n)...)
		}
		return append(b, ")\r\n"...)
	})
}
