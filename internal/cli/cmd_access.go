package cli

import (
	"fmt"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/mail/address"
)

// accessCmd: `plenary access EMAIL` alone makes an app password.
type accessCmd struct {
	New accessNewCmd `cmd:"" default:"withargs" help:"Make an app password for mail programs and print it once; new may be left out."`
	Ls  accessLsCmd  `cmd:"" help:"The app passwords of a person: what for, when made, last use."`
	Rm  accessRmCmd  `cmd:"" help:"Take an app password back."`
}

type accessNewCmd struct {
	Email string `arg:"" optional:"" help:"The person's address."` // optional, so that access alone can say what there is
	Label string `default:"mail client" help:"What it is for."`
}

// Run makes an app password and prints it; only its hash is kept.
func (c *accessNewCmd) Run(e *env) error {
	if c.Email == "" {
		return wrong("say for whom: plenary access EMAIL makes an app password; or say one of new, ls, rm")
	}
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	secret, err := p.Auth.NewAppPassword(e.ctx, a, c.Label)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.out, secret)
	return nil
}

func revokeAll(e *env, a address.Address) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	n, err := p.Auth.RevokeAll(e.ctx, a)
	if err == nil {
		fmt.Fprintf(e.out, "%s revoked; %s has none now\n", app.Counted(int64(n), "app password", "app passwords"), a)
	}
	return err
}

type accessLsCmd struct {
	Email string `arg:"" help:"The person's address."`
	JSON  bool   `help:"One JSON object a line."`
}

type accessRow struct {
	ID    int64  `json:"id"`
	Label string `json:"label"`
	Made  string `json:"made"`
	Used  string `json:"used"` // empty: never
}

// Run prints the app passwords that work, without anything secret.
func (c *accessLsCmd) Run(e *env) error {
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	all, err := p.Auth.AppPasswords(e.ctx, a)
	if err != nil {
		return err
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintf(e.out, "%s has no app password; plenary access %s makes one\n", a, a)
		return nil
	}
	var out []accessRow
	for i := range all {
		out = append(out, accessRow{all[i].ID, all[i].Label, clock(all[i].CreatedAt), clock(all[i].UsedAt)})
	}
	return rows(e, c.JSON, out, "ID LABEL MADE USED", func(r accessRow) []any {
		if r.Used == "" {
			r.Used = "never"
		}
		return []any{r.ID, r.Label, r.Made, r.Used}
	})
}

type accessRmCmd struct {
	Email string `arg:"" help:"The person's address."`
	ID    int64  `arg:"" optional:"" help:"Its number in plenary access ls."`
	All   bool   `help:"All of this person's."`
}

// Run takes one app password back, or all.
func (c *accessRmCmd) Run(e *env) error {
	if c.All == (c.ID != 0) {
		return wrong("say which one: its number in plenary access ls %s, or --all", oneLine(c.Email))
	}
	a, err := address.Parse(c.Email)
	if err != nil {
		return err
	}
	if c.All {
		return revokeAll(e, a)
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	all, err := p.Auth.AppPasswords(e.ctx, a)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].ID == c.ID {
			return p.Auth.Revoke(e.ctx, a, c.ID)
		}
	}
	return fault.New(fault.NotFound, "%s has no app password %d that works; plenary access ls %s shows them", a.Unicode(), c.ID, a.Unicode())
}
