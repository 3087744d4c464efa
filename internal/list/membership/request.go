package membership

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// JoinRequest is somebody's wish that an address should be on a list. Nothing in
// it is proved.
type JoinRequest struct {
	List      *model.List
	Email     address.Address
	Name      string
	Source    string // how it came: "mail from 192.0.2.1", "web"; kept as consent
	InReplyTo string // Message-ID of the mail that asked, without brackets
}

// RequestJoin asks the address itself by a letter whether it wants to join. The
// letter says nothing the requester wrote. On a list nobody may ask to join it is
// Forbidden. spent tells that the address had its share of such letters today. A banned
// address gets no letter; neither that nor whether it is on the list can be told from the
// answer.
func (s *Service) RequestJoin(ctx context.Context, r JoinRequest) (spent bool, err error) {
	if !r.List.Joinable() {
		return false, closed(r.List)
	}
	bans, err := s.Store.Bans(ctx, r.List.ID)
	if err != nil {
		return false, err
	}
	sub, err := s.Store.FindSubscriber(ctx, r.List.ID, r.Email.Key())
	if err != nil {
		return false, err
	}
	if banned(bans, r.Email.Key()) {
		s.trace(ctx, r.List, model.Event{Kind: "member.join-refused", Actor: "rule", EmailKey: r.Email.Key(), Detail: "banned; " + r.Source})
		return s.Letters.Ask(ctx, notify.Letter{Kind: notify.ConfirmJoin, List: r.List, To: r.Email, Unsent: true})
	}
	kind := notify.ConfirmJoin
	if sub.Has(model.RoleSubscriber) {
		kind = notify.AlreadyOnList
	}
	return s.ask(ctx, kind, question{model.PendingJoin, r.List, r.Email, displayName(r.Name), r.Source, r.InReplyTo})
}

func closed(l *model.List) error {
	return fault.New(fault.Forbidden, "the list %s takes no new subscribers by itself; write to %s to ask a person", address.ForPeople(l.Address()), address.ForPeople(l.Sub("owner")))
}

// LeaveRequest is somebody's wish that an address should not be on a list.
// Nothing in it is proved.
type LeaveRequest struct {
	List      *model.List
	Email     address.Address
	Source    string
	InReplyTo string
}

// RequestLeave asks the address itself by a letter whether it wants to leave. The
// answer does not tell whether it is on the list; spent tells that an address had its
// share of such letters today, on the list or not.
func (s *Service) RequestLeave(ctx context.Context, r LeaveRequest) (spent bool, err error) {
	sub, err := s.Store.FindSubscriber(ctx, r.List.ID, r.Email.Key())
	if err != nil {
		return false, err
	}
	kind := notify.NotOnList
	if sub.Has(model.RoleSubscriber) {
		kind = notify.ConfirmLeave
	}
	return s.ask(ctx, kind, question{model.PendingLeave, r.List, r.Email, "", r.Source, r.InReplyTo})
}

// question is what an address is asked.
type question struct {
	kind      model.PendingKind
	list      *model.List
	email     address.Address
	name      string
	source    string
	inReplyTo string
}

// ask keeps the request and writes the letter. Also where the answer is known a
// request is kept: what is done takes as long either way.
func (s *Service) ask(ctx context.Context, kind notify.Kind, q question) (spent bool, err error) {
	scope, event := notify.ScopeJoin, "member.join-requested"
	if q.kind == model.PendingLeave {
		scope, event = notify.ScopeLeave, "member.leave-requested"
	}
	now := s.Now()
	tok, hash := s.Tokens.Random(scope)
	p := &model.Pending{Kind: q.kind, ListID: q.list.ID, Email: q.email.String(), EmailKey: q.email.Key(), Name: q.name,
		Source: q.source, TokenHash: hash, ExpiresAt: model.At(now.Add(confirmLife))}
	if err := s.Store.SavePending(ctx, p); err != nil {
		return false, err
	}
	s.trace(ctx, q.list, model.Event{Kind: event, Actor: "mail", EmailKey: q.email.Key(), Detail: q.source})
	l := notify.Letter{Kind: kind, List: q.list, To: q.email, InReplyTo: q.inReplyTo,
		Data: notify.Data{Email: q.email.Unicode(), Until: now.Add(confirmLife)}}
	if kind == notify.ConfirmJoin || kind == notify.ConfirmLeave {
		l.Token = tok
	}
	return s.Letters.Ask(ctx, l)
}
