package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/model"
)

// Store changes the person's own flags (RFC 9051 6.4.6). Nobody else sees them.
func (s *session) Store(_ *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.mailbox()
	switch {
	case err != nil:
		return err
	case !s.mayMark():
		return no(imap.ResponseCodeNoPerm, "An anonymous reader has no flags; log in with your address and app password")
	case sel.readOnly:
		return no(imap.ResponseCodeNoPerm, "The mailbox was opened read-only")
	case sel.box == nil:
		return nil
	}
	var cond conditions
	uid := false
	if c := s.front.cmd; c != nil {
		cond, uid = c.cond, strings.HasPrefix(c.name, "UID ")
	}
	if sel.held && cond.unless {
		return noModSeqs
	}
	if err := s.announceFlags(sel); err != nil { // a change elsewhere came before this one
		return err
	}
	spans := sel.spans(set)
	if sel.held && len(spans) == 0 { // decided by a copy, and now to be deleted
		return nil
	}
	names, err := sel.storable(change)
	if err != nil {
		return err
	}
	spans, left, err := s.mark(sel, spans, change.Op, names, cond)
	if err != nil {
		return s.failed("store flags", err)
	}
	if len(left) > 0 {
		s.front.cmd.cond.left = string(sel.appendSet(nil, left, uid))
	}
	if err := s.refreshFlags(sel, &ownChange{spans, names, change.Op, !change.Silent}); err != nil {
		return err
	}
	return s.tellStored(sel, spans, uid, change.Silent)
}

// tellStored answers STORE with the flags of the messages, and where the client
// knows of them their mod-sequences (RFC 7162 3.1.3): these also when it asked
// for silence.
func (s *session) tellStored(sel *selected, spans []span, uid, silent bool) error {
	if silent && (!s.told || sel.held) || len(spans) == 0 {
		return nil
	}
	var m *modseqs
	if s.told && !sel.held {
		var err error
		if m, err = s.modseqsOf(sel); err != nil {
			return s.failed("read flags", err)
		}
	}
	for _, span := range spans {
		var seqs []uint64
		if m != nil {
			seqs = m.of(sel.rows[span.from:span.to])
		}
		err := s.front.render(func(b []byte) []byte {
			for i := span.from; i < span.to; i++ {
				switch {
				case m == nil:
					b = sel.appendFlags(b, i, uid, 0)
				case !silent:
					b = sel.appendFlags(b, i, uid, seqs[i-span.from])
				default:
					b = append(appendInt(append(b, "* "...), int64(i+1)), " FETCH ("...)
					if uid {
						b = append(appendInt(append(b, "UID "...), int64(sel.rows[i].UID)), ' ')
					}
					b = append(appendModSeq(b, seqs[i-span.from]), ")\r\n"...)
				}
			}
			return b
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// appendSet writes rows as a sequence set.
func (sel *selected) appendSet(b []byte, spans []span, uid bool) []byte {
	var places []int
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			places = append(places, i)
		}
	}
	return appendRuns(b, places, func(i int) int64 {
		if uid {
			return int64(sel.rows[i].UID)
		}
		return int64(i + 1)
	})
}

// storable gives the flags of a change as they are kept.
func (sel *selected) storable(change *imap.StoreFlags) ([]string, error) {
	have := sel.names()
	var names []string
	for _, f := range change.Flags {
		name := strings.ToLower(string(f))
		adds := change.Op != imap.StoreFlagsDel
		known := slices.Contains(have, name)
		switch {
		case !adds && !known, slices.Contains(names, name):
			continue
		case name == `\deleted` && sel.held:
			return nil, no(imap.ResponseCodeNoPerm, "To decide a message, move it to Approve, Reject or Discard")
		case name == `\deleted`:
			return nil, no(imap.ResponseCodeNoPerm, "Nothing can be deleted from the archive")
		case strings.HasPrefix(name, `\`) && !known && name != draft:
			return nil, no(imap.ResponseCodeCannot, "That flag is not kept here")
		case !sayable(name):
			return nil, no(imap.ResponseCodeCannot, "A keyword is made of ASCII letters, digits and signs")
		case len(name) > maxKeyword:
			return nil, no(imap.ResponseCodeLimit, "That keyword is too long")
		case !known && len(have) >= maxKeywords+len(ownFlags):
			return nil, no(imap.ResponseCodeLimit, "There are too many keywords on this list already")
		}
		if !known {
			have = append(have, name)
		}
		names = append(names, name)
	}
	return names, nil
}

// mark changes flags where they are not so already. A conditional change leaves
// alone what has a mod-sequence above the client's; done is the rest.
func (s *session) mark(sel *selected, spans []span, op imap.StoreFlagsOp, names []string, cond conditions) (done, left []span, err error) {
	m := model.Marking{Conditional: cond.unless}
	if cond.unless {
		seqs, err := s.modseqsOf(sel)
		if err != nil {
			return nil, nil, err
		}
		left = common(spans, seqs.changed(sel.rows, cond.since))
		spans = without(spans, left)
		m.Since = cond.since - min(cond.since, seqs.lift)
		for _, span := range spans {
			for _, r := range sel.rows[span.from:span.to] {
				m.Guard = append(m.Guard, r.UID)
			}
		}
	}
	m.Edits = sel.edits(spans, names, op)
	kept, err := s.change(sel, m)
	if err != nil {
		return nil, nil, err
	}
	more := uidSpans(sel.rows, kept) // changed since we looked
	return without(spans, more), joined(append(left, more...)), nil
}

// change carries out a Marking of the person on the selected list.
func (s *session) change(sel *selected, m model.Marking) (left []model.UID, err error) {
	m.Account, m.List = s.who.AccountID, sel.list.ID
	if own, ok := sel.flags.(localFlags); ok && sel.held {
		own.edit(m.Edits)
		return nil, nil
	}
	if s.condstore() {
		return s.front.srv.opt.Changes.ChangeFlags(s.ctx, m)
	}
	for _, e := range m.Edits {
		if err := s.front.srv.opt.Archive.SetFlag(s.ctx, model.Mark{Account: m.Account, List: m.List, Flag: e.Flag}, e.UIDs, e.On); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// edits are the changes of flags that are not so already.
func (sel *selected) edits(spans []span, names []string, op imap.StoreFlagsOp) (edits []model.FlagEdit) {
	touched := slices.Clone(names)
	if op == imap.StoreFlagsSet {
		for _, n := range sel.shown {
			if !slices.Contains(touched, n) {
				touched = append(touched, n)
			}
		}
	}
	for _, name := range touched {
		e := model.FlagEdit{Flag: name, On: op != imap.StoreFlagsDel && slices.Contains(names, name)}
		for _, span := range spans {
			for _, r := range sel.rows[span.from:span.to] {
				if sel.flags.Has(name, r.UID) != e.On {
					e.UIDs = append(e.UIDs, r.UID)
				}
			}
		}
		if len(e.UIDs) > 0 {
			edits = append(edits, e)
		}
	}
	return edits
}
