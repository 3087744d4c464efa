package membership

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// BanPattern makes what a person types the pattern of a ban: an address, a whole
// domain as "@domain", or an address with * for any characters. Domains are kept
// in A-labels, as addresses are. A pattern that means everybody is Invalid.
func BanPattern(text string) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	local, domain, ok := strings.Cut(text, "@")
	switch {
	case !ok || domain == "" || strings.ContainsAny(text, " \t,<>"):
		return "", fault.New(fault.Invalid, "%q is no address, @domain or pattern such as *@*.example.org", text)
	case strings.Trim(text, "*@.") == "":
		return "", fault.New(fault.Invalid, "%q would ban everybody", text)
	case strings.Contains(domain, "*"):
		for _, r := range domain {
			if r > 127 {
				return "", fault.New(fault.Invalid, "%q: write a domain with * in its xn-- form", text)
			}
		}
		return local + "@" + domain, nil
	}
	probe := local
	if local == "" || strings.Contains(local, "*") {
		probe = "x"
	}
	a, err := address.Parse(probe + "@" + domain)
	if err != nil {
		return "", err
	}
	if probe != local {
		return local + "@" + a.Domain, nil
	}
	return a.Key(), nil
}

// Ban keeps whoever the pattern means from posting and joining, on one list or,
// with a nil list, on all; until the moment until, or for good when it is zero. A
// ban with the same pattern there is replaced. Who is on a list stays on it.
func (s *Service) Ban(ctx context.Context, l *model.List, b model.Ban) (*model.Ban, error) {
	pattern, err := BanPattern(b.Pattern)
	if err != nil {
		return nil, err
	}
	if !b.ExpiresAt.IsZero() && b.ExpiresAt <= model.At(s.Now()) {
		return nil, fault.New(fault.Invalid, "the ban would be over before it begins")
	}
	b.Pattern, b.Reason, b.ListID = pattern, displayName(b.Reason), 0
	if l != nil {
		b.ListID = l.ID
	}
	err = s.Store.Together(ctx, func(ctx context.Context) error {
		if err := s.Store.SaveBan(ctx, &b); err != nil {
			return err
		}
		return s.traceBan(ctx, "member.banned", &b, b.CreatedBy)
	})
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// Unban lifts the ban with this pattern on a list, or the site's with a nil
// list; NotFound when there is none.
func (s *Service) Unban(ctx context.Context, l *model.List, pattern, by string) error {
	pattern, err := BanPattern(pattern)
	if err != nil {
		return err
	}
	where, id := "the site", int64(0)
	if l != nil {
		where, id = l.Address(), l.ID
	}
	all, err := s.Store.AllBans(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].ListID == id && all[i].Pattern == pattern {
			return s.Store.Together(ctx, func(ctx context.Context) error {
				if err := s.Store.RemoveBan(ctx, all[i].ID); err != nil {
					return err
				}
				return s.traceBan(ctx, "member.unbanned", &all[i], by)
			})
		}
	}
	return fault.New(fault.NotFound, "%s is not banned from %s; plenary ban ls shows all bans", pattern, where)
}

// Banned gives the current subscriptions that a ban means: of its list, or of
// all lists.
func (s *Service) Banned(ctx context.Context, b *model.Ban, lists []model.List) ([]model.Subscriber, error) {
	var out []model.Subscriber
	for i := range lists {
		if b.ListID != 0 && b.ListID != lists[i].ID {
			continue
		}
		for after := int64(0); ; {
			some, err := s.Store.SubscribersOf(ctx, lists[i].ID, ^model.Role(0), after, banPage)
			if err != nil {
				return nil, err
			}
			for _, sub := range some {
				after = sub.ID
				if banned([]model.Ban{*b}, sub.EmailKey) {
					out = append(out, sub)
				}
			}
			if len(some) < banPage {
				break
			}
		}
	}
	return out, nil
}

const banPage = 1000

// traceBan writes the trace of a ban; one of an address belongs to its person.
func (s *Service) traceBan(ctx context.Context, kind string, b *model.Ban, by string) error {
	e := model.Event{At: model.At(s.Now()), ListID: b.ListID, Kind: kind, Actor: by, Detail: b.Pattern}
	if !strings.HasPrefix(b.Pattern, "@") && !strings.Contains(b.Pattern, "*") {
		e.EmailKey, e.Detail = b.Pattern, ""
	}
	if b.Reason != "" && kind == "member.banned" {
		e.Detail = strings.TrimSpace(e.Detail + " (" + b.Reason + ")")
	}
	return s.Store.SaveEvent(ctx, &e)
}
