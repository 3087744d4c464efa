package imapd

import "plenary/internal/model"

// maxKnown bounds the names a session remembers.
const maxKnown = 64

// glance is one at the person's flags on the list whose archive had that name when she
// asked for it before; nil: it is not known.
func (s *session) glance(mailbox string) *model.Glance {
	if id := s.known[mailbox]; id != 0 && s.mayMark() && s.condstore() {
		return &model.Glance{Account: s.who.AccountID, ListID: id}
	}
	return nil
}

// isOf reports whether a glance is at the flags of a mailbox.
func isOf(g *model.Glance, n node) bool {
	return n.archive() && n.year == 0 && n.list.ID == g.ListID
}

// know remembers which list a name meant.
func (s *session) know(mailbox string, n node) {
	switch {
	case !n.archive() || n.year != 0:
		delete(s.known, mailbox)
		return
	case s.known == nil || len(s.known) >= maxKnown:
		s.known = map[string]int64{}
	}
	s.known[mailbox] = n.list.ID
}
