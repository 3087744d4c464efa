package app

import (
	"context"
	"strings"

	"plenary/internal/edge/imapd"
	"plenary/internal/list/archive"
	"plenary/internal/list/command"
	"plenary/internal/list/compose"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// searchByMail answers the command SEARCH as the archive answers every door. The
// page of a post is for everybody or for nobody, since nobody can log in there:
// whoever may read an archive that is not public is shown her way to it by IMAP.
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
		if h.MessageID != "" && l.ArchiveAccess == model.AccessPublic {
			p.Link = compose.PostURL(l, a.base, posting.Permalink(h.MessageID))
		}
		found.Posts = append(found.Posts, p)
	}
	if l.ArchiveAccess != model.AccessPublic && a.addrs.IMAP+a.addrs.IMAPS != "" {
		folder, err := a.folder(ctx, l)
		if err != nil {
			return command.Found{}, err
		}
		found.Where = "To read them, open the folder " + folder + " in your mail program: IMAP at " + a.Config.Hostname +
			", your address, and an app password, which " + l.Sub("owner") + " gives you."
	}
	return found, nil
}

// folder is the list's mailbox as IMAP names it.
func (a *App) folder(ctx context.Context, l *model.List) (string, error) {
	site, err := a.Store.Lists(ctx)
	return imapd.MailboxNames(site)[l.ID], err
}
