package accept

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/mail/address"
)

func askBanned(_ context.Context, c *Case) (bool, string, error) {
	var keys []string
	for _, m := range c.Header.Authors() {
		keys = append(keys, m.Address.Key())
	}
	if a, err := address.Parse(c.ReversePath); err == nil && !slices.Contains(keys, a.Key()) {
		keys = append(keys, a.Key())
	}
	for _, ban := range c.Bans {
		for _, key := range keys {
			if key != "" && matches(ban.Pattern, key) {
				return true, fmt.Sprintf("The address %s may not post to %s.", key, c.List.Address()), nil
			}
		}
	}
	return false, "", nil
}

// matches tells whether an address is meant by a ban: an address, "@domain", or
// a pattern with * for any characters. It is linear in the address for each star.
func matches(pattern, key string) bool {
	if strings.HasPrefix(pattern, "@") {
		pattern = "*" + pattern
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == key
	}
	head, tail := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(key, head) || len(key) < len(head)+len(tail) || !strings.HasSuffix(key, tail) {
		return false
	}
	rest := key[len(head) : len(key)-len(tail)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return true
}
