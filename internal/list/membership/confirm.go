package membership

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// Confirmed is what an answer to a request did.
type Confirmed struct {
	Kind    model.PendingKind
	List    *model.List
	Email   address.Address
	Changed bool // someone joined or left; false: nothing was to do
	Waiting bool // the join now waits for a moderator
}

// scopes says which tokens mean which request.
var scopes = []struct {
	name string
	kind model.PendingKind
}{
	{notify.ScopeJoin, model.PendingJoin},
	{notify.ScopeLeave, model.PendingLeave},
	{notify.ScopeApprove, model.PendingApprove},
}

// Kind tells what request a token is for, without looking whether it is still
// open; 0 when it is none of ours.
func (s *Service) Kind(tok string) model.PendingKind {
	for _, sc := range scopes {
		if _, ok := s.Tokens.Check(sc.name, tok); ok {
			return sc.kind
		}
	}
	return 0
}

// open finds the request of a token. NotFound: the token is wrong; Conflict: it
// was used; Expired: it is too old.
func (s *Service) open(ctx context.Context, tok string, kinds ...model.PendingKind) (*model.Pending, *model.List, error) {
	for _, sc := range scopes {
		hash, ok := s.Tokens.Check(sc.name, tok)
		if !ok || !contains(kinds, sc.kind) {
			continue
		}
		p, err := s.Store.FindPending(ctx, hash)
		switch {
		case err != nil:
			return nil, nil, err
		case p == nil || p.Kind != sc.kind:
			return nil, nil, fault.New(fault.NotFound, "this request is not known any more, please ask again")
		}
		list, err := s.Store.GetList(ctx, p.ListID)
		switch {
		case err != nil:
			return nil, nil, err
		case !p.UsedAt.IsZero():
			return p, list, fault.New(fault.Conflict, "this was answered already, there is nothing more to do")
		case p.ExpiresAt < model.At(s.Now()):
			return p, list, fault.New(fault.Expired, "this request ended on %s; %s", p.ExpiresAt.Time().Format("2 January 2006"), again(p, list))
		}
		return p, list, nil
	}
	return nil, nil, fault.New(fault.NotFound, "this is not a code of ours; look whether it was copied whole")
}

// again says what to do when a request has ended.
func again(p *model.Pending, list *model.List) string {
	switch p.Kind {
	case model.PendingJoin:
		return "to join, send any message to " + list.Sub("join")
	case model.PendingLeave:
		return "to leave, send any message to " + list.Sub("leave")
	}
	return p.Email + " may ask again"
}

func contains(kinds []model.PendingKind, k model.PendingKind) bool {
	for _, have := range kinds {
		if have == k {
			return true
		}
	}
	return false
}

