package command

import (
	"context"
	"slices"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// minToken is the length from which what stands last in an address may be a
// token or the id of a delivery.
const minToken = 10

// isOwn tells whether an address is one of ours: answering it, or asking it
// something, would be talking to ourselves. here is the domain the mail came to.
//
// People may have addresses in the same domain that begin like a list: only what
// stands behind the name of a list as one of its functions counts.
func (s *Service) isOwn(ctx context.Context, a address.Address, here string) (bool, error) {
	local := strings.ToLower(a.Local)
	if a.Domain == here && isServer(local) {
		return true, nil
	}
	if list, ok := strings.CutPrefix(local, "owner-"); ok {
		if l, err := s.Store.FindList(ctx, list, a.Domain); err != nil || l != nil {
			return l != nil, err
		}
	}
	for token := false; ; {
		if !token {
			if l, err := s.Store.FindList(ctx, local, a.Domain); err != nil || l != nil {
				return l != nil, err
			}
		}
		at := strings.LastIndexAny(local, "-+")
		if at <= 0 {
			return false, nil
		}
		switch known, takes := function(local[at+1:]); {
		case token && !takes:
			return false, nil
		case known:
			token = false
		case token || len(local)-at-1 < minToken:
			return false, nil
		default:
			token = true
		}
		local = local[:at]
	}
}

// function tells whether a word behind the name of a list makes an address of
// ours, and whether a token may follow it. A word that is missing here costs a
// letter to ourselves, which is not answered.
func function(word string) (known, takesToken bool) {
	switch word {
	case "confirm", "confsub", "confunsub", "bounces", "release", "reject":
		return true, true
	case "digest", "nomail":
		return true, false
	}
	return slices.Contains(model.Functions(), word), false
}

// isServer tells the names of the command address of a domain. A postmaster is a
// person who may well join a list.
func isServer(local string) bool {
	return local == "bounces" || slices.Contains(model.Servers(), local)
}

const notForOurs = " is an address of the lists here and not of a person. The owners of a list can do more than a letter."

// otherSays tells the author of a command why nothing is done for another address: it is
// one of the lists'. "" when there is no such reason. over: she named as many as one mail
// can, each of which gets a letter; that is said once, at the end.
func (j *job) otherSays(a address.Address) (text string, over bool, err error) {
	if a.Key() == j.mail.From.Key() {
		return "", false, nil // looked at before
	}
	if !j.others[a.Key()] && len(j.others) >= maxOthers {
		if j.over++; j.over == 1 {
			j.firstOver = a
		}
		return "", true, nil
	}
	j.others[a.Key()] = true
	own, err := j.s.isOwn(j.ctx, a, j.mail.Domain)
	if err != nil || !own {
		return "", false, err
	}
	return a.Unicode() + notForOurs, false, nil
}

// overText says from which address on commands are to be sent again.
func (j *job) overText() string {
	rest := "Please send that command again in another mail."
	if j.over > 1 {
		rest = "nor for those after it, " + itoa(j.over) + " commands in all. Please send them again in\nanother mail."
	}
	return "One mail can name " + itoa(maxOthers) + " other addresses, and those were taken. Nothing was done\nfor the next one,\n    " +
		j.firstOver.Unicode() + "\n" + rest
}
