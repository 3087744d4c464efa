package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

type searchCmd struct {
	List  string   `arg:"" help:"The list's address, or all."`
	Query []string `arg:"" help:"Words, \"phrases\", -not, OR, prefix*, s: f: b: d: and more: docs/search.md."`
	Limit int      `default:"20" help:"Posts to show, at most 200."`
	Skip  int      `help:"Posts to leave out first."`
	Best  bool     `help:"The best first instead of the newest."`
	As    string   `narrow:"" help:"Search as this person: what she may read, is: by her marks." placeholder:"EMAIL"`
	JSON  bool     `help:"One JSON object a line."`
}

// searchRow is what --json prints.
type searchRow struct {
	List      string    `json:"list"`
	UID       model.UID `json:"uid"`
	Date      string    `json:"date"`
	Author    string    `json:"author"`
	Subject   string    `json:"subject"`
	MessageID string    `json:"message_id"`
	Snippet   string    `json:"snippet"`
}

// Run prints the posts that match, and how many do where not all are shown.
func (c *searchCmd) Run(e *env) error {
	if c.Limit < 0 || c.Skip < 0 {
		return wrong("--limit and --skip are numbers of posts, and not below 0")
	}
	p, lists, err := c.lists(e)
	if err != nil {
		return err
	}
	who, err := searcher(e.ctx, p, c.As)
	if err != nil {
		return err
	}
	ask := archive.Ask{Text: strings.Join(c.Query, " "), Limit: c.Limit, Skip: c.Skip, Ranked: c.Best}
	if c.List != allLists {
		ask.List = lists[0].ID
	}
	got, err := p.Reader.Ask(e.ctx, who, ask)
	if errors.Is(err, archive.ErrWhose) && c.As == "" {
		return wrong("is: looks at somebody's own marks: say whose with --as EMAIL")
	}
	if err != nil {
		return err
	}
	mark := strings.NewReplacer(archive.MarkStart, "", archive.MarkEnd, "")
	if !c.JSON {
		mark = strings.NewReplacer(archive.MarkStart, "«", archive.MarkEnd, "»")
	}
	names := map[int64]string{}
	for i := range lists {
		names[lists[i].ID] = lists[i].Address()
	}
	var out []searchRow
	for _, h := range got.Hits {
		out = append(out, searchRow{names[h.List], h.UID, h.SentAt.Time().Format("2006-01-02"), h.Author, h.Subject, h.MessageID, mark.Replace(h.Snippet)})
	}
	switch {
	case got.Total == 0 && !c.JSON:
		fmt.Fprintln(e.out, "no post matches")
		return nil
	case c.List == allLists:
		err = rows(e, c.JSON, out, "LIST UID DATE AUTHOR SUBJECT FOUND", func(r searchRow) []any { return []any{r.List, r.UID, r.Date, r.Author, r.Subject, r.Snippet} })
	default:
		err = rows(e, c.JSON, out, "UID DATE AUTHOR SUBJECT FOUND", func(r searchRow) []any { return []any{r.UID, r.Date, r.Author, r.Subject, r.Snippet} })
	}
	if err == nil && !c.JSON && got.Total > len(out) {
		fmt.Fprintf(e.out, "%d of %d posts that match\n", len(out), got.Total)
	}
	return err
}

// allLists stands in the place of a list for all that may be read.
const allLists = "all"

// lists are those that are searched: for all of them, whatever there is.
func (c *searchCmd) lists(e *env) (*app.App, []model.List, error) {
	if c.List == allLists {
		p, err := e.app()
		if err != nil {
			return nil, nil, err
		}
		lists, err := p.Store.Lists(e.ctx)
		return p, lists, err
	}
	p, l, err := e.list(c.List)
	if err != nil {
		return nil, nil, err
	}
	return p, []model.List{*l}, nil
}

// valued are the options of a search that are followed by a value.
var valued = []string{"--limit", "--skip", "--as", "--config", "-c"}

// queryArgs keeps what a search does not want, -word, from being read as options:
// the language has !word for the same. The value of an option is no such word.
func queryArgs(args []string) []string {
	verb := slices.Index(args, "search")
	if verb < 0 || verb > 0 && !strings.HasPrefix(args[0], "-") {
		return args
	}
	out := slices.Clone(args[:verb+1])
	for rest := args[verb+1:]; len(rest) > 0; rest = rest[1:] {
		a := rest[0]
		switch {
		case a == "--":
			return append(out, rest...)
		case slices.Contains(valued, a) && len(rest) > 1:
			rest = rest[1:]
			if strings.HasPrefix(a, "--") {
				a += "=" + rest[0] // a value that begins with - too
			} else {
				out, a = append(out, a), rest[0]
			}
		case len(a) > 1 && a[0] == '-' && a[1] != '-' && a != "-h":
			a = "!" + a[1:]
		}
		out = append(out, a)
	}
	return out
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
