package cli

import (
	"fmt"
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/store"
)

type queueCmd struct {
	Status queueStatusCmd `cmd:"" help:"What waits, and how old it is."`
	Retry  queueRetryCmd  `cmd:"" help:"Try what waits for its next attempt now."`
	Pause  queuePauseCmd  `cmd:"" help:"Send nothing until resume."`
	Resume queueResumeCmd `cmd:"" help:"Go on, also with what was too old after a restart."`
}

// queueScope chooses a part of the queue.
type queueScope struct {
	List         string `xor:"scope" help:"Only this list." placeholder:"ADDRESS"`
	Distribution int64  `xor:"scope" help:"Only this distribution." placeholder:"ID"`
}

func (q *queueScope) find(e *env) (store.QueueScope, error) {
	scope := store.QueueScope{DistributionID: q.Distribution}
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

type queueStatusCmd struct {
	JSON  bool `help:"One JSON object."`
	Limit int  `default:"50" help:"Distributions to show."`
}

// Run prints the queue.
func (c *queueStatusCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	st, err := p.Store.QueueStatus(e.ctx, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(st)
	}
	if st.Paused != "" {
		fmt.Fprintf(e.out, "PAUSED by %s; plenary queue resume goes on\n", oneLine(st.Paused))
	}
	for _, n := range st.Nodes {
		fmt.Fprintf(e.out, "node %s cannot send since %s: %s\n", oneLine(n.Name), n.Since.Time().Format(time.RFC3339), oneLine(n.Text))
	}
	if st.Stale > 0 {
		fmt.Fprintf(e.out, "%d distributions are too old to go by themselves; plenary queue resume sends them\n", st.Stale)
	}
	fmt.Fprintf(e.out, "being sent %d, waiting for their last copies %d, paused %d, copies to try again %d", st.Active, st.Waiting, st.Held, st.Retries)
	if !st.Oldest.IsZero() {
		fmt.Fprintf(e.out, ", oldest from %s", st.Oldest.Time().Format(time.RFC3339))
	}
	fmt.Fprintln(e.out)
	if len(st.Entries) == 0 {
		return nil
	}
	return rows(e, false, st.Entries, "ID LANE MADE AUDIENCE SENT RETRY FAILED SKIPPED LAST-REPLY", func(q store.QueueEntry) []any {
		return []any{q.ID, laneNames[min(int(q.Lane), len(laneNames)-1)], q.CreatedAt.Time().Format("2006-01-02 15:04"), q.Audience, q.Sent, q.Retry, q.Failed, q.Skipped, q.LastReply}
	})
}

var laneNames = [...]string{"reply", "notice", "post", "digest", "newsletter"} //nolint:gochecknoglobals // a constant table

type queueRetryCmd struct {
	queueScope
	Domain string `xor:"scope" help:"Only recipients of this domain." placeholder:"DOMAIN"`
}

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
	if c.Domain != "" {
		a, err := address.Parse("x@" + c.Domain)
		if err != nil {
			return wrong("%q is no domain", c.Domain)
		}
		scope.Domain = a.Domain
	}
	n, err := p.Store.RetryNow(e.ctx, scope)
	if err == nil {
		fmt.Fprintf(e.out, "%d copies will be tried now\n", n)
	}
	return err
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
	return p.Store.PauseQueue(e.ctx, scope, "cli")
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
	n, err := p.Store.ResumeQueue(e.ctx, scope, "cli")
	if err == nil {
		fmt.Fprintf(e.out, "%d distributions go on\n", n)
	}
	return err
}

type traceCmd struct {
	What string `arg:"" help:"A Message-ID or an address."`
	JSON bool   `help:"One JSON object a line."`
}

// Run prints the story of a message or a person in the order of time.
func (c *traceCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	lines, err := p.Trace(e.ctx, strings.Trim(strings.TrimSpace(c.What), "<>"))
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return wrong("nothing is known of %s", oneLine(c.What))
	}
	type row struct {
		At     string `json:"at"`
		List   string `json:"list"`
		What   string `json:"what"`
		Who    string `json:"who"`
		Detail string `json:"detail"`
	}
	var out []row
	for _, l := range lines {
		out = append(out, row{l.At.Time().Format("2006-01-02 15:04:05"), l.List, l.What, l.Who, l.Detail})
	}
	return rows(e, c.JSON, out, "AT LIST WHAT WHO DETAIL", func(r row) []any { return []any{r.At, r.List, r.What, r.Who, r.Detail} })
}
