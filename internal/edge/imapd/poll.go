package imapd

import (
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// Poll tells the news before the outcome of a command. Go-imap's writer is not
// used: what the front gathers goes out in order.
func (s *session) Poll(_ *imapserver.UpdateWriter, allowExpunge bool) error {
	if c := s.front.cmd; c != nil && s.sel != nil && s.sel.box != nil && (c.name == "NOOP" || c.name == "CHECK") {
		if err := s.sel.box.index.Refresh(s.ctx, 0); err != nil {
			return s.lasting(s.failed("look for new posts", err))
		}
	}
	return s.announce(allowExpunge)
}

// lasting drops an error that may pass: news can wait, and go-imap would close
// the connection.
func (s *session) lasting(err error) error {
	if s.sel != nil && s.sel.lost {
		return errEnd
	}
	if s.front.gone() {
		return err
	}
	return nil
}

// Idle tells the news as they come (RFC 9051 6.3.13). The box was watching
// since SELECT, so it looks first and then waits.
func (s *session) Idle(_ *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.idle.Add(1)
	defer s.idle.Done()
	var wake, marked <-chan struct{} // of no mailbox: nothing ever comes
	if s.sel != nil {
		wake, marked = s.sel.wake, s.sel.marked
	}
	s.mu.Unlock()
	for {
		select {
		case <-stop: // after DONE nothing may be said any more
			return nil
		default:
		}
		if err := s.announce(true); err != nil {
			return err
		}
		select {
		case <-wake:
		case <-marked:
			s.mu.Lock()
			if s.sel != nil {
				s.sel.stale = true
			}
			s.mu.Unlock()
		case <-stop:
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

// allowed looks whether the person may still read the list, at most once in a
// while. When she may not, the connection ends: the mailbox is no longer there
// for her (RFC 9051 7.1.5).
func (s *session) allowed(sel *selected) error {
	now := s.front.srv.opt.Now()
	if sel.box == nil || !sel.lost && sel.believed(now, s.front.srv.times.access) {
		return nil
	}
	text := "The list " + s.addressOf(&sel.list, "") + " is no longer open to you"
	if !sel.lost {
		ok, err := s.mayOpen(sel)
		if err != nil {
			return s.failed("look up access", err)
		}
		if ok {
			sel.checked = now
			sel.vouched.Store(0)
			return nil
		}
		sel.lost = true
		s.front.put("* BYE " + text + "\r\n")
		s.front.end(errEnd)
	}
	return no(imap.ResponseCodeNoPerm, text)
}

// believed says whether the right to read was found there a moment ago, and not
// found gone since.
func (sel *selected) believed(now time.Time, window time.Duration) bool {
	at := sel.vouched.Load()
	return at != refused && (now.Sub(sel.checked) < window || at != 0 && now.Sub(time.Unix(0, at)) < window)
}

func (s *session) mayOpen(sel *selected) (bool, error) {
	if sel.held {
		return s.mayModerate(sel.list.ID)
	}
	return s.front.srv.opt.Archive.MayRead(s.ctx, s.who, sel.list.ID)
}

// announce tells the client what has changed in the selected mailbox.
func (s *session) announce(allowExpunge bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel := s.sel
	if sel == nil || sel.box == nil {
		return nil
	}
	if err := s.allowed(sel); err != nil {
		return s.lasting(err)
	}
	if err := s.announceRows(sel, viewOf(sel.box.index), allowExpunge); err != nil {
		return err
	}
	return s.lasting(s.announceFlags(sel))
}

// announceRows tells of posts that came, and of posts that were taken away
// where the protocol allows to (RFC 9051 7.5.1).
func (s *session) announceRows(sel *selected, now view, allowExpunge bool) error {
	rows := now.rows
	n := len(sel.rows)
	same := n == 0 || len(rows) >= n && rows[n-1].UID == sel.rows[n-1].UID
	if !same && !allowExpunge {
		return nil
	}
	sel.next, sel.gone = now.next, now.gone
	if same && len(rows) == n {
		return nil
	}
	return s.front.render(func(b []byte) []byte {
		if !same && s.resyncs {
			b, n = appendGone(b, sel.rows, rows)
		} else if !same {
			b, n = appendExpunged(b, sel.rows, rows)
		}
		sel.rows = rows
		if len(rows) > n {
			b = append(appendInt(append(b, "* "...), int64(len(rows))), " EXISTS\r\n"...)
		}
		return b
	})
}

// appendExpunged writes EXPUNGE for each row that is gone, last first, and says
// how many remain.
func appendExpunged(b []byte, had, have []archive.Row) ([]byte, int) {
	remain := len(had)
	for i := len(had) - 1; i >= 0; i-- {
		if _, ok := rowOf(have, had[i].UID); !ok {
			b = append(appendInt(append(b, "* "...), int64(i+1)), " EXPUNGE\r\n"...)
			remain--
		}
	}
	return b, remain
}

// appendGone is appendExpunged for who enabled QRESYNC (RFC 7162 3.2.10).
func appendGone(b []byte, had, have []archive.Row) ([]byte, int) {
	var gone []model.UID
	for _, r := range had {
		if _, ok := rowOf(have, r.UID); !ok {
			gone = append(gone, r.UID)
		}
	}
	if len(gone) > 0 {
		b = append(appendUIDs(append(b, "* VANISHED "...), model.RunsOf(gone)), "\r\n"...)
	}
	return b, len(had) - len(gone)
}

// rowOf finds a UID's place. In most lists it is the UID less one.
func rowOf(rows []archive.Row, uid model.UID) (int, bool) {
	if i := int(uid) - 1; i >= 0 && i < len(rows) && rows[i].UID == uid {
		return i, true
	}
	return slices.BinarySearchFunc(rows, uid, func(r archive.Row, u model.UID) int {
		switch {
		case r.UID < u:
			return -1
		case r.UID > u:
			return 1
		}
		return 0
	})
}
