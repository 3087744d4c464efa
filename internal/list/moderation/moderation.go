// Package moderation lets people decide what the rules held.
//
// Every way of deciding (a reply by mail, the command line, later the web) ends in
// Decide, so each has the same effects: the post goes out, is refused or is
// dropped; the author is told unless it was dropped or a machine wrote it; the
// other moderators are told in the thread of the request they got; the trace has a
// line. The first decision counts and is one row changed in the database. Whoever
// comes second learns who was first and what was decided. A refusal and the letter
// that gives the author her post back are one transaction.
//
// By mail the moderators' token is the proof, not the From address: it was sent to
// moderators only. Who answered is noted as From says.
package moderation

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
	"plenary/internal/token"
)

// Limits.
const (
	maxComment = 4000 // octets of a moderator's words
	staffPage  = 200  // moderators told at once
)

// Store keeps held posts.
type Store interface {
	GetList(ctx context.Context, id int64) (*model.List, error)
	GetHeld(ctx context.Context, id int64) (*model.Held, error)
	FindHeldByToken(ctx context.Context, hash []byte) (*model.Held, error)
	HeldOf(ctx context.Context, listID int64, state model.HeldState) ([]model.Held, error)
	DecideHeld(ctx context.Context, id int64, state model.HeldState, by, comment string) (won bool, err error)
	ExpireHeld(ctx context.Context, now model.Instant) ([]model.Held, error)
	Bytes(ctx context.Context, id int64) ([]byte, error)
	SubscribersOf(ctx context.Context, listID int64, role model.Role, afterID int64, limit int) ([]model.Subscriber, error)
	SaveEvent(ctx context.Context, e *model.Event) error
	// Together makes one transaction of all that fn does with its context.
	Together(ctx context.Context, fn func(ctx context.Context) error) error
}

// Releaser lets a held post go out to its list; list/posting does. A post that
// somebody decided meanwhile is a Conflict.
type Releaser interface {
	Release(ctx context.Context, h *model.Held, by string) error
}

// Letters writes the house letters.
type Letters interface {
	Send(ctx context.Context, l notify.Letter) error
}

// Deps is what the service stands on.
type Deps struct {
	Store   Store
	Posting Releaser
	Letters Letters
	Tokens  *token.Keyring
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent
}

// Service decides held posts. It is safe for use by many goroutines.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{d}
}

// Decision is a person's word about a held post.
type Decision struct {
	HeldID  int64
	Action  model.Action // Accept, Reject or Discard
	Comment string       // told to the author when refused or released
	By      string       // who decides: an address, or "cli"
}

// states says what becomes of a post, and how it is called.
var states = map[model.Action]struct {
	state model.HeldState
	word  string
	event string
}{
	model.Accept:  {model.HeldReleased, "released", "post.released"},
	model.Reject:  {model.HeldRejected, "refused", "post.rejected"},
	model.Discard: {model.HeldDiscarded, "discarded", "post.discarded"},
}

