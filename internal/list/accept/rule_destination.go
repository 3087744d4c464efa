package accept

import (
	"context"
	"fmt"
	"strings"

	"plenary/internal/mail/address"
)

// askDestination catches blind copies, most of which are advertising. A message
// that a person passed on by hand names the list in its Resent fields (RFC 5322
// 3.6.6).
func askDestination(_ context.Context, c *Case) (bool, string, error) {
	if !c.List.RequireDestination {
		return false, "", nil
	}
	own := map[string]bool{strings.ToLower(c.List.Address()): true}
	for line := range strings.Lines(c.List.AcceptableAliases) {
		if a, err := address.Parse(line); err == nil {
			own[a.Key()] = true
		}
	}
	for _, name := range []string{"To", "Cc", "Resent-To", "Resent-Cc"} {
		for _, m := range c.Header.Addresses(name) {
			m.Address.Local = address.UnicodeName(m.Address.Local)
			if own[m.Address.Key()] {
				return false, "", nil
			}
		}
	}
	return true, fmt.Sprintf("The address %s stands neither in To nor in Cc: the message was sent as a blind copy.",
		c.List.Address()), nil
}
