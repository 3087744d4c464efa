package cli

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
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

type queueStatusCmd struct {
	JSON  bool `help:"One JSON object."`
	Limit int  `default:"50" help:"Distributions and sites to show."`
	Wait  bool `help:"Wait until everything is sent, with a progress bar on a terminal."`
}

// Run prints the queue.
func (c *queueStatusCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	if c.Wait {
		if err := waitForQueue(e, p); err != nil {
			return err
		}
	}
	st, err := p.Store.QueueStatus(e.ctx, c.Limit)
	if err != nil {
		return err
	}
	out, err := queueOf(e, p, st)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(out)
	}
	if out.Paused != "" {
		fmt.Fprintf(e.out, "PAUSED by %s; plenary queue resume goes on\n", oneLine(model.Who(out.Paused)))
	}
	for _, l := range out.PausedLists {
		fmt.Fprintf(e.out, "PAUSED for %s; plenary queue resume --list %s goes on\n", l, l)
	}
	for _, to := range out.PausedTo {
		fmt.Fprintf(e.out, "PAUSED to %s; plenary queue resume --destination %s goes on\n", to, to)
	}
	for _, r := range out.Refused {
		fmt.Fprintf(e.out, "distribution %d waits: %s refuses it for reasons of policy since %s: %s; when that is mended, plenary queue retry --destination %s tries again\n",
			r.Distribution, r.Site, r.Since, oneLine(r.Reply), r.Site)
	}
	for _, n := range out.Nodes {
		fmt.Fprintf(e.out, "node %s, trouble with the way out since %s: %s\n", oneLine(n.Name), n.Since, oneLine(n.Text))
	}
	if out.Stale > 0 {
		fmt.Fprintf(e.out, "%d distributions are too old to go by themselves: plenary queue resume sends them, with --distribution ID one of them; plenary queue cancel ID gives one up\n", out.Stale)
	}
	fmt.Fprintf(e.out, "being sent %d, waiting for their last copies %d, paused %d, copies to try again %d", out.Active, out.Waiting, out.Held, out.Retries)
	if out.Oldest != "" {
		fmt.Fprintf(e.out, ", oldest from %s", out.Oldest)
	}
	fmt.Fprintln(e.out)
	if len(out.Sites) > 0 {
		if err := rows(e, false, out.Sites, "SITE HOSTS WAITING NEXT WHY", func(s queueSite) []any {
			return []any{s.Site, s.Hosts, s.Waiting, s.Next, s.Why}
		}); err != nil {
			return err
		}
	}
	if len(out.Entries) == 0 {
		return nil
	}
	return rows(e, false, out.Entries, "ID FOR LANE STATE MADE AUDIENCE SENT RETRY FAILED SKIPPED WHY", func(q queueRow) []any {
		return []any{q.ID, q.For, q.Lane, q.State, q.Made, q.Audience, q.Sent, q.Retry, q.Failed, q.Skipped, q.Why}
	})
}

// queueView is what --json prints.
type queueView struct {
	Paused      string         `json:"paused"`       // who paused everything
	PausedLists []string       `json:"paused_lists"` // addresses
	PausedTo    []string       `json:"paused_to"`    // destinations
	Refused     []queueRefusal `json:"refused"`
	Sites       []queueSite    `json:"sites"` // what copies wait for
	Active      int64          `json:"active"`
	Waiting     int64          `json:"waiting"`
	Held        int64          `json:"held"`
	Stale       int64          `json:"stale"`
	Retries     int64          `json:"retries"`
	Oldest      string         `json:"oldest"`
	Nodes       []queueNode    `json:"nodes"`
	Entries     []queueRow     `json:"entries"`
}

type queueNode struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Since string `json:"since"`
}

// queueRefusal is a distribution that a site refuses for reasons of policy.
type queueRefusal struct {
	Distribution int64  `json:"distribution"`
	Site         string `json:"site"`
	Reply        string `json:"reply"`
	Since        string `json:"since"`
}

// queueSite is a site copies wait for.
type queueSite struct {
	Site    string `json:"site"`
	Hosts   string `json:"hosts"`
	Waiting int64  `json:"waiting"`
	Next    string `json:"next"` // when the first of them is tried; empty: when a person says so
	Why     string `json:"why"`
}

type queueRow struct {
	ID       int64  `json:"id"`
	For      string `json:"for"` // the list, or the recipient of a letter
	Lane     string `json:"lane"`
	State    string `json:"state"`
	Made     string `json:"made"`
	Audience int64  `json:"audience"`
	Sent     int64  `json:"sent"`
	Retry    int64  `json:"retry"`
	Failed   int64  `json:"failed"`
	Skipped  int64  `json:"skipped"`
	Why      string `json:"why"` // why it is paused, or the last reply to a copy that is tried again
}

// queueOf says the state of the queue in the words of people.
func queueOf(e *env, p *app.App, st *store.QueueStatus) (*queueView, error) {
	v := &queueView{Paused: st.Paused, Active: st.Active, Waiting: st.Waiting, Held: st.Held, Stale: st.Stale, Retries: st.Retries,
		Oldest: clock(st.Oldest), PausedLists: []string{}, PausedTo: append([]string{}, st.PausedTo...), Refused: []queueRefusal{},
		Sites: []queueSite{}, Nodes: []queueNode{}, Entries: []queueRow{}}
	names := map[int64]string{}
	name := func(id int64) (string, error) {
		if names[id] == "" {
			l, err := p.Store.GetList(e.ctx, id)
			switch {
			case fault.Is(err, fault.NotFound): // removed meanwhile
				names[id] = "-"
			case err != nil:
				return "", err
			default:
				names[id] = l.Address()
			}
		}
		return names[id], nil
	}
	for _, id := range st.PausedLists {
		l, err := name(id)
		if err != nil {
			return nil, err
		}
		v.PausedLists = append(v.PausedLists, l)
	}
	for _, r := range st.Refused {
		v.Refused = append(v.Refused, queueRefusal{r.DistributionID, r.Site, r.Reply, clock(r.Since)})
	}
	for _, s := range st.Sites {
		next := clock(s.Next)
		if s.Next >= model.Never {
			next = ""
		}
		v.Sites = append(v.Sites, queueSite{s.Name, s.Hosts, s.Waiting, next, s.Text})
	}
	for _, n := range st.Nodes {
		v.Nodes = append(v.Nodes, queueNode{n.Name, n.Text, clock(n.Since)})
	}
	for i := range st.Entries {
		q := &st.Entries[i]
		row := queueRow{ID: q.ID, For: q.Recipient, Lane: laneNames[min(int(q.Lane), len(laneNames)-1)], State: stateNames[min(int(q.State), len(stateNames)-1)],
			Made: clock(q.CreatedAt), Audience: q.Audience, Sent: q.Sent, Retry: q.Retry, Failed: q.Failed, Skipped: q.Skipped, Why: q.Why}
		if row.Why == "" {
			row.Why = q.LastReply
		}
		if row.For == "" {
			var err error
			if row.For, err = name(q.ListID); err != nil {
				return nil, err
			}
		}
		v.Entries = append(v.Entries, row)
	}
	return v, nil
}

// clock writes a moment; empty when there is none.
func clock(at model.Instant) string {
	if at.IsZero() {
		return ""
	}
	return at.Time().Format(time.RFC3339)
}

var laneNames = [...]string{"reply", "notice", "post", "digest", "newsletter"} //nolint:gochecknoglobals // a constant table

var stateNames = [...]string{"sending", "paused", "finishing", "cancelled"} //nolint:gochecknoglobals // a constant table

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