// Find finds the held post of a moderators' token, decided or not, with its
// list. A token that is not one is NotFound.
func (s *Service) Find(ctx context.Context, tok string) (*model.Held, *model.List, error) {
	hash, ok := s.Tokens.Check(notify.ScopeHeld, tok)
	if !ok {
		return nil, nil, fault.New(fault.NotFound, "this is not a code of ours; look whether it was copied whole")
	}
	h, err := s.Store.FindHeldByToken(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	if h == nil {
		return nil, nil, fault.New(fault.NotFound, "this message is not kept any more")
	}
	list, err := s.Store.GetList(ctx, h.ListID)
	return h, list, err
}

// IsToken tells whether a token is one for a held post, without looking for it.
func (s *Service) IsToken(tok string) bool {
	_, ok := s.Tokens.Check(notify.ScopeHeld, tok)
	return ok
}

// Pending gives what waits on a list, oldest first; on all lists when it is nil.
func (s *Service) Pending(ctx context.Context, list *model.List) ([]model.Held, error) {
	if list == nil {
		return s.Store.HeldOf(ctx, 0, model.HeldPending)
	}
	return s.Store.HeldOf(ctx, list.ID, model.HeldPending)
}

// Decide carries out a decision. A post that was decided before is a Conflict
// that names who and what, or Expired; one that is not there is NotFound.
func (s *Service) Decide(ctx context.Context, d Decision) error {
	todo, ok := states[d.Action]
	if !ok {
		return fault.New(fault.Invalid, "a held message is accepted, rejected or discarded")
	}
	h, err := s.Store.GetHeld(ctx, d.HeldID)
	if err != nil {
		return err
	}
	if h.State != model.HeldPending {
		return decided(h)
	}
	list, err := s.Store.GetList(ctx, h.ListID)
	if err != nil {
		return err
	}
	if d.Comment = strings.TrimSpace(word.Clean(d.Comment)); len(d.Comment) > maxComment {
		d.Comment = strings.ToValidUTF8(d.Comment[:maxComment], "") + " …"
	}
	// Read before: a job may clear decided posts away.
	raw, err := s.Store.Bytes(ctx, h.BytesID)
	if err != nil {
		return err
	}
	about := notify.Data{Author: named(h), Subject: h.Subject, Size: h.Size, Comment: d.Comment, By: model.Who(d.By), Decision: todo.word}
	if d.Action == model.Accept {
		err = s.Posting.Release(ctx, h, d.By) // writes its own line of the trace, with the post
	} else {
		err = s.Store.Together(ctx, func(ctx context.Context) error {
			if err := s.drop(ctx, h, todo.state, d); err != nil {
				return err
			}
			if err := s.note(ctx, h, todo.event, d.By, d.Comment); err != nil || d.Action == model.Discard {
				return err
			}
			return s.toAuthor(ctx, h, raw, notify.Letter{Kind: notify.Rejected, List: list, Data: about, Attach: raw})
		})
	}
	if fault.Is(err, fault.Conflict) { // somebody was quicker; say who
		if now, getErr := s.Store.GetHeld(ctx, d.HeldID); getErr == nil && now.State != model.HeldPending {
			return decided(now)
		}
	}
	if err != nil {
		return err
	}
	if d.Action == model.Accept {
		s.logged(notify.Released, s.toAuthor(ctx, h, raw, notify.Letter{Kind: notify.Released, List: list, Data: about}))
	}
	s.tellStaff(ctx, list, h, about)
	return nil
}

// drop settles a post that does not go out.
func (s *Service) drop(ctx context.Context, h *model.Held, state model.HeldState, d Decision) error {
	won, err := s.Store.DecideHeld(ctx, h.ID, state, d.By, d.Comment)
	if err == nil && !won {
		err = fault.New(fault.Conflict, "this message was decided already")
	}
	return err
}

// decided says what became of a post, to who comes too late.
func decided(h *model.Held) error {
	when := h.DecidedAt.Time().Format("2 January 2006, 15:04 MST")
	if h.State == model.HeldExpired {
		return fault.New(fault.Expired, "nobody decided in time: the message expired on %s", when)
	}
	what := "refused"
	for _, st := range states {
		if st.state == h.State {
			what = st.word
		}
	}
	return fault.New(fault.Conflict, "the message was %s already, by %s on %s", what, model.Who(h.DecidedBy), when)
}

// tellStaff writes to the other moderators. The decision stands whatever happens
// here, so failures are logged.
func (s *Service) tellStaff(ctx context.Context, list *model.List, h *model.Held, about notify.Data) {
	staff, err := s.Store.SubscribersOf(ctx, list.ID, model.RoleModerator|model.RoleOwner, 0, staffPage)
	if err != nil {
		s.Log.Error("cannot tell the moderators", "list", list.Address(), "err", err)
	}
	by, _ := address.Parse(about.By)
	for i := range staff {
		to, err := address.Parse(staff[i].Email)
		if err != nil || to.Key() == by.Key() {
			continue
		}
		s.logged(notify.Decided, s.Letters.Send(ctx, notify.Letter{Kind: notify.Decided, List: list, To: to, Thread: notify.HeldThread(list, h), Data: about}))
	}
}

// named gives the author of a held post with her address.
func named(h *model.Held) string {
	a, err := address.Parse(h.AuthorKey)
	if err != nil || a.Unicode() == h.Author {
		return h.Author
	}
	return h.Author + " <" + a.Unicode() + ">"
}

// toAuthor writes to the author of a held post, unless a machine wrote it.
func (s *Service) toAuthor(ctx context.Context, h *model.Held, raw []byte, l notify.Letter) error {
	header := message.ParseHeader(raw)
	if why, automatic := message.IsAutomatic(header, h.ReversePath); automatic {
		s.Log.Info("author not told: a machine wrote the post", "held", h.ID, "sign", why)
		return nil
	}
	to := writer(h, header)
	if to.IsZero() {
		s.Log.Info("author not told: no address to write to", "held", h.ID)
		return nil
	}
	l.To, l.InReplyTo = to, header.MessageID()
	return s.Letters.Send(ctx, l)
}

// writer is the address a note about a post goes to: the author's, as typed, when
// the envelope names her too, else the envelope's (RFC 3834 4). A stranger's name
// in From must not bring the stranger mail, and whether she is on the list must
// not show in where the note goes.
func writer(h *model.Held, header message.Header) address.Address {
	envelope, _ := address.Parse(h.ReversePath)
	for _, m := range header.Addresses("From") {
		if m.Address.Key() == h.AuthorKey && m.Address.Key() == envelope.Key() {
			return m.Address
		}
	}
	return envelope
}

// logged notes that a letter could not be written.
func (s *Service) logged(kind notify.Kind, err error) {
	if err != nil {
		s.Log.Error("cannot write a letter", "letter", string(kind), "err", err)
	}
}

// note writes a line of the trace.
func (s *Service) note(ctx context.Context, h *model.Held, kind, by, comment string) error {
	detail, _ := json.Marshal(map[string]any{"held": h.ID, "comment": comment}) // strings and numbers do not fail
	return s.Store.SaveEvent(ctx, &model.Event{At: model.At(s.Now()), ListID: h.ListID, Kind: kind, Actor: by, MessageKey: h.MessageKey,
		EmailKey: h.AuthorKey, Detail: string(detail)})
}

// Expire ends the waiting of posts nobody decided in time and tells their
// authors; a periodic job.
func (s *Service) Expire(ctx context.Context) error {
	gone, err := s.Store.ExpireHeld(ctx, model.At(s.Now()))
	if err != nil {
		return err
	}
	for i := range gone {
		h := &gone[i]
		if err := s.note(ctx, h, "post.expired", "rule", ""); err != nil {
			s.Log.Error("cannot write the trace", "held", h.ID, "err", err)
		}
		list, err := s.Store.GetList(ctx, h.ListID)
		if err != nil {
			return err
		}
		raw, err := s.Store.Bytes(ctx, h.BytesID)
		if err != nil {
			return err
		}
		s.logged(notify.Expired, s.toAuthor(ctx, h, raw, notify.Letter{Kind: notify.Expired, List: list,
			Data: notify.Data{Author: h.Author, Subject: h.Subject, Size: h.Size}}))
	}
	return nil
}
