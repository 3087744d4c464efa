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
	names, err := sel.storable(change)
	if err != nil {
		return err
	}
	spans := sel.spans(set)
	changed, err := s.storeFlags(sel, spans, names, change.Op)
	if err != nil {
		return s.failed("store flags", err)
	}
	if changed {
		if err := s.flagsChanged(sel); err != nil {
			return err
		}
	}
	if change.Silent {
		return nil
	}
	uid := s.front.cmd != nil && strings.HasPrefix(s.front.cmd.name, "UID ")
	for _, span := range spans {
		err := s.front.render(func(b []byte) []byte {
			for i := span.from; i < span.to; i++ {
				b = sel.appendFlags(b, i, uid)
			}
			return b
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// flagsChanged reads the flags again. The person's other sessions hear of it
// from the archive.
func (s *session) flagsChanged(sel *selected) error {
	flags, err := s.flagsOf(sel.list.ID)
	if err != nil {
		return s.failed("read flags", err)
	}
	sel.setFlags(flags)
	return s.tellKeywords(sel)
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
		case name == `\deleted`:
			return nil, no(imap.ResponseCodeNoPerm, "Nothing can be deleted from the archive")
		case strings.HasPrefix(name, `\`) && !known:
			return nil, no(imap.ResponseCodeCannot, "That flag is not kept here")
		case !sayable(name):
			return nil, no(imap.ResponseCodeCannot, "A keyword is made of ASCII letters, digits and signs")
		case len(name) > maxKeyword:
			return nil, no(imap.ResponseCodeLimit, "That keyword is too long")
		case !known && len(have) >= maxKeywords:
			return nil, no(imap.ResponseCodeLimit, "There are too many keywords on this list already")
		}
		if !known {
			have = append(have, name)
		}
		names = append(names, name)
	}
	return names, nil
}

// storeFlags writes only what changes, and says whether anything did.
func (s *session) storeFlags(sel *selected, spans []span, names []string, op imap.StoreFlagsOp) (changed bool, err error) {
	touched := slices.Clone(names)
	if op == imap.StoreFlagsSet {
		for _, n := range sel.shown {
			if !slices.Contains(touched, n) {
				touched = append(touched, n)
			}
		}
	}
	for _, name := range touched {
		on := op != imap.StoreFlagsDel && slices.Contains(names, name)
		var uids []model.UID
		for _, span := range spans {
			for _, r := range sel.rows[span.from:span.to] {
				if sel.flags.Has(name, r.UID) != on {
					uids = append(uids, r.UID)
				}
			}
		}
		if len(uids) == 0 {
			continue
		}
		if err := s.front.srv.opt.Archive.SetFlag(s.ctx, model.Mark{Account: s.who.AccountID, List: sel.list.ID, Flag: name}, uids, on); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}
