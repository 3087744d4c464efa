package command

import (
	"context"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

func cmdQuery() command {
	return command{
		Names: []string{"Query", "WHIch", "STATUS", "OPTIONS", "SHOW"},
		Usage: "[list | *]",
		Doc:   "How your address is on a list, or on all lists here.",
		fits: func(j *job, _ string, args []string) bool {
			return len(args) == 0 || len(args) == 1 && (args[0] == "*" || j.listNamed(args[0]) != nil || j.mail.List == nil)
		},
		run: runQuery,
	}
}

// runQuery tells an address about itself. The answer goes to that address, so it
// tells nobody else anything.
func runQuery(ctx context.Context, j *job, c call) (result, error) {
	list := j.mail.List
	if len(c.args) == 1 && c.args[0] != "*" {
		if list = j.listNamed(c.args[0]); list == nil {
			return j.whichList(c), nil
		}
	}
	if c.verb == "WHICH" || len(c.args) == 1 && c.args[0] == "*" {
		list = nil
	}
	subs, err := j.s.Store.SubscriptionsOf(ctx, []string{j.mail.From.Key()})
	if err != nil {
		return result{}, err
	}
	all, err := j.s.Store.Lists(ctx)
	if err != nil {
		return result{}, err
	}
	var out []string
	for i := range all {
		l := &all[i]
		for k := range subs {
			if subs[k].ListID == l.ID && (l.Domain == j.mail.Domain && list == nil || list != nil && l.ID == list.ID) {
				out = append(out, describe(l, &subs[k]))
			}
		}
	}
	if len(out) == 0 {
		where := "any of the lists here"
		if list != nil {
			where = address.ForPeople(list.Address())
		}
		return result{text: "The address " + j.mail.From.Unicode() + " is not on " + where + ".\n" +
			"If posts reach you all the same, they are sent to another address of yours; look for Delivered-To in the header of a post."}, nil
	}
	return result{text: strings.Join(out, "\n\n")}, nil
}

func describe(l *model.List, s *model.Subscriber) string {
	rows := [][2]string{{"Address:", address.ForPeople(s.Email)}, {"Name:", s.Name}, {"Since:", s.BeganAt.Time().Format("2 January 2006")},
		{"Posts:", delivery(s)}, {"Also:", staffRoles(s)}, {"Leave:", address.ForPeople(l.Sub("leave"))}}
	out := address.ForPeople(l.Address())
	for _, r := range rows {
		if r[1] != "" {
			out += "\n    " + r[0] + strings.Repeat(" ", 10-len(r[0])) + r[1]
		}
	}
	return out
}

func delivery(s *model.Subscriber) string {
	switch {
	case !s.Has(model.RoleSubscriber):
		return "none, you are not subscribed"
	case s.DeliveryStatus == model.DeliveryOffBySubscriber:
		return "off"
	case s.DeliveryStatus == model.DeliveryOffByBounces:
		return "off, because mail to you came back"
	case s.DeliveryStatus == model.DeliveryOffByModerator:
		return "off, by those who run the list"
	}
	return "each one as it comes"
}

func staffRoles(s *model.Subscriber) string {
	var out []string
	for _, r := range []struct {
		role model.Role
		word string
	}{{model.RoleOwner, "owner"}, {model.RoleModerator, "moderator"}, {model.RoleEditor, "editor"}} {
		if s.Has(r.role) {
			out = append(out, r.word)
		}
	}
	return strings.Join(out, ", ")
}
