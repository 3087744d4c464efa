package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plenary/internal/mail/address"
)

// budget is what a letter is counted in: so many of it in a day, or in the hour that the
// key names.
type budget struct {
	key   string
	limit int
}

// allowed counts a letter and tells whether it may go.
func (s *Service) allowed(ctx context.Context, f form, l Letter) (bool, error) {
	now := s.Now()
	for _, b := range f.budgets(l, now) {
		allowed, err := s.Store.CountAutoReply(ctx, b.key, now.Unix()/86400, b.limit)
		if err != nil || !allowed {
			return false, err
		}
	}
	return true, nil
}

// budgets gives what a letter is counted in; each must allow it.
func (f form) budgets(l Letter, now time.Time) (all []budget) {
	if f.Hourly > 0 && l.List != nil {
		all = append(all, budget{fmt.Sprintf("%s %d %s %s", f.Kind, now.Unix()/3600, l.List.Address(), person(l.To)), f.Hourly})
	}
	if !f.Counted {
		return all
	}
	who := person(l.To)
	if f.Apart > 0 && l.List != nil {
		all = append(all, budget{fmt.Sprintf("%s %s %s", f.Kind, l.List.Address(), who), f.Apart})
	}
	if f.InAll > 0 {
		all = append(all, budget{fmt.Sprintf("%s %s", f.Kind, who), f.InAll})
	}
	if len(all) == 0 {
		all = append(all, budget{who, maxAutoReplies})
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
// return address is the author's, or another one of the same domain, as who has
// several addresses at one place uses them. It proves nothing, but who forges both
// needs more than a line of text, and the author's domain can forbid it (SPF).
func SpeaksFor(reversePath string, author address.Address) bool {
	envelope, err := address.Parse(reversePath)
	return err == nil && !author.IsZero() && envelope.Domain == author.Domain
}
