package accept

import (
	"context"
	"fmt"
	"strings"

	"plenary/internal/mail/address"
)

// ownFunctions are the list's addresses nobody writes from. The owners' address
// is not among them: owners may well write in its name.
var ownFunctions = []string{"", "-request", "-join", "-leave", "-confirm", "-bounces", "-help"}

// askOwnAddress refuses posts whose author is the list or a machine of it.
func askOwnAddress(_ context.Context, c *Case) (bool, string, error) {
	for _, m := range c.Header.Addresses("From") {
		if m.Address.Domain != c.List.Domain {
			continue
		}
		local, _, _ := strings.Cut(strings.ToLower(m.Address.Local), "+")
		for _, f := range ownFunctions {
			if local == c.List.Local+f || local == address.ASCIIName(c.List.Local)+f {
				return true, fmt.Sprintf("Posts cannot be written in the name of %s; please use your own address.",
					c.List.Address()), nil
			}
		}
	}
	return false, "", nil
}
