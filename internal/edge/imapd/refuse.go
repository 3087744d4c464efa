package imapd

import (
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// What the door does not do, each with what to do instead.

const keepsNothing = "This is an archive of lists: it keeps no mail, drafts or folders of your own"

// postTo is the refusal to put a message into a mailbox.
func (s *session) postTo(mailbox string) error {
	n, err := s.find(s.ctx, mailbox)
	switch {
	case err != nil:
		return err
	case n.held || n.verdict != model.Defer:
		return no(imap.ResponseCodeNoPerm, "Only what waits in "+pendingName+" can be decided")
	case n.list == nil:
		return no(imap.ResponseCodeNoPerm, keepsNothing)
	}
	return no(imap.ResponseCodeNoPerm, "Nothing can be put into the archive; to post, send mail to "+s.addressOf(n.list, ""))
}

// addressOf writes an address of the list. Responses are ASCII until the client
// says that it reads more (RFC 3501 9, RFC 6855 3): then it is the address every
// mail program can write to.
func (s *session) addressOf(l *model.List, suffix string) string {
	if s.readsUTF8() {
		return address.Address{Local: l.Local + suffix, Domain: l.Domain}.Unicode()
	}
	return address.ASCIIName(l.Local) + suffix + "@" + l.Domain
}

func (s *session) readsUTF8() bool {
	caps := s.conn.EnabledCaps()
	return caps.Has(imap.CapUTF8Accept) || caps.Has(imap.CapIMAP4rev2)
}

// readable makes a text one that the client may be sent.
func (s *session) readable(text string) string {
	if s.readsUTF8() {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, text)
}

// answerAppend refuses APPEND (RFC 9051 6.3.12) without waiting for the
// message. Go-imap would read it first.
func (f *front) answerAppend(c *command) error {
	var err error
	switch {
	case !f.sess.loggedIn():
		err = &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Log in first"}
	default:
		name, _, ok := firstAString(string(c.args))
		if ok {
			if name, ok = decodeUTF7(name); ok {
				err = f.sess.postTo(name)
			} else {
				err = no(imap.ResponseCodeNonExistent, "There is no mailbox of that name")
			}
		} else {
			err = &imap.Error{Type: imap.StatusResponseTypeBad, Text: "APPEND names a mailbox"}
		}
	}
	if c.rest != nil {
		if end := f.skip(c.rest); end != nil {
			var bad *syntaxError
			if !errors.As(end, &bad) {
				return end
			}
		}
	}
	return f.refusal(c, err)
}

// refusal writes an error of the session as the command's outcome. Others end
// the connection.
func (f *front) refusal(c *command, err error) error {
	var e *imap.Error
	if !errors.As(err, &e) {
		return err
	}
	code := ""
	if e.Code != "" {
		code = "[" + string(e.Code) + "] "
	}
	if e.Type == imap.StatusResponseTypeBad {
		f.bad++
	}
	f.put(c.tag + " " + string(e.Type) + " " + code + e.Text + "\r\n")
	return nil
}

// Append is answered by the front; go-imap never asks.
func (s *session) Append(mailbox string, _ imap.LiteralReader, _ *imap.AppendOptions) (*imap.AppendData, error) {
	return nil, s.postTo(mailbox)
}

// Search is answered by the front; go-imap never asks.
func (s *session) Search(imapserver.NumKind, *imap.SearchCriteria, *imap.SearchOptions) (*imap.SearchData, error) {
	return nil, no(imap.ResponseCodeCannot, "SEARCH is answered elsewhere")
}

// Create refuses CREATE (RFC 9051 6.3.4).
func (s *session) Create(string, *imap.CreateOptions) error {
	return no(imap.ResponseCodeNoPerm, keepsNothing)
}

// Delete refuses DELETE (RFC 9051 6.3.5) and says how to leave a list.
func (s *session) Delete(mailbox string) error {
	n, err := s.find(s.ctx, mailbox)
	if err != nil {
		return err
	}
	if !n.archive() {
		return no(imap.ResponseCodeNoPerm, "This mailbox cannot be deleted")
	}
	return no(imap.ResponseCodeNoPerm, "A list's archive cannot be deleted; to leave the list, send mail to "+s.addressOf(n.list, "-leave"))
}

// Rename refuses RENAME (RFC 9051 6.3.6).
func (s *session) Rename(string, string, *imap.RenameOptions) error {
	return no(imap.ResponseCodeNoPerm, "The names of the mailboxes are the addresses of the lists")
}

// Subscribe accepts what is so already (RFC 9051 6.3.7): every mailbox counts
// as subscribed.
func (s *session) Subscribe(mailbox string) error {
	n, err := s.find(s.ctx, strings.TrimSuffix(mailbox, "/"))
	if err == nil && n.year != 0 {
		return no(imap.ResponseCodeCannot, "Let your mail program show all folders to see the years")
	}
	return err
}

// Unsubscribe refuses UNSUBSCRIBE (RFC 9051 6.3.8): a yes would not last, and
// must not be taken for leaving the list.
func (s *session) Unsubscribe(mailbox string) error {
	n, err := s.find(s.ctx, mailbox)
	switch {
	case err != nil:
		return err
	case !n.archive():
		return no(imap.ResponseCodeCannot, "This mailbox is always shown")
	case n.year != 0:
		return no(imap.ResponseCodeCannot, "The years of a list never count as subscribed, and are there all the same")
	}
	return no(imap.ResponseCodeCannot, "Every list you may read is shown; to leave the list, send mail to "+s.addressOf(n.list, "-leave"))
}

// Expunge has nothing to remove: \Deleted cannot be set. CLOSE comes here too.
func (s *session) Expunge(*imapserver.ExpungeWriter, *imap.UIDSet) error {
	if c := s.front.cmd; c != nil && c.name != "CLOSE" && s.sel != nil && s.sel.readOnly {
		return no(imap.ResponseCodeNoPerm, "The mailbox was opened read-only")
	}
	return nil
}
