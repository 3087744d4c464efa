package app

import (
	"context"
	"os"
	"path/filepath"

	"plenary/internal/fault"
	"plenary/internal/list/settings"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/sample"
)

// DemoWorld is what the demo's banner needs to know.
type DemoWorld struct {
	List, News             string
	Owner, Moderator, User string
	Password               string // of User
	Posts                  int64  // in the archive of List
}

// The people of the demo beside the three who have a part.
var demoPeople = []string{"rufus.pk@example.com", "ines.valdelomar@ies-rioclaro.example", "reading.room@example.net"} //nolint:gochecknoglobals // a constant table

// ReadyForDemo is ReadyToServe on a database of the demo's own: an empty one, which it
// marks, or one that has its mark. In any other it would put its lists and people beside
// the real ones, and catch the mail that waits to go out; so it changes nothing there.
func (a *App) ReadyForDemo(ctx context.Context) error {
	_, empty, err := a.schema(ctx)
	if err != nil {
		return err
	}
	if !empty {
		made, err := a.Store.IsDemo(ctx)
		if err != nil {
			return err
		}
		if !made {
			return fault.New(fault.Conflict, "the demo did not make the database in %s, and would keep its mail from going out; "+
				"give the demo a folder of its own with --dir", a.Config.DataDir)
		}
	}
	if err := a.Store.Migrate(ctx); err != nil {
		return err
	}
	if err := a.Store.MarkDemo(ctx); err != nil {
		return err
	}
	return a.ReadyToServe(ctx)
}

// Demo makes the lists and people of the demo and fills the archive, once;
// later starts find them, and the reader's app password works on.
func (a *App) Demo(ctx context.Context) (*DemoWorld, error) {
	w := &DemoWorld{List: sample.TalkAddress, News: sample.NewsAddress, Owner: sample.OwnerAddress,
		Moderator: sample.ModeratorAddress, User: sample.SubscriberAddress}
	talk, err := a.demoList(ctx, model.Discussion, w.List, sample.TalkName, "Colleagues in school libraries: questions, answers, ideas")
	if err != nil {
		return nil, err
	}
	news, err := a.demoList(ctx, model.Announcement, w.News, sample.NewsName, "Dates and news; a few messages a month")
	if err != nil {
		return nil, err
	}
	for _, fill := range []struct {
		list *model.List
		mbox []byte
	}{{talk, sample.Talk()}, {news, sample.Announce()}} {
		if err := a.demoPeople(ctx, fill.list); err != nil {
			return nil, err
		}
		if err := a.demoArchive(ctx, fill.list, fill.mbox); err != nil {
			return nil, err
		}
	}
	if w.Posts, err = a.Store.CountPosts(ctx, talk.ID); err != nil {
		return nil, err
	}
	reader, err := address.Parse(w.User)
	if err != nil {
		return nil, err
	}
	w.Password, err = a.demoPassword(ctx, reader)
	return w, err
}

// demoPassword gives the app password of the first start while it works: a mail
// program set up with it must not be locked out by a restart. Only its hash is in
// the database, so the demo keeps it in a file; the lists hold nothing secret.
func (a *App) demoPassword(ctx context.Context, reader address.Address) (string, error) {
	path := filepath.Join(a.Config.DataDir, "demo-password")
	if kept, err := os.ReadFile(path); err == nil {
		if _, err := a.Auth.Authenticate(ctx, reader.String(), string(kept)); err == nil {
			return string(kept), nil
		}
	}
	secret, err := a.Auth.NewAppPassword(ctx, reader, "demo")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		return "", fault.Wrap(fault.StorageFull, err, "cannot keep the demo's app password")
	}
	return secret, nil
}

func (a *App) demoList(ctx context.Context, kind model.ListKind, addr, name, about string) (*model.List, error) {
	at, err := address.Parse(addr)
	if err != nil {
		return nil, err
	}
	l, err := a.Store.FindList(ctx, at.Local, at.Domain)
	if err != nil || l != nil {
		return l, err
	}
	l = settings.New(kind, at.Local, at.Domain)
	l.Name, l.Description = name, about
	return l, settings.Create(ctx, a.Store, l, "demo")
}

// demoPeople comes before the archive: where that has begun everybody was added,
// and who has left since stays away.
func (a *App) demoPeople(ctx context.Context, l *model.List) error {
	if n, err := a.Store.CountPosts(ctx, l.ID); err != nil || n > 0 {
		return err
	}
	roles := map[string]model.Role{
		sample.OwnerAddress:      model.RoleOwner | model.RoleSubscriber,
		sample.ModeratorAddress:  model.RoleModerator | model.RoleSubscriber,
		sample.SubscriberAddress: model.RoleSubscriber,
	}
	for _, p := range demoPeople {
		roles[p] = model.RoleSubscriber
	}
	for email, role := range roles {
		at, err := address.Parse(email)
		if err != nil {
			return err
		}
		_, err = a.Membership.Add(ctx, l, &model.Subscriber{ListID: l.ID, Email: at.String(), EmailKey: at.Key(), Roles: role, Consent: "demo"}, "demo")
		if err != nil {
			return err
		}
	}
	return nil
}

// demoArchive imports the sample by the ordinary importer, which passes over
// what is there.
func (a *App) demoArchive(ctx context.Context, l *model.List, mbox []byte) error {
	path := filepath.Join(a.Config.DataDir, l.Local+".mbox")
	if err := os.WriteFile(path, mbox, 0o600); err != nil {
		return fault.Wrap(fault.StorageFull, err, "cannot write the sample archive")
	}
	defer os.Remove(path)
	_, err := a.Transfer.Import(ctx, l, "mbox", path)
	return err
}
