package imapd

import (
	"github.com/emersion/go-imap/v2"

	"plenary/internal/model"
)

// maxUnseen bounds the walk to the first unseen message that SELECT tells: it
// is a convenience (RFC 3501 6.3.1), and no reason to walk a million.
const maxUnseen = 50000

// Select opens a mailbox (RFC 9051 6.3.2).
func (s *session) Select(mailbox string, o *imap.SelectOptions) (*imap.SelectData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	n, sel, g, err := s.reach(mailbox)
	if err != nil {
		return nil, err
	}
	sel.readOnly = o.ReadOnly || !s.mayMark()
	data := &imap.SelectData{UIDNext: 1, UIDValidity: 1}
	if n.archive() || n.held {
		if data, err = s.openList(sel, n, g); err != nil {
			return nil, err
		}
	}
	s.sel = sel
	if s.highest = sel.highest(sel.last); n.held {
		s.highest = 0
	}
	if err := s.resynced(sel); err != nil {
		s.unselect()
		return nil, err
	}
	sel.keywords = sel.names()
	data.Flags = flagList(sel.keywords)
	if !sel.readOnly && !n.held {
		data.PermanentFlags = flagList(sel.keywords)
		if len(sel.keywords) < maxKeywords+len(ownFlags) {
			data.PermanentFlags = append(data.PermanentFlags, imap.FlagWildcard)
		}
	}
	if s.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		data.List = &imap.ListData{Delim: delimiter, Mailbox: n.name}
	}
	return data, nil
}

// reach finds a mailbox. What it finds of an archive whose list it knows comes from one
// question with a glance at the person's flags; she has joined its box before, so that
// what happens after the glance is told.
func (s *session) reach(mailbox string) (n node, sel *selected, g *model.Glance, err error) {
	fresh := func() *selected {
		return &selected{view: view{next: 1}, who: s.who, wake: make(chan struct{}, 1), checked: s.front.srv.opt.Now()}
	}
	sel = fresh()
	if g = s.glance(mailbox); g != nil {
		if err := s.join(sel, node{list: &model.List{ID: g.ListID}}); err != nil {
			g = nil
		}
	}
	n, err = s.findWith(s.ctx, mailbox, g)
	if err == nil && n.parent {
		err = no("NONEXISTENT", "That is the parent of the lists and holds no messages itself")
	}
	if g != nil && (err != nil || !isOf(g, n)) {
		sel.leave()
		sel, g = fresh(), nil
	}
	s.know(mailbox, n)
	return n, sel, g, err
}

// join joins the list's box.
func (s *session) join(sel *selected, n node) error {
	box, err := s.front.srv.open(s.ctx, n)
	if err != nil {
		return err
	}
	sel.box = box
	box.join(sel)
	if s.mayMark() && !n.held {
		sel.marked, sel.quiet = s.front.srv.opt.Archive.WatchFlags(s.who.AccountID, n.list.ID)
	}
	return nil
}

// openList joins the list's box, unless that was done, and looks at the list as it is
// now.
func (s *session) openList(sel *selected, n node, g *model.Glance) (*imap.SelectData, error) {
	l := n.list
	if sel.box == nil {
		if err := s.join(sel, n); err != nil {
			return nil, s.failed("open a list", err)
		}
	}
	box := sel.box
	sel.list, sel.held = *l, n.held
	fail := func(err error) (*imap.SelectData, error) {
		sel.leave()
		return nil, s.failed("open a list", err)
	}
	var err error
	var flags Flags = localFlags{}
	next := model.UID(0)
	if !n.held { // the posts after the flags: those that came before a change are to be told too
		if flags, sel.last, next, err = s.flagsOf(l.ID, g); err != nil {
			return fail(err)
		}
	}
	if err := box.index.Refresh(s.ctx, next); err != nil {
		return fail(err)
	}
	sel.view = viewOf(box.index)
	sel.setFlags(flags)
	return &imap.SelectData{
		NumMessages: uint32(len(sel.rows)), FirstUnseenSeqNum: sel.firstUnseen(),
		UIDNext: imap.UID(sel.next), UIDValidity: box.index.UIDValidity(),
	}, nil
}

