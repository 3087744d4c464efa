package intake

import (
	"strings"

	"plenary/internal/mail/address"
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
	token  bool   // another word follows, after "+" or "-": a token or an id
	dot    bool   // it follows after "." instead, as ezmlm has it
	person bool   // it follows and is an address, user=host
	line   string // the command the address stands for; %s is the person's address
}

// forms is the table of all forms but the list's name alone. What no form fits is
// refused at RCPT.
func forms() []form {
	return []form{
		{role: RoleRequest, words: []string{"request"},
			doc: "Commands by mail; what holds none goes to the owners."},
		{role: RoleJoin, words: []string{"join", "subscribe", "subscribe-request", "on"},
			doc: "Any mail asks to join; the address is asked to confirm."},
		{role: RoleLeave, words: []string{"leave", "unsubscribe", "signoff", "unsubscribe-request", "signoff-request", "remove", "off",
			"unsubscribe-digest", "digest-unsubscribe", "unsubscribe-nomail"},
			doc: "Any mail asks to leave."},
		{role: RoleRequest, words: []string{"subscribe-digest", "digest-subscribe"}, line: "SUBSCRIBE digest",
			doc: "Asks to join; the answer says that posts come one by one."},
		{role: RoleRequest, words: []string{"subscribe-nomail", "nomail-subscribe"}, line: "SUBSCRIBE nomail",
			doc: "Asks to join; the answer says that posts come one by one."},
		{role: RoleRequest, words: []string{"subscribe", "join"}, person: true, line: "SUBSCRIBE address=%s",
			doc: "Asks for another address to join, written user=host; it is asked to confirm."},
		{role: RoleRequest, words: []string{"unsubscribe", "leave"}, person: true, line: "UNSUBSCRIBE address=%s",
			doc: "Asks for another address to leave, written user=host; it is asked to confirm."},
		{role: RoleRequest, words: []string{"query"}, line: "QUERY",
			doc: "Tells the address how it is on the list."},
		{role: RoleRequest, words: []string{"info", "faq"}, line: "INFO",
			doc: "Answers with what the list is about and its addresses."},
		{role: RoleConfirm, words: []string{"sc", "uc"}, dot: true,
			doc: "The answer to a question, in the form of ezmlm."},
		{role: RoleConfirm, words: []string{"release"}, token: true, line: "OK",
			doc: "Lets a held post go out, as mlmmj has it; the token comes from the letter to the moderators."},
		{role: RoleConfirm, words: []string{"reject"}, token: true, line: "NO",
			doc: "Refuses a held post; what stands between two lines of %%% is the reason."},
		{role: RoleConfirm, words: []string{"confirm", "confsub", "confunsub"}, token: true,
			doc: "The answer to a question; the address itself carries the token."},
		{role: RoleRequest, words: []string{"confirm"},
			doc: "The answer to a question, with the token in its subject."},
		{role: RoleHelp, words: []string{"help"},
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
	line  string // the command the address stands for
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
					all = append(all, reading{f.role, base, token, strings.ReplaceAll(f.line, "%s", token)})
				}
			}
		}
	}
	return all
}

// cut takes a form's word off a local part; of a person, token is the address.
func (f form) cut(local, word, sep string) (base, token string, ok bool) {
	switch {
	case f.prefix:
		base, ok = strings.CutPrefix(local, word+sep)
		return base, "", ok
	case f.dot:
		base, token, ok = strings.Cut(local, sep+word+".")
		return base, token, ok && token != ""
	case f.person:
		for _, s := range []string{"-", "+"} {
			if base, token, ok = strings.Cut(local, sep+word+s); ok {
				token, ok = person(token)
				return base, token, ok
			}
		}
		return "", "", false
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

// person reads user=host as an address; a host of one word is none anybody can
// be reached at.
func person(s string) (email string, ok bool) {
	at := strings.LastIndexByte(s, '=')
	if at <= 0 || !strings.Contains(s[at:], ".") {
		return "", false
	}
	a, err := address.Parse(s[:at] + "@" + s[at+1:])
	if err != nil {
		return "", false
	}
	return a.String(), true
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
