package cli

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/store"
)

type queueCmd struct {
	Status queueStatusCmd `cmd:"" help:"What waits, and how old it is."`
	Retry  queueRetryCmd  `cmd:"" help:"Try what waits for its next attempt now."`
	Pause  queuePauseCmd  `cmd:"" help:"Send nothing until resume."`
	Resume queueResumeCmd `cmd:"" help:"Go on, also with what was too old after a restart."`
	Cancel queueCancelCmd `cmd:"" help:"Give a distribution up: who has no copy yet gets none."`
	Limits queueLimitsCmd `cmd:"" help:"The built-in table of what providers of mailboxes bear, to begin a file of your own with."`
}

// queueScope chooses a part of the queue.
type queueScope struct {
	List         string `narrow:"" xor:"scope" help:"Only this list." placeholder:"ADDRESS"`
	Distribution int64  `narrow:"" xor:"scope" help:"Only this distribution." placeholder:"ID"`
	Destination  string `narrow:"" xor:"scope" aliases:"domain" help:"Only recipients of this domain, or of the mail hosts under this name." placeholder:"DOMAIN"`
}

func (q *queueScope) find(e *env) (store.QueueScope, error) {
	scope := store.QueueScope{DistributionID: q.Distribution}
	if q.Destination != "" {
		if scope.Destination = destination(q.Destination); scope.Destination == "" {
			return scope, wrong("%q is no domain, and no relay", q.Destination)
		}
	}
	if q.List == "" {
		return scope, nil
	}
	p, err := e.app()
	if err != nil {
		return scope, err
	}
	l, err := findList(e, p, q.List)
	if err == nil {
		scope.ListID = l.ID
	}
	return scope, err
}

// destination gives the name under which the queue knows a domain, or a relay as
// host:port, address or [address]; empty: it is none of them.
func destination(text string) string {
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil {
		return ip.String()
	}
	if host, port, err := net.SplitHostPort(text); err == nil && host != "" && port != "" {
		if ip, err := netip.ParseAddr(host); err == nil {
			host = ip.String()
		}
		return net.JoinHostPort(strings.ToLower(host), port)
	}
	if a, err := address.Parse("x@" + text); err == nil {
		return a.Domain
	}
	return ""
}

type queueRetryCmd struct{ queueScope }

// Run makes waiting copies due now.
func (c *queueRetryCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	scope, err := c.find(e)
	if err != nil {
		return err
	}
	if err := knownDistribution(e, p, scope); err != nil {
		return err
	}
	n, err := p.Store.RetryNow(e.ctx, scope)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s will be tried now\n", app.Counted(n, "copy", "copies"))
	if err := c.tellStopped(e, p, scope); err != nil {
		return err
	}
	if scope.Destination != "" {
		return nil
	}
	return tellPaused(e, p, scope)
}

// tellStopped says what a retry waits for: a person has paused everything, or the list
// or destination.
func (c *queueRetryCmd) tellStopped(e *env, p *app.App, scope store.QueueScope) error {
	st, err := p.Store.QueueStops(e.ctx)
	if err != nil {
		return err
	}
	list := scope.ListID
	if scope.DistributionID != 0 {
		d, err := p.Store.GetDistribution(e.ctx, scope.DistributionID)
		if err != nil {
			return err
		}
		list = d.ListID
	}
	if st.All {
		fmt.Fprintln(e.out, "but everything is paused: they wait for plenary queue resume")
	}
	if list != 0 && slices.Contains(st.Lists, list) {
		l, err := p.Store.GetList(e.ctx, list)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "but the list is paused: they wait for plenary queue resume --list %s\n", l.Address())
	}
	if slices.Contains(st.Paused, scope.Destination) {
		fmt.Fprintf(e.out, "but the destination is paused: they wait for plenary queue resume --destination %s\n", scope.Destination)
	}
	return nil
}

// pausedShown is how many paused distributions are named one by one.
const pausedShown = 10

