package cli

import (
	"context"
	"fmt"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

type searchCmd struct {
	List  string   `arg:"" help:"The list's address."`
	Query []string `arg:"" help:"Words, \"phrases\", -not, OR, prefix*, s: f: b: d: and more: docs/search.md."`
	Limit int      `default:"20" help:"Posts to show, at most 200."`
	Skip  int      `help:"Posts to leave out first."`
	Best  bool     `help:"The best first instead of the newest."`
	As    string   `help:"Search as this person: what she may read, is: by her marks." placeholder:"EMAIL"`
	JSON  bool     `help:"One JSON object a line."`
}

// searchRow is what --json prints.
type searchRow struct {
	UID       model.UID `json:"uid"`
	Date      string    `json:"date"`
	Author    string    `json:"author"`
	Subject   string    `json:"subject"`
	MessageID string    `json:"message_id"`
	Snippet   string    `json:"snippet"`
}

// Run prints the posts that match, and how many do where not all are shown.
func (c *searchCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	who, err := searcher(e.ctx, p, c.As)
	if err != nil {
		return err
	}
	got, err := p.Reader.Ask(e.ctx, who, archive.Ask{Text: strings.Join(c.Query, " "), List: l.ID, Limit: c.Limit, Skip: c.Skip, Ranked: c.Best})
	if err != nil {
		return err
	}
	mark := strings.NewReplacer(archive.MarkStart, "", archive.MarkEnd, "")
	if !c.JSON {
		mark = strings.NewReplacer(archive.MarkStart, "«", archive.MarkEnd, "»")
	}
	var out []searchRow
	for _, h := range got.Hits {
		out = append(out, searchRow{h.UID, h.SentAt.Time().Format("2006-01-02"), h.Author, h.Subject, h.MessageID, mark.Replace(h.Snippet)})
	}
	err = rows(e, c.JSON, out, "UID DATE AUTHOR SUBJECT FOUND", func(r searchRow) []any { return []any{r.UID, r.Date, r.Author, r.Subject, r.Snippet} })
	if err == nil && !c.JSON && got.Total > len(out) {
		fmt.Fprintf(e.out, "%d of %d posts that match\n", len(out), got.Total)
	}
	return err
}

// searcher is the postmaster, or the person named.
func searcher(ctx context.Context, p *app.App, email string) (model.Actor, error) {
	if email == "" {
		return model.Actor{Site: true}, nil
	}
	a, err := address.Parse(email)
	if err != nil {
		return model.Actor{}, err
	}
	acc, err := p.Store.FindAccount(ctx, a.Key())
	if err != nil {
		return model.Actor{}, err
	}
	if acc == nil {
		return model.Actor{}, fault.New(fault.NotFound, "%s has no account: plenary access makes one", a)
	}
	keys, err := p.Store.AddressesOf(ctx, acc.ID)
	return model.Actor{AccountID: acc.ID, Email: acc.Email, Keys: keys}, err
}
