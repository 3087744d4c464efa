package command

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

func cmdSignoff() command {
	return command{
		Names:   []string{"SIGnoff", "UNSubscribe", "LEAVE", "REMOVE", "BYE"},
		Usage:   "[list | *]",
		Doc:     "Leave a list, or with * all lists here.",
		changes: true,
		fits:    fitsSignoff,
		run:     runSignoff,
	}
}

func fitsSignoff(j *job, verb string, args []string) bool {
	if len(args) == 0 {
		return verb != "BYE" || j.mail.List == nil
	}
	first := strings.ToLower(args[0])
	switch {
	case len(args) > 8:
		return false
	case first == "*", isAddress(first), j.listNamed(first) != nil:
		return true
	case first == "me":
		return len(args) == 1 || strings.EqualFold(args[1], "from") || strings.EqualFold(args[1], "please")
	case first == "from":
		return len(args) > 1 && (j.listNamed(args[1]) != nil || strings.EqualFold(args[1], "this") || strings.EqualFold(args[1], "list"))
	case verb == "UNSUBSCRIBE" || verb == "SIGNOFF":
		return len(args) <= 3 && (j.mail.List == nil || isNameLike(args) || first == "please" || first == "my" || len(args) == 1)
	}
	return j.mail.List == nil && len(args) == 1
}

func runSignoff(ctx context.Context, j *job, c call) (result, error) {
	args := c.args
	for len(args) > 0 && (fillers[strings.ToLower(args[0])] || strings.EqualFold(args[0], "from")) {
		args = args[1:]
	}
	email := j.mail.From
	for _, a := range args {
		if other, ok := addressArg(a); ok && j.listNamed(a) == nil {
			if err := reachable(other, j.mail.From); err != nil {
				return result{text: sentence(fault.Text(err))}, nil
			}
			email = other
		}
	}
	if len(args) > 0 && (args[0] == "*" || strings.Contains(strings.ToLower(strings.Join(args, " ")), "netwide")) {
		return j.leaveAll(ctx, email)
	}
	list, _ := j.target(args)
	if list == nil {
		c.args = args
		return j.whichToLeave(c)
	}
	return j.leaveOne(ctx, list, email)
}

// addressArg reads a@b, <a@b> or address=a@b.
func addressArg(s string) (address.Address, bool) {
	if strings.HasPrefix(strings.ToLower(s), "address=") {
		s = s[len("address="):]
	}
	a, err := address.Parse(s)
	return a, err == nil
}

func (j *job) leaveOne(ctx context.Context, list *model.List, email address.Address) (result, error) {
	if text, over, err := j.otherSays(email); err != nil || over || text != "" {
		return result{text: text}, err
	}
	key := "leave " + list.Address() + " " + email.Key()
	if j.done[key] {
		return result{}, nil
	}
	j.done[key] = true
	spent, err := j.s.leave(ctx, j.mail, list, email)
	switch {
	case err != nil && !ours(err):
		return result{text: sentence(fault.Text(err))}, nil
	case err != nil:
		return result{}, err
	case spent:
		return result{text: noMore(email)}, nil
	case email.Key() != j.mail.From.Key():
		return result{asked: true, text: "If " + email.Unicode() + " is on the list, a letter is on its way to it.\nIts answer decides; nothing happens without it."}, nil
	}
	return result{letter: true, asked: true}, nil
}

// leaveAll leaves every list of this domain. What is said about lists goes to the
// author alone, and only about her own address.
func (j *job) leaveAll(ctx context.Context, email address.Address) (result, error) {
	if email.Key() != j.mail.From.Key() {
		return result{text: "All lists at once can only be left from the address itself. Send SIGNOFF * from " + email.Unicode() + "."}, nil
	}
	mine, err := j.mine()
	if err != nil {
		return result{}, err
	}
	if len(mine) == 0 {
		return result{text: "The address " + email.Unicode() + " is on none of the lists here."}, nil
	}
	var names, left []string // left: on which there is something to say
	for _, l := range mine {
		if len(names)+len(left) >= maxLeaving {
			break
		}
		r, err := j.leaveOne(ctx, l, email)
		if err != nil {
			return result{}, err
		}
		if r.text != "" {
			left = append(left, "    "+l.Address()+"\n        "+strings.ReplaceAll(r.text, "\n", "\n        "))
		} else {
			names = append(names, "    "+l.Address())
		}
	}
	if len(names) == 1 && len(left) == 0 {
		return result{letter: true, asked: true}, nil
	}
	if len(names) > 0 {
		left = append([]string{"For each of these lists a letter is on its way to you:"}, append(names, left...)...)
	}
	return result{asked: len(names) > 0, text: strings.Join(left, "\n")}, nil
}

// mine gives the lists of this domain the author receives.
func (j *job) mine() ([]*model.List, error) {
	subs, err := j.s.Store.SubscriptionsOf(j.ctx, []string{j.mail.From.Key()})
	if err != nil || len(subs) == 0 {
		return nil, err
	}
	all, err := j.s.Store.Lists(j.ctx)
	if err != nil {
		return nil, err
	}
	var out []*model.List
	for i := range all {
		for k := range subs {
			if subs[k].ListID == all[i].ID && all[i].Domain == j.mail.Domain && subs[k].Has(model.RoleSubscriber) {
				out = append(out, &all[i])
			}
		}
	}
	return out, nil
}

// whichToLeave helps who did not say which list: it names hers.
func (j *job) whichToLeave(c call) (result, error) {
	r := j.whichList(c)
	mine, err := j.mine()
	if err != nil || len(mine) == 0 {
		return r, err
	}
	r.text += "\nYou are on:"
	for _, l := range mine {
		r.text += "\n    " + l.Local
	}
	r.text += "\nSIGNOFF * leaves all of them."
	return r, nil
}
