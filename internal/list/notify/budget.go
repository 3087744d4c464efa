package notify

import (
	"fmt"
	"strings"

	"plenary/internal/mail/address"
)

// budget is what a letter is counted in: so many of it in a day.
type budget struct {
	key   string
	limit int
}

// budgets gives what a letter is counted in; each must allow it.
func (f form) budgets(l Letter) (all []budget) {
	if !f.Counted {
		return nil
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
