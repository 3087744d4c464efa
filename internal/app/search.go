package app

import (
	"context"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/list/command"
	"plenary/internal/list/compose"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// searchByMail answers the command SEARCH as the archive answers every door.
func (a *App) searchByMail(ctx context.Context, from address.Address, l *model.List, query string, limit int) (command.Found, error) {
	who := model.Actor{Email: from.String(), Keys: []string{from.Key()}}
	acc, err := a.Store.FindAccount(ctx, from.Key()) // for is:
	if err != nil {
		return command.Found{}, err
	}
	if acc != nil {
		who.AccountID = acc.ID
	}
	got, err := a.Reader.Ask(ctx, who, archive.Ask{Text: query, List: l.ID, Limit: limit})
	if err != nil {
		return command.Found{}, err
	}
	found := command.Found{Total: got.Total}
	marks := strings.NewReplacer(archive.MarkStart, "«", archive.MarkEnd, "»")
	for _, h := range got.Hits {
		p := command.FoundPost{Day: h.SentAt.Time().Format("2006-01-02"), Author: h.Author, Subject: h.Subject, Snippet: marks.Replace(h.Snippet)}
		if h.MessageID != "" {
			p.Link = compose.PostURL(l, a.base, posting.Permalink(h.MessageID))
		}
		found.Posts = append(found.Posts, p)
	}
	return found, nil
}
