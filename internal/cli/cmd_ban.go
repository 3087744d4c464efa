package cli

import (
	"fmt"
	"time"

	"plenary/internal/app"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

type banCmd struct {
	Ls  banLsCmd  `cmd:"" help:"All bans, or those that hold on a list."`
	Add banAddCmd `cmd:"" help:"Ban an address, a domain or a pattern, from a list or from all."`
	Rm  banRmCmd  `cmd:"" help:"Lift a ban."`
}

// banScope chooses a list or all of them; one of the two must be said.
type banScope struct {
	List string `narrow:"" xor:"scope" help:"On this list; say one of --list and --site." placeholder:"ADDRESS"`
	Site bool   `xor:"scope" help:"On all lists."`
}

// check refuses a call that says neither. Were the flags required in the grammar, the
// help would read as if both had to be given.
func (b *banScope) check() error {
	if b.List == "" && !b.Site {
		return wrong("say one of --list=ADDRESS and --site")
	}
	return nil
}

// find gives the list, nil for all.
func (b *banScope) find(e *env, p *app.App) (*model.List, error) {
	if b.Site {
		return nil, nil
	}
	return findList(e, p, b.List)
}

type banAddCmd struct {
	Pattern string `arg:"" help:"An address, a whole domain as @example.org, or a pattern such as *@*.example.org."`
	banScope
	Reason string `help:"Why; for the people who run the list."`
	Until  string `narrow:"" xor:"end" help:"The day on which the ban ends, as 2026-12-31; never unless given." placeholder:"DATE"`
	Days   *int   `xor:"end" help:"For so many days." placeholder:"N"`
	Remove bool   `help:"Also take those off who are on the list (on any list with --site); they get no letter."`
}

// Run bans.
func (c *banAddCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	ban := model.Ban{Pattern: c.Pattern, Reason: c.Reason, CreatedBy: "cli"}
	switch {
	case c.Days != nil && *c.Days < 1:
		return wrong("--days must be at least 1")
	case c.Days != nil:
		ban.ExpiresAt = model.At(time.Now().AddDate(0, 0, *c.Days))
	case c.Until != "":
		day, err := time.Parse(time.DateOnly, c.Until)
		if err != nil {
			return wrong("%q is no day such as 2026-12-31", c.Until)
		}
		ban.ExpiresAt = model.At(day)
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	l, err := c.find(e, p)
	if err != nil {
		return err
	}
	made, err := p.Membership.Ban(e.ctx, l, ban)
	if err != nil {
		return err
	}
	where := "all lists"
	if l != nil {
		where = l.Address()
	}
	fmt.Fprintf(e.out, "%s is banned from %s\n", made.Pattern, where)
	return c.members(e, p, made)
}

// members takes those off whom the ban means, or says that they are still on:
// a ban keeps people from posting and joining, not from reading.
func (c *banAddCmd) members(e *env, p *app.App, ban *model.Ban) error {
	lists, err := p.Store.Lists(e.ctx)
	if err != nil {
		return err
	}
	subs, err := p.Membership.Banned(e.ctx, ban, lists)
	if err != nil {
		return err
	}
	for i := range subs {
		for j := range lists {
			if lists[j].ID != subs[i].ListID {
				continue
			}
			if !c.Remove {
				fmt.Fprintf(e.out, "%s is still on %s and gets its posts; plenary subscriber rm, or --remove, takes it off\n", subs[i].Email, lists[j].Address())
				continue
			}
			a, err := address.Parse(subs[i].Email)
			if err != nil {
				return err
			}
			if err := p.Membership.Remove(e.ctx, &lists[j], a, "cli"); err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s was taken off %s\n", subs[i].Email, lists[j].Address())
		}
	}
	return nil
}

type banRmCmd struct {
	Pattern string `arg:"" help:"As plenary ban ls shows it."`
	banScope
}

// Run lifts a ban.
func (c *banRmCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	l, err := c.find(e, p)
	if err != nil {
		return err
	}
	return p.Membership.Unban(e.ctx, l, c.Pattern, "cli")
}

type banLsCmd struct {
	List string `arg:"" optional:"" help:"Only what holds on this list now."`
	JSON bool   `help:"One JSON object a line."`
}

type banRow struct {
	List    string `json:"list"` // empty: all lists
	Pattern string `json:"pattern"`
	Reason  string `json:"reason"`
	By      string `json:"by"`
	Since   string `json:"since"`
	Until   string `json:"until"` // empty: for good
	Over    bool   `json:"over"`
}

// Run prints bans: without a list also those that are over.
func (c *banLsCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	var bans []model.Ban
	if c.List == "" {
		bans, err = p.Store.AllBans(e.ctx)
	} else {
		l, ferr := findList(e, p, c.List)
		if ferr != nil {
			return ferr
		}
		bans, err = p.Store.Bans(e.ctx, l.ID)
	}
	if err != nil {
		return err
	}
	lists, err := p.Store.Lists(e.ctx)
	if err != nil {
		return err
	}
	names := map[int64]string{}
	for i := range lists {
		names[lists[i].ID] = lists[i].Address()
	}
	var out []banRow
	for _, b := range bans {
		row := banRow{List: names[b.ListID], Pattern: b.Pattern, Reason: b.Reason, By: b.CreatedBy, Since: b.CreatedAt.Time().Format(time.DateOnly)}
		if !b.ExpiresAt.IsZero() {
			row.Until, row.Over = clock(b.ExpiresAt), b.ExpiresAt <= model.At(time.Now())
		}
		out = append(out, row)
	}
	return rows(e, c.JSON, out, "LIST PATTERN SINCE UNTIL BY REASON", func(r banRow) []any {
		list, until := r.List, r.Until
		if list == "" {
			list = "(all)"
		}
		switch {
		case r.Over:
			until += " (over)"
		case until == "":
			until = "for good"
		}
		return []any{list, r.Pattern, r.Since, until, r.By, r.Reason}
	})
}
