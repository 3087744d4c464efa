// Package intake decides what mail is for, from the address it came to, and
// hands it to whoever does it: posts to list/posting, commands and answers to
// list/command, what comes back to list/bounce, mail for people to the people.
//
// The SMTP door asks twice: Accepts at RCPT, where unknown addresses, closed
// lists and invented return addresses are refused at once, so that nothing has
// to be sent back later; and Receive after the final dot, where the verdict falls
// inside the dialogue. An Outcome that is Accepted is committed.
//
// A message to several lists in one transaction is judged by each for itself.
// LMTP has a reply for each recipient. SMTP has one: when any recipient fails for
// now, the client is asked to come again, and those who took the message know it
// by its Message-ID; otherwise one acceptance makes it a 250, and what other
// lists would have refused is held by them, or told by letter to an author who
// proved who she is. Only when all refuse, the first refusal is the reply.
package intake

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/bounce"
	"plenary/internal/list/command"
	"plenary/internal/list/notify"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/token"
)

// Store finds lists and who owns an address.
type Store interface {
	FindAccount(ctx context.Context, key string) (*model.Account, error)
	FindList(ctx context.Context, local, domain string) (*model.List, error)
	Domains(ctx context.Context) ([]string, error)
	ExpectPost() (done func())
}

// Posting judges and settles posts.
type Posting interface {
	Judge(ctx context.Context, l *model.List, o *posting.Offer) (*posting.Judged, error)
	Settle(ctx context.Context, j *posting.Judged) (posting.Result, error)
	Unsaid(j *posting.Judged) *posting.Judged
	Refuse(ctx context.Context, j *posting.Judged) error
}

// Commands carries out what people ask for by mail.
type Commands interface {
	Handle(ctx context.Context, m command.Mail) error
}

// Bounces stores what comes back.
type Bounces interface {
	Known(id string) bool
	Takes(r bounce.Report) error
	Record(ctx context.Context, r bounce.Report) error
}

// Deps is what the desk stands on.
type Deps struct {
	Store    Store
	Posting  Posting
	Commands Commands
	Bounces  Bounces
	Owners   *Owners
	Tokens   *token.Keyring
	Hostname string               // our name; its postmaster is ours too
	Count    func(outcome string) // counts messages for the metrics; may be nil
	Now      func() time.Time     // nil: time.Now
	Log      *slog.Logger         // nil: silent
}

// Desk takes mail from the doors. It is safe for use by many goroutines.
type Desk struct {
	Deps
	recall recall
}

// New makes the desk.
func New(d Deps) *Desk {
	d.Hostname = strings.ToLower(d.Hostname)
	if d.Count == nil {
		d.Count = func(string) {}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{Deps: d}
}

// target is what a recipient address means.
type target struct {
	role    Role
	address address.Address // as written to
	list    *model.List     // nil: the domain's own
	token   string          // of a confirm address, or the id of a return address
	line    string          // the command the address stands for; empty: the mail is read
}

// Accepts decides about a recipient before any message is taken. Nil means yes;
// otherwise a fault: NotFound, Forbidden or Temporary.
func (d *Desk) Accepts(ctx context.Context, recipient string) error {
	t, err := d.resolve(ctx, recipient)
	if err != nil {
		return err
	}
	switch t.role {
	case RolePost:
		d.recall.keep(recipient, t)
		if t.list.Closed {
			return fault.New(fault.Forbidden, "The list %s is closed and takes no new posts.", t.list.Address())
		}
	case RoleOwner, RoleModerators, RolePostmaster:
		people, err := d.Owners.people(ctx, t)
		if err == nil && len(people) == 0 {
			err = fault.New(fault.NotFound, "Nobody reads mail to %s.", t.address)
		}
		return err
	}
	return nil
}

// resolve finds what an address means. An exact list name wins over every form.
func (d *Desk) resolve(ctx context.Context, recipient string) (target, error) {
	a, err := address.Parse(recipient)
	if err != nil {
		return target{}, fault.Wrap(fault.NotFound, err, "There is no such address here.")
	}
	t := target{address: a}
	local := strings.TrimSuffix(a.Key(), "@"+a.Domain)
	if t.list, err = d.find(ctx, local, a.Domain); err != nil || t.list != nil {
		return t, err
	}
	domains, err := d.Store.Domains(ctx)
	if err != nil {
		return target{}, err
	}
	if a.Domain != d.Hostname && !slices.Contains(domains, a.Domain) {
		return target{}, fault.New(fault.Forbidden, "This server takes no mail for %s.", a.Domain)
	}
	for _, r := range readings(local) {
		if t.list, err = d.find(ctx, r.base, a.Domain); err != nil {
			return target{}, err
		}
		if t.list != nil {
			t.role, t.token, t.line = r.role, r.token, r.line
			return t, d.known(t)
		}
	}
	var ok bool
	if t.role, t.token, ok = serverRole(local); ok {
		return t, d.known(t)
	}
	return target{}, fault.New(fault.NotFound, "There is no list and no address %s here.", recipient)
}

// find finds a list by its name, which may be written in ASCII.
func (d *Desk) find(ctx context.Context, local, domain string) (*model.List, error) {
	l, err := d.Store.FindList(ctx, local, domain)
	if name := address.UnicodeName(local); err == nil && l == nil && name != local {
		return d.Store.FindList(ctx, name, domain)
	}
	return l, err
}

// known refuses tokens and ids that were never given out. Both carry a MAC:
// guessing costs us no look-up and gets no answer.
func (d *Desk) known(t target) error {
	switch t.role {
	case RoleBounces:
		if !d.Bounces.Known(t.token) {
			return fault.New(fault.NotFound, "This return address was never used.")
		}
	case RoleConfirm:
		for _, scope := range []string{notify.ScopeJoin, notify.ScopeLeave, notify.ScopeApprove, notify.ScopeHeld} {
			if _, ok := d.Tokens.Check(scope, t.token); ok {
				return nil
			}
		}
		return fault.New(fault.NotFound, "The code in this address is not one of ours; please check that it is complete.")
	}
	return nil
}
