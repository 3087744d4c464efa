package accept

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// answeredByPeople are the functions of a list whose mail people read: they may well
// write in their name.
var answeredByPeople = []string{"owner", "owners", "admin", "moderator", "moderators", "editor", "editors"}

// askOwnAddress refuses posts whose author is the list or a machine of it.
func askOwnAddress(_ context.Context, c *Case) (bool, string, error) {
	for _, m := range c.Header.Addresses("From") {
		if m.Address.Domain != c.List.Domain {
			continue
		}
		local := strings.ToLower(m.Address.Local)
		if isMachineOf(c.List.Local, local) || isMachineOf(address.ASCIIName(c.List.Local), local) {
			return true, fmt.Sprintf("Posts cannot be written in the name of %s; please use your own address.", c.List.Address()), nil
		}
	}
	return false, "", nil
}

// isMachineOf reports whether a local part is a list's name, or that of one of its
// functions nobody writes from.
func isMachineOf(list, local string) bool {
	rest, ok := strings.CutPrefix(local, list)
	if !ok || rest == "" {
		return ok
	}
	sep, word := rest[0], rest[1:]
	word, _, _ = strings.Cut(word, "+") // a token
	if slices.Contains(answeredByPeople, word) {
		return false
	}
	return sep == '+' || sep == '-' && (slices.Contains(model.Functions(), word) ||
		strings.HasPrefix(word, "confirm-") || strings.HasPrefix(word, "bounces-"))
}
