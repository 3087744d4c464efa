package cli

import (
	"fmt"
	"time"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
)

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
