package keys

import (
	"context"
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/mailauth"
	"plenary/internal/model"
)

// pick gives the keys of a domain that match.
func (s *Service) pick(ctx context.Context, domain string, match func(Info) bool) ([]Info, error) {
	all, err := s.of(ctx, domain)
	return slices.DeleteFunc(all, func(i Info) bool { return !match(i) }), err
}

// Activate makes waiting keys sign: the one with this selector, or, when it is
// empty, all of the domain. The DNS is asked first and must have their records;
// force goes without. NotFound when none waits.
func (s *Service) Activate(ctx context.Context, domain, selector string, force bool) ([]Info, error) {
	waiting, err := s.pick(ctx, domain, func(i Info) bool {
		return i.State == Waiting && (selector == "" || strings.EqualFold(i.Selector, selector))
	})
	if err != nil {
		return nil, err
	}
	if len(waiting) == 0 {
		return nil, fault.New(fault.NotFound, "no DKIM key of %s waits", domain)
	}
	for _, i := range waiting {
		if err := s.published(ctx, i); err != nil && !force {
			return nil, err
		}
	}
	at := model.At(s.Now())
	for _, i := range waiting {
		if err := s.Store.ActivateDKIMKey(ctx, i.ID, at); err != nil {
			return nil, err
		}
	}
	s.forget()
	return s.pick(ctx, domain, func(i Info) bool {
		return slices.ContainsFunc(waiting, func(w Info) bool { return w.ID == i.ID })
	})
}

// published asks the DNS for a key's record.
func (s *Service) published(ctx context.Context, i Info) error {
	if s.LookupTXT == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	signer, err := s.open(ctx, &i.DKIMKey)
	if err != nil {
		return err
	}
	texts, err := s.LookupTXT(ctx, i.Name)
	if err != nil {
		return fault.Wrap(fault.Temporary, err, "the DNS does not have the TXT record %s", i.Name)
	}
	for _, text := range texts {
		if mailauth.Publishes(text, signer.Public()) {
			return nil
		}
	}
	return fault.New(fault.Invalid, "the TXT record %s holds another key", i.Name)
}

// Remove forgets a key and says what it was. One that signs is a Conflict unless
// force is set: mail then goes out without its signature, or with that of an
// older key.
func (s *Service) Remove(ctx context.Context, domain, selector string, force bool) (Info, error) {
	found, err := s.pick(ctx, domain, func(i Info) bool { return strings.EqualFold(i.Selector, selector) })
	if err != nil {
		return Info{}, err
	}
	if len(found) == 0 {
		return Info{}, fault.New(fault.NotFound, "%s has no DKIM key with the selector %s", domain, selector)
	}
	if found[0].State == Signing && !force {
		return Info{}, fault.New(fault.Conflict, "%s signs the mail of %s now", found[0].Name, domain)
	}
	if err := s.Store.RemoveDKIMKey(ctx, found[0].ID); err != nil {
		return Info{}, err
	}
	s.forget()
	return found[0], nil
}
