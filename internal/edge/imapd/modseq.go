package imapd

import (
	"context"
	"sort"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// Changes is the log of a person's flag changes; store.Store has it. With it
// the door offers CONDSTORE (RFC 7162).
type Changes interface {
	// ChangeFlags carries out a Marking; of a conditional one it gives the posts
	// that were left alone, sorted.
	ChangeFlags(ctx context.Context, m model.Marking) ([]model.UID, error)
	// FlagChanges are those after a mod-sequence, oldest first.
	FlagChanges(ctx context.Context, account, listID int64, since uint64) ([]model.FlagChange, error)
	// LastFlagChange is the last one without its posts, or zero, and what the
	// list's next UID is.
	LastFlagChange(ctx context.Context, account, listID int64) (model.FlagChange, model.UID, error)
}

// modseqs gives messages their mod-sequences. That of a flag change is the
// list's UIDNEXT at the time and the number of the person's changes so far; a
// post that came between two changes has its UID and the number of changes
// before it. So both grow together, and no post is written down for each of its
// readers. Each message taken away lifts all by one.
type modseqs struct {
	lift    uint64
	changes []model.FlagChange // oldest first; those long ago are joined
}

// condstore reports whether the mailbox has mod-sequences.
func (s *session) condstore() bool { return s.front.srv.opt.Changes != nil }

// modseqsOf reads the person's log of the selected list.
func (s *session) modseqsOf(sel *selected) (*modseqs, error) {
	m := &modseqs{lift: sel.gone}
	if !s.mayMark() || sel.box == nil {
		return m, nil
	}
	var err error
	m.changes, err = s.front.srv.opt.Changes.FlagChanges(s.ctx, s.who.AccountID, sel.list.ID, 0)
	return m, err
}

// highest is HIGHESTMODSEQ (RFC 7162 3.1.2.1).
func (v view) highest(last model.FlagChange) uint64 {
	return uint64(max(v.next, last.UIDNext)) + last.Seq + v.gone
}

// arrival is the mod-sequence of a post whose flags were never changed.
func (m *modseqs) arrival(u model.UID) uint64 {
	i := sort.Search(len(m.changes), func(i int) bool { return m.changes[i].UIDNext > u })
	switch n := len(m.changes); {
	case i < n: // it came before that change
		return uint64(u) + m.changes[i].Seq + m.lift
	case n > 0:
		return uint64(u) + m.changes[n-1].Seq + 1 + m.lift
	}
	return uint64(u) + 1 + m.lift
}

// of gives the mod-sequences of rows.
func (m *modseqs) of(rows []archive.Row) []uint64 {
	all := make([]uint64, len(rows))
	for i := range rows {
		all[i] = m.arrival(rows[i].UID)
	}
	for _, c := range m.changes {
		for _, r := range c.Runs {
			s := runSpan(rows, r)
			for i := s.from; i < s.to; i++ {
				all[i] = c.ModSeq() + m.lift
			}
		}
	}
	return all
}

// changed are the rows with a mod-sequence above since.
func (m *modseqs) changed(rows []archive.Row, since uint64) []span {
	first := sort.Search(len(rows), func(i int) bool { return m.arrival(rows[i].UID) > since })
	all := []span{{first, len(rows)}}
	for _, c := range m.changes {
		if c.ModSeq()+m.lift > since {
			all = append(all, runSpans(rows, c.Runs)...)
		}
	}
	return joined(all)
}

func runSpans(rows []archive.Row, runs []model.UIDRun) []span {
	all := make([]span, len(runs))
	for i, r := range runs {
		all[i] = runSpan(rows, r)
	}
	return all
}

func runSpan(rows []archive.Row, r model.UIDRun) span {
	from, _ := rowOf(rows, r.From)
	to, found := rowOf(rows, r.To)
	if found {
		to++
	}
	return span{from, to}
}

// common are the rows that are in both; each is in order without overlap.
func common(a, b []span) (both []span) {
	for len(a) > 0 && len(b) > 0 {
		if s := (span{max(a[0].from, b[0].from), min(a[0].to, b[0].to)}); s.from < s.to {
			both = append(both, s)
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// without are the rows of a that are not in b.
func without(a, b []span) (rest []span) {
	for _, s := range a {
		for _, x := range b {
			if x.to <= s.from || x.from >= s.to {
				continue
			}
			if x.from > s.from {
				rest = append(rest, span{s.from, x.from})
			}
			s.from = x.to
		}
		if s.from < s.to {
			rest = append(rest, s)
		}
	}
	return rest
}
