// Package membership brings people onto lists and off them.
//
// Whatever the way (mail, web, command line, a link), joining ends in Join and
// leaving in Leave, so every way has the same letters, the same trace and the same
// rules. The answer to a question, what it changes, its line of the trace and the
// letter that tells of it are one transaction: a crash loses all of them, and who
// sent the answer sends it again, or none. A request proves nothing about who made it: RequestJoin and RequestLeave
// only write to the address itself, and the answer, with its token, is what
// counts. The address is answered the same way whether or not it is on the list:
// one row, one letter, the same words to whoever asked. What is really so stands
// only in the letter to the address.
//
// A token is for one list, one address and one purpose, is kept as a hash and
// lives three days. Asking again replaces the request; the token of the earlier
// letter goes on working, because both letters went to the same address. Leaving
// always works, for banned, paused and unconfirmed addresses and on closed lists,
// and never touches the roles of owners and moderators, who leave those by
// decision of an owner.
package membership

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
	"plenary/internal/token"
)

// How long things last.
const (
	confirmLife  = 3 * 24 * time.Hour   // a request to join or leave
	approveLife  = 30 * 24 * time.Hour  // a moderator's consent to a join
	oneClickLife = 400 * 24 * time.Hour // a link in a post: people leave by the post they find
	maxName      = 100                  // octets of a display name
	staffPage    = 200                  // moderators asked at once
)

// Store keeps people and their requests.
type Store interface {
	GetList(ctx context.Context, id int64) (*model.List, error)
	Subscribe(ctx context.Context, s *model.Subscriber) (fresh bool, err error)
	SubscribeAll(ctx context.Context, listID int64, subs []model.Subscriber, event model.Event) (fresh int, rest []model.Subscriber, err error)
	Unsubscribe(ctx context.Context, listID int64, emailKey, reason string) (*model.Subscriber, error)
	FindSubscriber(ctx context.Context, listID int64, emailKey string) (*model.Subscriber, error)
	GetSubscriber(ctx context.Context, id int64) (*model.Subscriber, error)
	SaveSubscriber(ctx context.Context, s *model.Subscriber) error
	SubscribersOf(ctx context.Context, listID int64, role model.Role, afterID int64, limit int) ([]model.Subscriber, error)
	SavePending(ctx context.Context, p *model.Pending) error
	FindPending(ctx context.Context, hash []byte) (*model.Pending, error)
	UsePending(ctx context.Context, id int64) (first bool, err error)
	Bans(ctx context.Context, listID int64) ([]model.Ban, error)
	AllBans(ctx context.Context) ([]model.Ban, error)
	SaveBan(ctx context.Context, b *model.Ban) error
	RemoveBan(ctx context.Context, id int64) error
	SaveEvent(ctx context.Context, e *model.Event) error
	// Together makes one transaction of all that fn does with its context.
	Together(ctx context.Context, fn func(ctx context.Context) error) error
}

// Letters writes the house letters.
type Letters interface {
	Send(ctx context.Context, l notify.Letter) error
	// Ask is Send; spent tells that the address had its share of such letters.
	Ask(ctx context.Context, l notify.Letter) (spent bool, err error)
}

// Deps is what the service stands on.
type Deps struct {
	Store   Store
	Tokens  *token.Keyring
	Letters Letters
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent
}

// Service brings people onto lists and off them. It is safe for use by many
// goroutines.
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

// Entry is someone who comes onto a list.
type Entry struct {
	List    *model.List
	Email   address.Address
	Name    string
	Consent string // how and from where; kept for as long as the subscription
	By      string // who decided: an address, "confirmed", "cli"
}

