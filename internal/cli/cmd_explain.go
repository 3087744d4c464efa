package cli

import (
	"fmt"
	"os"
	"time"

	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

type explainCmd struct {
	List    string `arg:"" help:"The list's address."`
	File    string `arg:"" help:"The message, as a file." type:"path"`
	From    string `help:"The reverse-path; the From field's address unless given." placeholder:"ADDRESS"`
	Account string `help:"As if this person had logged in to send it." placeholder:"ADDRESS"`
	Verbose bool   `short:"v" help:"Each subscriber by name."`
	JSON    bool   `help:"One JSON object."`
}

// explanation is what --json prints.
type explanation struct {
	Verdict        string           `json:"verdict"`
	Duplicate      bool             `json:"duplicate"`
	Authenticated  bool             `json:"authenticated"`
	Authentication []evidenceRow    `json:"authentication"`
	Subscribers    int64            `json:"subscribers"`
	Recipients     int64            `json:"recipients"` // of copies, if it were accepted
	Spared         map[string]int64 `json:"spared"`     // subscribers without a copy, by reason
	People         []personRow      `json:"people,omitempty"`
	Reasons        []model.Reason   `json:"reasons"`
	Trace          []model.Answer   `json:"trace"`
}

type evidenceRow struct {
	Method string `json:"method"`
	Result string `json:"result"`
	Text   string `json:"text"`
}

type personRow struct {
	Address string `json:"address"`
	Why     string `json:"why"` // empty: gets a copy
}

// Run asks every rule about a message and shows what would happen.
func (c *explainCmd) Run(e *env) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	for _, given := range []*string{&c.Account, &c.From} {
		if *given == "" || *given == "<>" {
			continue
		}
		a, err := address.Parse(*given)
		if err != nil {
			return err
		}
		*given = a.String()
	}
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	if c.From == "" {
		if from := message.ParseHeader(raw).Addresses("From"); len(from) > 0 {
			c.From = from[0].Address.String()
		}
	}
	x, err := p.Posting.Explain(e.ctx, l, posting.Offer{ReversePath: c.From, Account: c.Account, Raw: raw, At: time.Now()}, c.Verbose)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(explained(x))
	}
	return c.print(e, x)
}

func explained(x *posting.Explanation) *explanation {
	out := &explanation{Verdict: x.Verdict.Action.String(), Duplicate: x.Duplicate, Authenticated: x.Authenticated, Subscribers: x.Subscribers,
		Recipients: x.Recipients, Spared: map[string]int64{}, Reasons: x.Verdict.Reasons, Trace: x.Verdict.Trace}
	for _, v := range x.Evidence {
		out.Authentication = append(out.Authentication, evidenceRow{v.Method, v.Result, v.Text})
	}
	for _, s := range x.Spared {
		out.Spared[s.Why] = s.N
	}
	for _, p := range x.People {
		out.People = append(out.People, personRow{p.Address, p.Why})
	}
	return out
}

func (c *explainCmd) print(e *env, x *posting.Explanation) error {
	if x.Duplicate {
		fmt.Fprintln(e.out, "the list has a post with this Message-ID: a second one would change nothing")
	}
	fmt.Fprintf(e.out, "verdict: %s\n", x.Verdict.Action)
	for _, r := range x.Verdict.Reasons {
		fmt.Fprintf(e.out, "  because %s (%s)\n", oneLine(r.Text), r.Rule)
	}
	proved := "nothing proves that the author wrote it"
	if x.Authenticated {
		proved = "the author is proved"
	}
	fmt.Fprintf(e.out, "authentication: %s; only a login at the submission door counts, SPF, DKIM, DMARC and ARC are not checked yet\n", proved)
	for _, v := range x.Evidence {
		fmt.Fprintf(e.out, "  %s: %s, %s\n", v.Method, v.Result, oneLine(v.Text))
	}
	would := "would get a copy"
	switch x.Verdict.Action {
	case model.Hold:
		would = "would get a copy once a moderator releases it"
	case model.Reject, model.Discard:
		would = "would get a copy if it were accepted; as it is, nobody gets one"
	}
	fmt.Fprintf(e.out, "recipients: %d of %d subscribers %s\n", x.Recipients, x.Subscribers, would)
	for _, s := range x.Spared {
		fmt.Fprintf(e.out, "  %d not: %s\n", s.N, s.Why)
	}
	fmt.Fprintln(e.out)
	if c.Verbose {
		err := rows(e, false, x.People, "SUBSCRIBER COPY WHY", func(p posting.Person) []any {
			if p.Why == "" {
				return []any{p.Address, "yes", ""}
			}
			return []any{p.Address, "no", p.Why}
		})
		if err != nil {
			return err
		}
		fmt.Fprintln(e.out)
	}
	return rows(e, false, x.Verdict.Trace, "RULE HIT MEANS ANSWER", func(a model.Answer) []any {
		if !a.Hit {
			return []any{a.Rule, "no", "-", a.Text}
		}
		return []any{a.Rule, "yes", a.Action, a.Text}
	})
}
