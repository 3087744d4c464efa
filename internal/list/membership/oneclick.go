package membership

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// OneClickList names the list of a one-click token and changes nothing. A token
// that is not ours or whose list is gone is NotFound, an old one Expired.
func (s *Service) OneClickList(ctx context.Context, tok string) (*model.List, error) {
	listID, _, at, ok := s.Tokens.ParseOneClick(tok)
	if !ok {
		return nil, fault.New(fault.NotFound, "this link is not one of ours; look whether it was copied whole")
	}
	list, err := s.Store.GetList(ctx, listID)
	if err != nil {
		return nil, err
	}
	if s.Now().Sub(at) > oneClickLife {
		return list, fault.New(fault.Expired, "this link is too old; send any message to %s to leave", address.ForPeople(list.Sub("leave")))
	}
	return list, nil
}

// OneClick ends the subscription of the address a copy was sent to (RFC 8058).
// Doing it again is fine, and so is a subscription that was begun anew since: the
// person says that she wants no more of this list. No letter is sent. Its errors
// are those of OneClickList.
func (s *Service) OneClick(ctx context.Context, tok string) error {
	list, err := s.OneClickList(ctx, tok)
	if err != nil {
		return err
	}
	_, id, _, _ := s.Tokens.ParseOneClick(tok)
	sub, err := s.Store.GetSubscriber(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil // forgotten: surely no longer on the list
	case err != nil:
		return err
	case sub.ListID != list.ID:
		return fault.New(fault.NotFound, "this link is not one of ours; look whether it was copied whole")
	}
	email, err := address.Parse(sub.Email)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	_, err = s.Leave(ctx, Exit{List: list, Email: email, Reason: "one-click link", Quiet: true})
	return err
}
