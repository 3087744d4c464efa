package cli

import (
	"fmt"
	"net"
	"time"

	"plenary/internal/list/keys"
	"plenary/internal/mail/mailauth"
)

type dkimCmd struct {
	Create   dkimCreateCmd   `cmd:"" help:"Make a domain's first DKIM key and print its DNS record."`
	Ls       dkimLsCmd       `cmd:"" help:"All keys, or a domain's with their DNS records."`
	Activate dkimActivateCmd `cmd:"" help:"Sign with new keys, once the DNS has their records."`
	Rotate   dkimRotateCmd   `cmd:"" help:"Make new keys; the old ones sign until the new are activated."`
	Rm       dkimRmCmd       `cmd:"" help:"Forget a key."`
}

// dkimKeys is the service behind the verbs.
func dkimKeys(e *env) (*keys.Service, error) {
	p, err := e.app()
	if err != nil {
		return nil, err
	}
	return keys.New(keys.Deps{Store: p.Store, LookupTXT: net.DefaultResolver.LookupTXT}), nil
}

// dkimRequest is what create and rotate ask alike.
type dkimRequest struct {
	Domain   string        `arg:"" help:"The domain of the lists."`
	Selector string        `help:"Name of the key; after the quarter, such as 2026q4, unless given." placeholder:"NAME"`
	Ed25519  bool          `name:"ed25519" help:"An Ed25519 key too (RFC 8463), besides RSA."`
	After    time.Duration `help:"Sign with it after this time, such as 48h, without asking again; only after plenary dkim activate unless given." placeholder:"DURATION"`
	JSON     bool          `help:"One JSON object a line."`
}

func (r *dkimRequest) request() keys.Request {
	return keys.Request{Domain: r.Domain, Selector: r.Selector, Ed25519: r.Ed25519, After: r.After}
}

// show prints new keys and what to do next.
func (r *dkimRequest) show(e *env, made []keys.Info) error {
	if r.JSON {
		return dkimRows(e, true, made)
	}
	printRecords(e, made)
	if r.After > 0 {
		fmt.Fprintf(e.out, "Put this into the DNS. It is signed with from %s on.\n", made[0].ActiveAt.Time().Format(time.RFC3339))
		return nil
	}
	fmt.Fprintf(e.out, "Put this into the DNS. Then: plenary dkim activate %s\n", made[0].Domain)
	return nil
}

type dkimCreateCmd struct{ dkimRequest }

// Run makes the first keys.
func (c *dkimCreateCmd) Run(e *env) error {
	s, err := dkimKeys(e)
	if err != nil {
		return err
	}
	made, err := s.Create(e.ctx, c.request())
	if err != nil {
		return err
	}
	return c.show(e, made)
}

type dkimRotateCmd struct{ dkimRequest }

// Run makes the next keys.
func (c *dkimRotateCmd) Run(e *env) error {
	s, err := dkimKeys(e)
	if err != nil {
		return err
	}
	made, err := s.Rotate(e.ctx, c.request())
	if err != nil {
		return err
	}
	return c.show(e, made)
}

type dkimLsCmd struct {
	Domain string `arg:"" optional:"" help:"Only this domain, with the DNS records."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run prints the keys.
func (c *dkimLsCmd) Run(e *env) error {
	s, err := dkimKeys(e)
	if err != nil {
		return err
	}
	all, err := s.List(e.ctx, c.Domain)
	if err != nil {
		return err
	}
	if err := dkimRows(e, c.JSON, all); err != nil || c.JSON || c.Domain == "" || len(all) == 0 {
		return err
	}
	fmt.Fprintln(e.out)
	printRecords(e, all)
	return nil
}

type dkimActivateCmd struct {
	Domain   string `arg:"" help:"The domain."`
	Selector string `narrow:"" help:"Only this key; all that wait unless given." placeholder:"NAME"`
	Force    bool   `help:"Do not ask the DNS."`
}

// Run makes waiting keys sign.
func (c *dkimActivateCmd) Run(e *env) error {
	s, err := dkimKeys(e)
	if err != nil {
		return err
	}
	done, err := s.Activate(e.ctx, c.Domain, c.Selector, c.Force)
	if err != nil {
		return err
	}
	for _, k := range done {
		fmt.Fprintf(e.out, "%s signs; a running service takes it within %s\n", k.Name, keys.Refresh)
	}
	all, err := s.List(e.ctx, c.Domain)
	for _, k := range all {
		if k.State == keys.Replaced {
			fmt.Fprintf(e.out, "%s is replaced: keep its DNS record until %s, then plenary dkim rm %s %s\n",
				k.Name, k.Until.Format(time.DateOnly), k.Domain, k.Selector)
		}
	}
	return err
}

type dkimRmCmd struct {
	Domain   string `arg:"" help:"The domain."`
	Selector string `arg:"" help:"The key's name, as plenary dkim ls shows it."`
	Yes      bool   `help:"Really, although it signs."`
}

// Run forgets a key.
func (c *dkimRmCmd) Run(e *env) error {
	s, err := dkimKeys(e)
	if err != nil {
		return err
	}
	gone, err := s.Remove(e.ctx, c.Domain, c.Selector, c.Yes)
	if err != nil {
		return err
	}
	switch until := gone.Until; gone.State {
	case keys.Signing:
		until = time.Now().Add(keys.Overlap)
		fallthrough
	case keys.Replaced:
		fmt.Fprintf(e.out, "%s is gone. Mail it signed may still be on its way: keep the DNS record until %s\n", gone.Name, until.Format(time.DateOnly))
	case keys.Waiting:
		fmt.Fprintf(e.out, "%s is gone. It signed nothing: its DNS record is not needed\n", gone.Name)
	}
	return nil
}

// dkimRow is a key as listings show it.
type dkimRow struct {
	Domain    string     `json:"domain"`
	Selector  string     `json:"selector"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	Created   time.Time  `json:"created"`
	Active    *time.Time `json:"active,omitempty"`      // from when on it signs
	Until     *time.Time `json:"neededUntil,omitempty"` // replaced: how long the record is needed
	Name      string     `json:"name"`
	Record    string     `json:"record"`
}

func dkimRows(e *env, asJSON bool, all []keys.Info) error {
	some := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	var out []dkimRow
	for _, k := range all {
		out = append(out, dkimRow{k.Domain, k.Selector, k.Algorithm.String(), k.State.String(), k.CreatedAt.Time(),
			some(k.ActiveAt.Time()), some(k.Until), k.Name, k.Record})
	}
	return rows(e, asJSON, out, "DOMAIN SELECTOR ALGORITHM STATE SIGNS-FROM RECORD-NEEDED-UNTIL", func(r dkimRow) []any {
		day := func(t *time.Time) string {
			if t == nil {
				return "-"
			}
			return t.Format("2006-01-02 15:04")
		}
		return []any{r.Domain, r.Selector, r.Algorithm, r.State, day(r.Active), day(r.Until)}
	})
}

// printRecords prints TXT records as a zone file has them, each in strings of
// at most 255 octets (RFC 1035 3.3).
func printRecords(e *env, all []keys.Info) {
	for _, k := range all {
		fmt.Fprintf(e.out, "%s. IN TXT (\n", k.Name)
		for _, s := range mailauth.Strings(k.Record) {
			fmt.Fprintf(e.out, "  %q\n", s)
		}
		fmt.Fprintln(e.out, ")")
	}
}
