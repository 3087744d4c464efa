package command

import (
	"context"
	"slices"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

func cmdSubscribe() command {
	return command{
		Names:   []string{"SUBscribe", "JOIN", "SIGNUP", "ADDME"},
		Usage:   "[list] [your name]",
		Doc:     "Join a list. A letter comes to the address; answer it.",
		changes: true,
		fits:    fitsSubscribe,
		run:     runSubscribe,
	}
}

// fillers follow the verb in sentences: "subscribe me to the list please".
var fillers = map[string]bool{"me": true, "us": true, "to": true, "please": true, "my": true, "the": true, "this": true, "your": true, "list": true}

func fitsSubscribe(j *job, verb string, args []string) bool {
	switch {
	case len(args) == 0:
		return true
	case len(args) > 12:
		return false
	case j.listNamed(args[0]) != nil, isOption(args[0]), isAddress(args[0]):
		return true
	case verb == "SUBSCRIBE":
		return j.mail.List == nil || isNameLike(args) || fillers[strings.ToLower(args[0])] || len(args) <= 3
	}
	return j.mail.List != nil && (isNameLike(args) || len(args) == 1 && fillers[strings.ToLower(args[0])])
}

func runSubscribe(ctx context.Context, j *job, c call) (result, error) {
	list, rest := j.target(c.args)
	if list == nil {
		return j.whichList(c), nil
	}
	email, name, notes, err := readPerson(j.mail.From, rest)
	if err != nil {
		return result{text: sentence(fault.Text(err))}, nil
	}
	if name == "" && email == j.mail.From {
		name = fromName(j.mail)
	}
	if strings.EqualFold(name, "anonymous") {
		name = ""
	}
	if text, over, err := j.otherSays(email); err != nil || over || text != "" {
		return result{text: text}, err
	}
	key := "join " + list.Address() + " " + email.Key()
	if j.done[key] {
		return result{}, nil
	}
	j.done[key] = true
	spent, err := j.s.Membership.RequestJoin(ctx, membership.JoinRequest{List: list, Email: email, Name: name, Source: j.mail.Source,
		InReplyTo: j.mail.Header.MessageID()})
	switch {
	case err != nil && !ours(err):
		return result{text: sentence(fault.Text(err))}, nil
	case err != nil:
		return result{}, err
	case spent:
		return result{text: joined(notes, noMore(email))}, nil
	case email.Key() != j.mail.From.Key():
		return result{asked: true, text: joined(notes, "If "+email.Unicode()+" is not on the list yet, a letter is on its way to it.\nIts answer decides; nothing happens without it.")}, nil
	case len(notes) > 0:
		return result{asked: true, text: joined(notes, "A letter is on its way to "+email.Unicode()+". Answer it to join.")}, nil
	}
	return result{letter: true, asked: true}, nil
}

// noMore says that an address had its share of letters, which is the same whether or not
// it is on the list.
func noMore(a address.Address) string {
	return "No more letters about this go to " + a.Unicode() + " today. An answer to one\nthat went is still taken; or ask again tomorrow."
}

func joined(notes []string, last string) string {
	return strings.Join(append(slices.Compact(notes), last), "\n")
}

// readPerson reads what follows the list: a name, another address, options of
// other list servers, which are named in a note. An address nobody can be reached
// at is Invalid: to ask the author in its place would help nobody.
func readPerson(from address.Address, args []string) (email address.Address, name string, notes []string, err error) {
	email = from
	var words []string
	for i, a := range args {
		lower := strings.ToLower(a)
		switch {
		case lower == "with" && i+1 < len(args):
			for _, option := range args[i+1:] {
				notes = append(notes, leftOut(strings.ToLower(option)))
			}
			return email, strings.Join(words, " "), notes, nil
		case strings.HasPrefix(lower, "address="), isAddress(a):
			if email, err = address.Parse(strings.Trim(a[strings.LastIndexByte(a, '=')+1:], "<>")); err == nil {
				err = reachable(email, from)
			}
			if err != nil {
				return address.Address{}, "", nil, err
			}
		case isOption(a) || lower == "digest" || lower == "nodigest" || lower == "nomail":
			notes = append(notes, leftOut(lower))
		case fillers[lower] && len(words) == 0:
		default:
			words = append(words, a)
		}
	}
	return email, strings.Join(words, " "), notes, nil
}

// reachable refuses an address whose domain is one word, which is a machine of
// somebody's own network: no letter from here would arrive. Who writes from such
// a network may name others in it.
func reachable(a, from address.Address) error {
	if strings.Contains(a.Domain, ".") || a.Domain == from.Domain {
		return nil
	}
	return fault.New(fault.Invalid, "the address is not complete: a domain has a dot in it, as in name@example.org. Nothing was done")
}

// leftOut says what an option of other list servers comes to here.
func leftOut(option string) string {
	name, value, _ := strings.Cut(option, "=")
	switch {
	case (name == "digest" || name == "digests") && value != "no":
		return "Digests cannot be chosen here: each post comes as it is sent."
	case name == "nomail":
		return "Joining without mail cannot be chosen here: each post comes as it is sent. The owners can switch it off for you."
	case name == "digest" || name == "digests" || name == "nodigest" || name == "nodigests" || name == "mail":
		return "Each post comes as it is sent."
	case name == "password" || name == "pw":
		return "Passwords are not used here."
	}
	return "An option that does not exist here was left out."
}

// whichList asks for the list that a command did not name, or named wrongly.
func (j *job) whichList(c call) result {
	if len(c.args) == 0 {
		return result{text: "Which list? Write " + c.verb + " and the name of the list. LISTS shows the lists here.", help: true}
	}
	return result{text: "There is no list of that name here. LISTS shows the lists here."}
}

// visible tells whether a list is shown to the author: everybody may see an
// advertised one, its people any.
func (j *job) visible(l *model.List) (bool, error) {
	if l.Advertised {
		return true, nil
	}
	sub, err := j.s.Store.FindSubscriber(j.ctx, l.ID, j.mail.From.Key())
	return sub != nil, err
}