// Join puts an address on a list as a subscriber and welcomes it; the one way in
// for people. It reports whether the address was not on the list before; then
// nothing is sent.
func (s *Service) Join(ctx context.Context, e Entry) (fresh bool, err error) {
	if isItself(e.List, e.Email) {
		return false, itself(e.List)
	}
	before, err := s.Store.FindSubscriber(ctx, e.List.ID, e.Email.Key())
	if err != nil {
		return false, err
	}
	sub := &model.Subscriber{ListID: e.List.ID, Email: e.Email.String(), EmailKey: e.Email.Key(), Name: displayName(e.Name),
		Roles: model.RoleSubscriber, Consent: e.Consent}
	err = s.Store.Together(ctx, func(ctx context.Context) error {
		made, err := s.Store.Subscribe(ctx, sub)
		if fresh = made || before != nil && !before.Has(model.RoleSubscriber); err != nil || !fresh {
			return err
		}
		if err := s.note(ctx, e.List, model.Event{Kind: "member.joined", Actor: e.By, EmailKey: sub.EmailKey, Detail: e.Consent}); err != nil {
			return err
		}
		return s.Letters.Send(ctx, notify.Letter{Kind: notify.Welcome, List: e.List, To: e.Email, Data: notify.Data{Email: e.Email.Unicode()}})
	})
	return fresh && err == nil, err
}

// Add puts someone on a list with any roles, at the word of an owner and without
// a letter. It reports whether the address was not on the list before; who was
// gets the roles in addition. The list's own addresses are Invalid.
func (s *Service) Add(ctx context.Context, l *model.List, sub *model.Subscriber, by string) (fresh bool, err error) {
	if a, err := address.Parse(sub.Email); err == nil && isItself(l, a) {
		return false, itself(l)
	}
	sub.ListID, sub.Name = l.ID, displayName(sub.Name)
	if sub.Roles == 0 {
		sub.Roles = model.RoleSubscriber
	}
	row := *sub
	err = s.Store.Together(ctx, func(ctx context.Context) error {
		row = *sub
		before, err := s.Store.FindSubscriber(ctx, l.ID, sub.EmailKey)
		if err != nil {
			return err
		}
		if fresh, err = s.Store.Subscribe(ctx, &row); err != nil {
			return err
		}
		if before != nil && len(differences(before, &row)) == 0 {
			return nil
		}
		return s.note(ctx, l, model.Event{Kind: "member.added", Actor: by, EmailKey: row.EmailKey, Detail: RoleNames(row.Roles)})
	})
	if err != nil {
		return false, err
	}
	*sub = row
	return fresh, nil
}

// AddAll is Add for many plain subscribers at once; who is on the list already
// stays as she is, and the list's own addresses are passed over. It reports how
// many were not on it.
func (s *Service) AddAll(ctx context.Context, l *model.List, subs []model.Subscriber, by string) (fresh int, err error) {
	seen := map[string]bool{}
	unique := make([]model.Subscriber, 0, len(subs))
	for _, sub := range subs {
		if a, err := address.Parse(sub.Email); seen[sub.EmailKey] || err == nil && isItself(l, a) {
			continue
		}
		seen[sub.EmailKey] = true
		sub.Name = displayName(sub.Name)
		unique = append(unique, sub)
	}
	event := model.Event{Kind: "member.added", Actor: by, Detail: RoleNames(model.RoleSubscriber)}
	fresh, rest, err := s.Store.SubscribeAll(ctx, l.ID, unique, event)
	for i := range rest {
		if err != nil {
			break
		}
		rest[i].Roles = model.RoleSubscriber
		_, err = s.Add(ctx, l, &rest[i], by)
	}
	return fresh, err
}

// CheckAddress tells why an address cannot be on a list; nil: it can.
func CheckAddress(l *model.List, a address.Address) error {
	if isItself(l, a) {
		return itself(l)
	}
	return nil
}

// isItself tells an address of the list that a program reads. As a subscriber it
// would get every post, and refuse it or carry it out as commands. The owners'
// address is read by people.
func isItself(l *model.List, a address.Address) bool {
	if a.Domain != l.Domain {
		return false
	}
	rest, ok := strings.CutPrefix(strings.ToLower(a.Local), l.Local)
	if !ok {
		return false
	}
	if rest != "" && strings.ContainsAny(rest[:1], "-+") {
		rest, _, _ = strings.Cut(rest[1:], "+")
	} else if rest != "" {
		return false
	}
	switch rest {
	case "", "request", "join", "leave", "subscribe", "unsubscribe", "signoff", "confirm", "bounces", "help":
		return true
	}
	return false
}

