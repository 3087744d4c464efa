package cli

import (
	"fmt"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/settings"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

type listCmd struct {
	Create listCreateCmd `cmd:"" help:"Make a list."`
	Ls     listLsCmd     `cmd:"" help:"All lists."`
	Show   listShowCmd   `cmd:"" help:"A list's settings."`
	Set    listSetCmd    `cmd:"" help:"Change settings: KEY=VALUE ..."`
	Rm     listRmCmd     `cmd:"" help:"Remove a list with its people and its archive."`
}

type listCreateCmd struct {
	Address string   `arg:"" help:"The posting address."`
	Kind    string   `enum:"discussion,announcement,newsletter" default:"discussion" help:"discussion, announcement or newsletter."`
	Set     []string `sep:"none" placeholder:"KEY=VALUE" help:"A setting; may be repeated."`
}

var kinds = map[string]model.ListKind{"discussion": model.Discussion, "announcement": model.Announcement, "newsletter": model.Newsletter} //nolint:gochecknoglobals // a constant table

// Run makes the list.
func (c *listCreateCmd) Run(e *env) error {
	a, err := address.Parse(c.Address)
	if err != nil {
		return err
	}
	key, err := address.Parse(a.Key())
	if err != nil {
		return err
	}
	if err := settings.CheckAddress(key.Local, key.Domain); err != nil { // a wrong call opens no database
		return err
	}
	l := settings.New(kinds[c.Kind], key.Local, key.Domain)
	values, err := pairs(c.Set)
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := settings.Set(l, v.Key, v.Value); err != nil {
			return err
		}
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	if err := settings.Create(e.ctx, p.Store, l, "cli"); err != nil {
		return err
	}
	if ascii := (address.Address{Local: l.Local, Domain: l.Domain}).Compatible().String(); ascii != l.Address() {
		fmt.Fprintf(e.out, "Who cannot write that address reaches the list as %s.\n", ascii)
	}
	fmt.Fprintf(e.out, "%s is there. Next: plenary subscriber add %s YOU@EXAMPLE --role owner --role subscriber\n", l.Address(), l.Address())
	return nil
}

// pairs reads KEY=VALUE words.
func pairs(words []string) ([]model.Pair, error) {
	var out []model.Pair
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, wrong("%q is not KEY=VALUE", w)
		}
		out = append(out, model.Pair{Key: strings.TrimSpace(key), Value: value})
	}
	return out, nil
}

// list opens the program and finds the list with this posting address.
func (e *env) list(text string) (*app.App, *model.List, error) {
	p, err := e.app()
	if err != nil {
		return nil, nil, err
	}
	l, err := findList(e, p, text)
	return p, l, err
}

// findList gives the list with this posting address.
func findList(e *env, p *app.App, text string) (*model.List, error) {
	a, err := address.Parse(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "a list is named by its posting address")
	}
	key, err := address.Parse(a.Key())
	if err != nil {
		return nil, err
	}
	l, err := p.Store.FindList(e.ctx, address.UnicodeName(key.Local), key.Domain)
	if err == nil && l == nil {
		err = fault.New(fault.NotFound, "there is no list %s; plenary list ls shows all", text)
	}
	return l, err
}

type listLsCmd struct {
	JSON bool `help:"One JSON object a line."`
}

type listRow struct {
	Address     string `json:"address"`
	Kind        string `json:"kind"`
	Subscribers int64  `json:"subscribers"`
	Description string `json:"description"`
}

// Run prints all lists.
func (c *listLsCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	lists, err := p.Store.Lists(e.ctx)
	if err != nil {
		return err
	}
	var out []listRow
	for i := range lists {
		n, err := p.Store.CountSubscribers(e.ctx, lists[i].ID)
		if err != nil {
			return err
		}
		out = append(out, listRow{lists[i].Address(), kindName(lists[i].Kind), n, lists[i].Description})
	}
	return rows(e, c.JSON, out, "LIST KIND SUBSCRIBERS DESCRIPTION", func(r listRow) []any {
		return []any{r.Address, r.Kind, r.Subscribers, r.Description}
	})
}

func kindName(k model.ListKind) string {
	for name, v := range kinds {
		if v == k {
			return name
		}
	}
	return "unknown"
}

type listShowCmd struct {
	List string `arg:"" help:"The list's address."`
	JSON bool   `help:"One JSON object a line."`
}

type settingRow struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Run prints every setting.
func (c *listShowCmd) Run(e *env) error {
	_, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	var out []settingRow
	for _, s := range settings.Table() {
		out = append(out, settingRow{s.Key, s.Get(l)})
	}
	return rows(e, c.JSON, out, "SETTING VALUE", func(r settingRow) []any { return []any{r.Key, r.Value} })
}

type listSetCmd struct {
	List string   `arg:"" help:"The list's address."`
	Set  []string `arg:"" help:"KEY=VALUE ...; plenary list show prints all keys." placeholder:"KEY=VALUE"`
}

// Run changes settings, all or none.
func (c *listSetCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	values, err := pairs(c.Set)
	if err != nil {
		return err
	}
	return settings.Change(e.ctx, p.Store, l, values, "cli")
}

type listRmCmd struct {
	List string `arg:"" help:"The list's address."`
	Yes  bool   `help:"Really; the archive goes too."`
}

// Run removes the list.
func (c *listRmCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	if !c.Yes {
		return wrong("this removes %s with its subscribers and its whole archive; say --yes", l.Address())
	}
	return settings.Remove(e.ctx, p.Store, l, "cli")
}
