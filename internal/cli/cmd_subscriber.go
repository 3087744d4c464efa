package cli

import (
	"fmt"

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
		more, ok := membership.ParseRoles(r)
		if !ok {
			return wrong("%q is no role; there are %s", r, membership.RoleNames(^model.Role(0)))
		}
		set |= more
	}
	s := &model.Subscriber{ListID: l.ID, Email: a.String(), EmailKey: a.Key(), Name: c.Name, Roles: set, Consent: "added on the command line"}
	options, err := pairs(c.Set)
	if err != nil {
		return err
	}
	for _, o := range options {
		if err := membership.SetOption(s, o, "cli"); err != nil {
			return err
		}
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

type subscriberRmCmd struct {
	List  string `arg:"" help:"The list's address."`
	Email string `arg:"" help:"The person's address."`
}

// Run ends the subscription; the person gets no letter.
func (c *subscriberRmCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	return p.Membership.Remove(e.ctx, l, a, "cli")
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
	delivery, err := membership.FindOption("delivery")
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
			out = append(out, subscriberRow{s.Email, s.Name, membership.RoleNames(s.Roles), delivery.Get(s), s.BeganAt.Time().Format("2006-01-02")})
		}
		if len(batch) < listBatch {
			break
		}
	}
	return rows(e, c.JSON, out, "ADDRESS NAME ROLES DELIVERY SINCE", func(r subscriberRow) []any {
		return []any{r.Email, r.Name, r.Roles, r.Delivery, r.Since}
	})
}

type subscriberSetCmd struct {
	List  string   `arg:"" help:"The list's address."`
	Email string   `arg:"" help:"The person's address."`
	Set   []string `arg:"" help:"KEY=VALUE ...: name, roles, delivery (on, off), moderation (default, accept, hold, reject, discard)." placeholder:"KEY=VALUE"`
}

// Run changes a person's options.
func (c *subscriberSetCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	values, err := pairs(c.Set)
	if err != nil {
		return err
	}
	return p.Membership.Set(e.ctx, l, a, values, "cli")
}