func itself(l *model.List) error {
	return fault.New(fault.Invalid, "%s cannot be on itself", l.Address())
}

// Remove takes someone off a list with all roles, at the word of an owner and
// without a letter; NotFound when the address is not on it.
func (s *Service) Remove(ctx context.Context, l *model.List, a address.Address, by string) error {
	return s.Store.Together(ctx, func(ctx context.Context) error {
		gone, err := s.Store.Unsubscribe(ctx, l.ID, a.Key(), "removed by "+model.Who(by))
		if err != nil {
			return err
		}
		if gone == nil {
			return absent(l, a)
		}
		return s.note(ctx, l, model.Event{Kind: "member.removed", Actor: by, EmailKey: a.Key()})
	})
}

func absent(l *model.List, a address.Address) error {
	return fault.New(fault.NotFound, "%s is not on %s", a.Unicode(), l.Address())
}

// Exit is someone who leaves a list.
type Exit struct {
	List   *model.List
	Email  address.Address
	Reason string // kept with the ended subscription: "confirmed by mail", "one-click link"
	Quiet  bool   // no letter
}

// Leave ends a subscription and says goodbye; the one way out for people. It
// reports whether there was one. Owners and moderators keep those roles and only
// stop receiving posts.
func (s *Service) Leave(ctx context.Context, e Exit) (left bool, err error) {
	key := e.Email.Key()
	sub, err := s.Store.FindSubscriber(ctx, e.List.ID, key)
	if err != nil || !sub.Has(model.RoleSubscriber) {
		return false, err
	}
	sub.Roles &^= model.RoleSubscriber
	err = s.Store.Together(ctx, func(ctx context.Context) error {
		left = true
		if sub.Roles == 0 {
			gone, err := s.Store.Unsubscribe(ctx, e.List.ID, key, e.Reason)
			if left = gone != nil; err != nil || !left {
				return err
			}
		} else if err := s.Store.SaveSubscriber(ctx, sub); err != nil {
			return err
		}
		if err := s.note(ctx, e.List, model.Event{Kind: "member.left", Actor: key, EmailKey: key, Detail: e.Reason}); err != nil || e.Quiet {
			return err
		}
		return s.Letters.Send(ctx, notify.Letter{Kind: notify.Goodbye, List: e.List, To: e.Email, Data: notify.Data{Email: e.Email.Unicode()}})
	})
	return left && err == nil, err
}

// note writes a line of the trace.
func (s *Service) note(ctx context.Context, l *model.List, e model.Event) error {
	e.At, e.ListID = model.At(s.Now()), l.ID
	return s.Store.SaveEvent(ctx, &e)
}

// trace writes a line of what changed no subscription, after the fact: a failure is
// logged and undoes nothing.
func (s *Service) trace(ctx context.Context, l *model.List, e model.Event) {
	if err := s.note(ctx, l, e); err != nil {
		s.Log.Error("cannot write the trace", "event", e.Kind, "list", l.Address(), "err", err)
	}
}

// displayName reduces a name a stranger gave to one short line.
func displayName(name string) string {
	name = word.Line(strings.NewReplacer("<", " ", ">", " ", `"`, " ").Replace(name))
	if len(name) > maxName {
		name = strings.TrimSpace(strings.ToValidUTF8(name[:maxName], ""))
	}
	return name
}

// banned tells whether one of the bans means this address: itself, "@domain", or
// a pattern with * for any characters.
func banned(bans []model.Ban, key string) bool {
	for _, b := range bans {
		pattern := b.Pattern
		if strings.HasPrefix(pattern, "@") {
			pattern = "*" + pattern
		}
		if like(pattern, key) {
			return true
		}
	}
	return false
}

// like matches * against any characters, in time linear for each star.
func like(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(s, p)
		if !ok {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}