// Confirm does what the holder of the token was asked about: joins or leaves. A
// wrong token is NotFound, a used one Conflict, an old one Expired. On a list
// whose moderators agree to joins, they are asked next.
func (s *Service) Confirm(ctx context.Context, tok string) (Confirmed, error) {
	p, list, err := s.open(ctx, tok, model.PendingJoin, model.PendingLeave)
	if err != nil {
		return Confirmed{}, err
	}
	email, err := address.Parse(p.Email)
	if err != nil {
		return Confirmed{}, fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	if p.Kind == model.PendingJoin {
		if err := s.mayJoin(ctx, list, email); err != nil {
			return Confirmed{}, err
		}
	}
	done := Confirmed{Kind: p.Kind, List: list, Email: email}
	err = s.Store.Together(ctx, func(ctx context.Context) (err error) {
		switch {
		case p.Kind == model.PendingLeave:
			done.Changed, err = s.Leave(ctx, Exit{List: list, Email: email, Reason: "confirmed; asked by " + p.Source})
		case list.JoinPolicy == model.JoinConfirmModerate:
			done.Waiting, err = s.askModerators(ctx, list, p, email)
		default:
			done.Changed, err = s.Join(ctx, Entry{List: list, Email: email, Name: p.Name, Consent: consent(p), By: "confirmed"})
		}
		if err != nil {
			return err
		}
		first, err := s.Store.UsePending(ctx, p.ID)
		if err == nil && !first {
			err = fault.New(fault.Conflict, "this was answered already, there is nothing more to do")
		}
		return err
	})
	if err != nil {
		return Confirmed{}, err
	}
	return done, nil
}

// mayJoin asks again what may have changed since the request: the list was closed
// to newcomers, or the address was banned, which it is told in the same words.
func (s *Service) mayJoin(ctx context.Context, list *model.List, email address.Address) error {
	if !list.Joinable() {
		return closed(list)
	}
	bans, err := s.Store.Bans(ctx, list.ID)
	if err == nil && banned(bans, email.Key()) {
		err = closed(list)
	}
	return err
}

func consent(p *model.Pending) string {
	return "asked by " + p.Source + " on " + p.CreatedAt.Time().Format("2006-01-02 15:04 MST") + ", confirmed by the address itself"
}

// Decline drops the request of a token. Its errors are those of Confirm.
func (s *Service) Decline(ctx context.Context, tok string) (Confirmed, error) {
	p, list, err := s.open(ctx, tok, model.PendingJoin, model.PendingLeave)
	if err != nil {
		return Confirmed{}, err
	}
	if _, err := s.Store.UsePending(ctx, p.ID); err != nil {
		return Confirmed{}, err
	}
	s.trace(ctx, list, model.Event{Kind: "member.declined", Actor: p.EmailKey, EmailKey: p.EmailKey})
	email, err := address.Parse(p.Email)
	return Confirmed{Kind: p.Kind, List: list, Email: email}, err
}

// askModerators asks the moderators whether a confirmed address may join, and
// tells the address. Who is on the list already need not wait.
func (s *Service) askModerators(ctx context.Context, list *model.List, p *model.Pending, email address.Address) (waiting bool, err error) {
	sub, err := s.Store.FindSubscriber(ctx, list.ID, p.EmailKey)
	if err != nil || sub.Has(model.RoleSubscriber) {
		return false, err
	}
	until := s.Now().Add(approveLife)
	tok, hash := s.Tokens.Random(notify.ScopeApprove)
	next := &model.Pending{Kind: model.PendingApprove, ListID: list.ID, Email: p.Email, EmailKey: p.EmailKey, Name: p.Name,
		Source: consent(p), TokenHash: hash, ExpiresAt: model.At(until)}
	if err := s.Store.SavePending(ctx, next); err != nil {
		return false, err
	}
	data := notify.Data{Email: email.Unicode(), Name: p.Name, Until: until}
	if err := s.toModerators(ctx, list, notify.Letter{Kind: notify.JoinApprove, Token: tok, Data: data}); err != nil {
		return false, err
	}
	if err := s.note(ctx, list, model.Event{Kind: "member.join-waiting", Actor: p.EmailKey, EmailKey: p.EmailKey}); err != nil {
		return false, err
	}
	return true, s.Letters.Send(ctx, notify.Letter{Kind: notify.JoinWaiting, List: list, To: email, Data: data})
}

// toModerators sends a letter to everybody who moderates or owns the list.
func (s *Service) toModerators(ctx context.Context, list *model.List, l notify.Letter) error {
	staff, err := s.Store.SubscribersOf(ctx, list.ID, model.RoleModerator|model.RoleOwner, 0, staffPage)
	if err != nil {
		return err
	}
	l.List = list
	for i := range staff {
		if l.To, err = address.Parse(staff[i].Email); err != nil {
			continue // nothing can be sent to it; it was checked when it came in
		}
		if err := s.Letters.Send(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// DecideJoin is a moderator's answer to a waiting join; the token went to
// moderators only. The first answer counts: a later one is a Conflict. Comment
// goes to the person when she is refused.
func (s *Service) DecideJoin(ctx context.Context, tok string, agree bool, by, comment string) (Confirmed, error) {
	p, list, err := s.open(ctx, tok, model.PendingApprove)
	if err != nil {
		return Confirmed{}, err
	}
	email, err := address.Parse(p.Email)
	if err != nil {
		return Confirmed{}, err
	}
	done := Confirmed{Kind: p.Kind, List: list, Email: email}
	err = s.Store.Together(ctx, func(ctx context.Context) error {
		first, err := s.Store.UsePending(ctx, p.ID)
		switch {
		case err != nil:
			return err
		case !first:
			return fault.New(fault.Conflict, "another moderator answered already, there is nothing more to do")
		case agree:
			done.Changed, err = s.Join(ctx, Entry{List: list, Email: email, Name: p.Name, Consent: p.Source + "; a moderator agreed", By: by})
			return err
		}
		if err := s.note(ctx, list, model.Event{Kind: "member.join-refused", Actor: by, EmailKey: p.EmailKey, Detail: comment}); err != nil {
			return err
		}
		return s.Letters.Send(ctx, notify.Letter{Kind: notify.JoinRefused, List: list, To: email,
			Data: notify.Data{Email: email.Unicode(), Comment: comment}})
	})
	if err != nil {
		return Confirmed{}, err
	}
	return done, nil
}
