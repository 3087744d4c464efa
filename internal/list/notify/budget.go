package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plenary/internal/mail/address"
)

// budget is what a letter is counted in: so many of it in a day, or in the hour that the
// key names. The end of a quiet one is not told.
type budget struct {
	key   string
	limit int
	quiet bool
}

// allowed counts a letter and tells whether it may go, and if not, whether that may be told.
func (s *Service) allowed(ctx context.Context, f form, l Letter) (allowed, told bool, err error) {
	now := s.Now()
	for _, b := range f.budgets(l, now) {
		allowed, err := s.Store.CountAutoReply(ctx, b.key, now.Unix()/86400, b.limit)
		if err != nil || !allowed {
			return false, !b.quiet, err
		}
	}
	return true, true, nil
}

// budgets gives what a letter is counted in; each must allow it. Of a list each address has
// its own share, as all of ann+x@ may be on it; in all lists they are one person.
func (f form) budgets(l Letter, now time.Time) (all []budget) {
	kind, who := f.Kind, person(l.To)
	if f.As != "" {
		kind = f.As
	}
	if f.Hourly > 0 && l.List != nil {
		all = append(all, budget{key: fmt.Sprintf("%s %d %s %s", kind, now.Unix()/3600, l.List.Address(), who), limit: f.Hourly})
	}
	if !f.Counted {
		return all
	}
	if f.Apart > 0 && l.List != nil {
		all = append(all, budget{key: fmt.Sprintf("%s %s %s", kind, l.List.Address(), l.To.Key()), limit: f.Apart})
	}
	if f.InAll > 0 {
		all = append(all, budget{key: fmt.Sprintf("%s %s", kind, who), limit: f.InAll})
	}
	if len(all) == 0 || f.Ten {
		all = append(all, budget{key: who, limit: maxAutoReplies, quiet: true})
	}
	return all
}

// person is the key of an address without what follows a plus in its local part: with many
// providers all of ann+x@ are ann@, and ten letters for each would be any number.
func person(a address.Address) string {
	if at := strings.IndexByte(a.Local, '+'); at > 0 {
		a.Local = a.Local[:at]
	}
	return a.Key()
}

// SpeaksFor tells whether the envelope of a message is that of its author: the
// return address is the author's, or another one of the same domain or of one above or
// below it, as who has several addresses at one place uses them. It proves nothing, but
// who forges both needs more than a line of text, and the author's domain can forbid it
// (SPF).
func SpeaksFor(reversePath string, author address.Address) bool {
	envelope, err := address.Parse(reversePath)
	return err == nil && !author.IsZero() && (within(envelope.Domain, author.Domain) || within(author.Domain, envelope.Domain))
}

// within tells a domain that is another one or below it. Below a domain of one label
// all are strangers.
func within(domain, upper string) bool {
	return domain == upper || strings.Contains(upper, ".") && strings.HasSuffix(domain, "."+upper)
}
