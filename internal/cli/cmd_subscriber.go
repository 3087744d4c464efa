package cli

import (
	"fmt"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

type subscriberCmd struct {
	Add    subscriberAddCmd    `cmd:"" help:"Add a person at once, without a confirmation."`
	Rm     subscriberRmCmd     `cmd:"" help:"Take a person off a list."`
	Ls     subscriberLsCmd     `cmd:"" help:"The people of a list."`
	Set    subscriberSetCmd    `cmd:"" help:"Change a person's options: KEY=VALUE ..."`
	Import subscriberImportCmd `cmd:"" help:"Add people from a CSV file."`
}

var roles = map[string]model.Role{ //nolint:gochecknoglobals // a constant table
	"subscriber": model.RoleSubscriber, "moderator": model.RoleModerator, "owner": model.RoleOwner, "editor": model.RoleEditor,
}

type subscriberAddCmd struct {
	List  string   `arg:"" help:"The list's address."`
	Email string   `arg:"" help:"The person's address."`
	Name  string   `arg:"" optional:"" help:"The person's name."`
	Role  []string `default:"subscriber" help:"subscriber, moderator, owner or editor; may be repeated."`
	Set   []string `sep:"none" placeholder:"KEY=VALUE" help:"An option; may be repeated."`
}

// Run adds the person; who is there gets the role in addition.
func (c *subscriberAddCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	var set model.Role
	for _, r := range c.Role {
		bit, ok := roles[r]
		if !ok {
			return wrong("%q is no role; say subscriber, moderator, owner or editor", r)
		}
		set |= bit
	}
	s := &model.Subscriber{ListID: l.ID, Email: a.String(), EmailKey: a.Key(), Name: c.Name, Roles: set, Consent: "added on the command line"}
	if err := applyOptions(s, c.Set); err != nil {
		return err
	}
	fresh, err := p.Membership.Add(e.ctx, l, s, "cli")
	if err != nil {
		return err
	}
	if !fresh {
		fmt.Fprintf(e.out, "%s was on %s already; roles were added\n", s.Email, l.Address())
	}
	return nil
}

// applyOptions sets a person's options from KEY=VALUE words.
func applyOptions(s *model.Subscriber, pairs []string) error {
	for _, p := range pairs {
		key, value, ok := strings.Cut(p, "=")
		if !ok {
			return wrong("%q is not KEY=VALUE", p)
		}
		if err := membership.SetOption(s, strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}

type subscriberRmCmd struct {
	List  string `arg:"" help:"The list's address."`
	Email string `arg:"" help:"The person's address."`
}

// Run ends the subscription; the person gets no letter.
func (c *subscriberRmCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	l, _, err := findPerson(e, p, c.List, c.Email)
	if err != nil {
		return err
	}
	a, _ := address.Parse(c.Email)
	return p.Membership.Remove(e.ctx, l, a, "cli")
}

// findPerson gives a list and one of its people.
func findPerson(e *env, p *app.App, list, email string) (*model.List, *model.Subscriber, error) {
	l, err := findList(e, p, list)
	if err != nil {
		return nil, nil, err
	}
	a, err := address.Parse(email)
	if err != nil {
		return nil, nil, err
	}
	s, err := p.Store.FindSubscriber(e.ctx, l.ID, a.Key())
	if err == nil && s == nil {
		err = fault.New(fault.NotFound, "%s is not on %s", email, l.Address())
	}
	return l, s, err
}

type subscriberLsCmd struct {
	List string `arg:"" help:"The list's address."`
	JSON bool   `help:"One JSON object a line."`
}

type subscriberRow struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Roles    string `json:"roles"`
	Delivery string `json:"delivery"`
	Since    string `json:"since"`
}

const listBatch = 1000

// Run prints the people in the order they joined.
func (c *subscriberLsCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	var out []subscriberRow
	for after := int64(0); ; {
		batch, err := p.Store.SubscribersOf(e.ctx, l.ID, ^model.Role(0), after, listBatch)
		if err != nil {
			return err
		}
		for i := range batch {
			s := &batch[i]
			after = s.ID
			out = append(out, subscriberRow{s.Email, s.Name, roleNames(s.Roles), deliveryNames[s.DeliveryStatus], s.BeganAt.Time().Format("2006-01-02")})
		}
		if len(batch) < listBatch {
			break
		}
	}
	return rows(e, c.JSON, out, "ADDRESS NAME ROLES DELIVERY SINCE", func(r subscriberRow) []any {
		return []any{r.Email, r.Name, r.Roles, r.Delivery, r.Since}
	})
}

var deliveryNames = [...]string{"on", "off", "off (bounces)", "off (moderator)"} //nolint:gochecknoglobals // a constant table

func roleNames(r model.Role) string {
	var out []string
	for _, name := range []string{"subscriber", "moderator", "owner", "editor"} {
		if r&roles[name] != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

type subscriberSetCmd struct {
	List  string   `arg:"" help:"The list's address."`
	Email string   `arg:"" help:"The person's address."`
	Set   []string `arg:"" help:"KEY=VALUE ...: name, roles, delivery (on, off), moderation (default, accept, hold, reject, discard)." placeholder:"KEY=VALUE"`
}

// Run changes a person's options.
func (c *subscriberSetCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	_, s, err := findPerson(e, p, c.List, c.Email)
	if err != nil {
		return err
	}
	if err := applyOptions(s, c.Set); err != nil {
		return err
	}
	return p.Store.SaveSubscriber(e.ctx, s)
}