func (sel *selected) firstUnseen() uint32 {
	if len(sel.rows) > maxUnseen || sel.unseen(sel.flags) == 0 {
		return 0
	}
	for i := range sel.rows {
		if !sel.flags.Has(seen, sel.rows[i].UID) {
			return uint32(i + 1)
		}
	}
	return 0
}

// unseen counts the messages without \Seen: all less the bits that are set, but
// for those of messages that were taken away. Only of a year each message is
// looked at.
func (v view) unseen(flags Flags) uint32 {
	n := len(v.rows)
	if v.part {
		for i := range v.rows {
			if flags.Has(seen, v.rows[i].UID) {
				n--
			}
		}
		return uint32(n)
	}
	n -= flags.Count(seen)
	for _, r := range missing(v.rows, v.next) {
		for uid := r.From; uid <= r.To; uid++ {
			if flags.Has(seen, uid) {
				n++
			}
		}
	}
	return uint32(max(n, 0))
}

// Unselect closes the mailbox.
func (s *session) Unselect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	return nil
}

func (s *session) unselect() {
	if s.sel != nil {
		s.sel.leave()
	}
	s.sel = nil
}

func (sel *selected) leave() {
	if sel.box != nil {
		sel.box.part(sel)
	}
	if sel.quiet != nil {
		sel.quiet()
	}
}

// Status answers STATUS (RFC 9051 6.3.11) without selecting.
func (s *session) Status(mailbox string, _ *imap.StatusOptions) (*imap.StatusData, error) {
	g := s.glance(mailbox)
	n, err := s.findWith(s.ctx, mailbox, g)
	if err != nil {
		return nil, err
	}
	if n.parent {
		return nil, no("NONEXISTENT", "That is the parent of the lists and holds no messages itself")
	}
	if g != nil && !isOf(g, n) {
		g = nil
	}
	s.know(mailbox, n)
	return s.status(n, g)
}

func (s *session) status(n node, g *model.Glance) (*imap.StatusData, error) {
	var messages, zero, fresh uint32
	var size, none int64
	data := &imap.StatusData{Mailbox: n.name, UIDNext: 1, UIDValidity: 1,
		NumMessages: &messages, NumRecent: &zero, NumUnseen: &fresh, NumDeleted: &zero, Size: &size, AppendLimit: &zero, DeletedStorage: &none}
	switch s.highest = 1; {
	case n.held:
		s.highest = 0
		waiting, next, err := s.front.srv.opt.Moderation.Pending(s.ctx, n.list, maxPending)
		if err != nil {
			return nil, s.failed("look for held posts", err)
		}
		for i := range waiting {
			size += waiting[i].Size
		}
		data.UIDNext = imap.UID(next)
		messages, fresh = uint32(len(waiting)), uint32(len(waiting))
		data.UIDValidity = n.list.UIDValidity
		return data, nil
	case !n.archive():
		return data, nil
	}
	flags, last, next, err := s.flagsOf(n.list.ID, g)
	if err != nil {
		return nil, s.failed("read flags", err)
	}
	index, err := s.front.srv.opt.Archive.Open(s.ctx, n.list.ID, next)
	if err != nil {
		return nil, s.failed("open a list", err)
	}
	v := viewOf(index)
	s.highest = v.highest(last)
	if n.year != 0 {
		c := countYear(v.rows, n.year, flags)
		messages, fresh, size = c.messages, c.unseen, c.size
	} else {
		messages, fresh = uint32(len(v.rows)), v.unseen(flags)
		size = s.front.srv.sizes.total(n.list.ID, v.rows)
	}
	data.UIDNext, data.UIDValidity = imap.UID(v.next), index.UIDValidity()
	return data, nil
}
