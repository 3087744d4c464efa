package intake

import (
	"strings"

	"plenary/internal/model"
)

// Role is what an address of ours is for.
type Role uint8

// The roles.
const (
	RolePost       Role = iota // L@: a post
	RoleRequest                // L-request@, listserv@: commands
	RoleJoin                   // L-join@
	RoleLeave                  // L-leave@
	RoleConfirm                // L-confirm+TOKEN@: an answer to a question
	RoleHelp                   // L-help@
	RoleOwner                  // L-owner@: the people who run the list
	RoleModerators             // L-moderators@: those who decide held posts
	RoleBounces                // L-bounces+ID@: what comes back
	RolePostmaster             // postmaster@: the people who run the site
)

var roleNames = [...]string{"post", "request", "join", "leave", "confirm", "help", "owner", "moderators", "bounces", "postmaster"}

// String is the role's name in logs.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "unknown"
}

// form is one way to write the address of a function of a list. Words stand
// behind the list's name after "-" or "+", or before it where prefix is set.
type form struct {
	role   Role
	doc    string
	words  []string
	prefix bool
	token  bool // another word follows, after "+" or "-": a token or an id
}

// forms is the table of all forms but the list's name alone. What no form fits is
// refused at RCPT.
func forms() []form {
	return []form{
		{role: RoleRequest, words: []string{"request"},
			doc: "Commands by mail; what holds none goes to the owners."},
		{role: RoleJoin, words: []string{"join", "subscribe", "subscribe-request"},
			doc: "Any mail asks to join; the address is asked to confirm."},
		{role: RoleLeave, words: []string{"leave", "unsubscribe", "signoff", "unsubscribe-request", "signoff-request", "remove"},
			doc: "Any mail asks to leave."},
		{role: RoleConfirm, words: []string{"confirm", "confsub", "confunsub"}, token: true,
			doc: "The answer to a question; the address itself carries the token."},
		{role: RoleRequest, words: []string{"confirm"},
			doc: "The answer to a question, with the token in its subject."},
		{role: RoleHelp, words: []string{"help", "info", "faq"},
			doc: "Answers with the list's addresses and commands."},
		{role: RoleOwner, words: []string{"owner", "owners", "admin"},
			doc: "Reaches the owners."},
		{role: RoleOwner, words: []string{"owner"}, prefix: true,
			doc: "Reaches the owners, in the old form."},
		{role: RoleModerators, words: []string{"moderators", "moderator", "editor", "editors"},
			doc: "Reaches the moderators."},
		{role: RoleBounces, words: []string{"bounces"}, token: true,
			doc: "The return address of a copy; the id names the delivery."},
		{role: RoleBounces, words: []string{"bounces"},
			doc: "A return address that names no delivery."},
	}
}

// reading is one way to read a local part.
type reading struct {
	role  Role
	base  string // the list's name, if there is such a list
	token string
}

// readings gives every way to read a local part, in lower case, as a function of
// a list, in the order of the table.
func readings(local string) []reading {
	var all []reading
	for _, f := range forms() {
		for _, w := range f.words {
			for _, sep := range []string{"-", "+"} {
				base, token, ok := f.cut(local, w, sep)
				if ok && base != "" {
					all = append(all, reading{f.role, base, token})
				}
			}
		}
	}
	return all
}

// cut takes a form's word off a local part.
func (f form) cut(local, word, sep string) (base, token string, ok bool) {
	switch {
	case f.prefix:
		base, ok = strings.CutPrefix(local, word+sep)
		return base, "", ok
	case !f.token:
		base, ok = strings.CutSuffix(local, sep+word)
		return base, "", ok
	}
	for _, s := range []string{"+", "-"} {
		if at := strings.LastIndex(local, sep+word+s); at >= 0 {
			token = local[at+len(sep)+len(word)+1:]
			return local[:at], token, token != ""
		}
	}
	return "", "", false
}

// serverRole reads a local part as an address of the whole domain.
func serverRole(local string) (role Role, token string, ok bool) {
	switch local {
	case "postmaster", "abuse", "listmaster": // RFC 5321 4.5.1, RFC 2142
		return RolePostmaster, "", true
	case "bounces":
		return RoleBounces, "", true
	}
	for _, s := range []string{"bounces+", "bounces-"} {
		if id, ok := strings.CutPrefix(local, s); ok && id != "" {
			return RoleBounces, id, true
		}
	}
	for _, name := range model.Servers() {
		switch local {
		case name, name + "-request":
			return RoleRequest, "", true
		case name + "-owner", name + "+owner", "owner-" + name:
			return RolePostmaster, "", true
		}
	}
	return 0, "", false
}