// tellPaused says which distributions a retry leaves alone.
func tellPaused(e *env, p *app.App, scope store.QueueScope) error {
	paused, err := p.Store.PausedDistributions(e.ctx, scope, pausedShown+1)
	if err != nil {
		return err
	}
	for i, d := range paused {
		if i == pausedShown {
			fmt.Fprintln(e.out, "more distributions are paused: see plenary queue status")
			break
		}
		why := ""
		if d.Why != "" {
			why = " (" + oneLine(d.Why) + ")"
		}
		fmt.Fprintf(e.out, "distribution %d is paused%s and is not tried; plenary queue resume --distribution %d goes on\n", d.ID, why, d.ID)
	}
	return nil
}

// knownDistribution refuses a number that no distribution has.
func knownDistribution(e *env, p *app.App, scope store.QueueScope) error {
	if scope.DistributionID == 0 {
		return nil
	}
	_, err := p.Store.GetDistribution(e.ctx, scope.DistributionID)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "there is no distribution %d; plenary queue status shows those that are not finished", scope.DistributionID)
	}
	return err
}

// what names the part of the queue in a sentence, and as the flag that chooses it.
func (q *queueScope) what() (words, flag string) {
	switch {
	case q.List != "":
		return " for " + q.List, " --list " + q.List
	case q.Distribution != 0:
		return fmt.Sprint(" of distribution ", q.Distribution), fmt.Sprint(" --distribution ", q.Distribution)
	case q.Destination != "":
		return " to " + q.Destination, " --destination " + q.Destination
	}
	return "", ""
}

type queuePauseCmd struct{ queueScope }

// Run pauses.
func (c *queuePauseCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	scope, err := c.find(e)
	if err != nil {
		return err
	}
	if err := knownDistribution(e, p, scope); err != nil {
		return err
	}
	err = p.Store.PauseQueue(e.ctx, scope, "cli")
	if err == nil {
		words, flag := c.what()
		fmt.Fprintf(e.out, "sending%s is paused, copies on the way are finished; plenary queue resume%s goes on\n", oneLine(words), oneLine(flag))
	}
	return err
}

type queueResumeCmd struct{ queueScope }

// Run resumes.
func (c *queueResumeCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	scope, err := c.find(e)
	if err != nil {
		return err
	}
	if err := knownDistribution(e, p, scope); err != nil {
		return err
	}
	before, err := p.Store.QueueStatus(e.ctx, 0)
	if err != nil {
		return err
	}
	n, err := p.Store.ResumeQueue(e.ctx, scope, "cli")
	if err != nil {
		return err
	}
	paused := scope == store.QueueScope{} && before.Paused != "" || slices.Contains(before.PausedTo, scope.Destination) ||
		slices.Contains(before.PausedLists, scope.ListID)
	words, _ := c.what()
	switch {
	case paused || n == 1 && c.Distribution != 0:
		fmt.Fprintf(e.out, "sending%s goes on\n", oneLine(words))
	case n == 0:
		fmt.Fprintf(e.out, "sending%s was not paused\n", oneLine(words))
	}
	if n > 0 && c.Distribution == 0 {
		fmt.Fprintf(e.out, "distributions that were too old to go by themselves, and go on: %d\n", n)
	}
	return nil
}

type queueCancelCmd struct {
	Distribution int64 `arg:"" help:"Its number in plenary queue status."`
}

// Run ends a distribution.
func (c *queueCancelCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	if err := knownDistribution(e, p, store.QueueScope{DistributionID: c.Distribution}); err != nil {
		return err
	}
	if err := p.Store.CancelDistribution(e.ctx, c.Distribution, "cli"); err != nil {
		return err
	}
	q, err := p.Store.QueueEntryOf(e.ctx, c.Distribution)
	if err == nil {
		fmt.Fprintf(e.out, "distribution %d is cancelled: %d of %d had their copy\n", q.ID, q.Sent, q.Audience)
	}
	return err
}
