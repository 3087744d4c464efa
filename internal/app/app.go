// Package app is the composition root: it alone knows every package, makes the
// services of their parts, opens the doors and stops them in order.
//
// New opens the database and makes the services, which is all the command line
// needs. Listen opens the doors, Run answers at them until its context ends.
// Adapters between what one service offers and what another asks for live here,
// small and without decisions of their own.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plenary/internal/auth"
	"plenary/internal/config"
	"plenary/internal/edge/imapd"
	"plenary/internal/edge/smtpin"
	"plenary/internal/edge/web"
	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/list/bounce"
	"plenary/internal/list/command"
	"plenary/internal/list/intake"
	"plenary/internal/list/keys"
	"plenary/internal/list/membership"
	"plenary/internal/list/moderation"
	"plenary/internal/list/notify"
	"plenary/internal/list/posting"
	"plenary/internal/list/transfer"
	"plenary/internal/metrics"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/store"
	"plenary/internal/token"
)

// App is the program: its services, and its doors once they are open.
type App struct {
	Config  *config.Config
	Log     *slog.Logger
	Metrics *metrics.Metrics
	Node    string // names this process among those on the database

	Store      *store.Store
	Auth       *auth.Service
	Reader     *archive.Reader
	Threader   *archive.Threader
	Posting    *posting.Service
	Membership *membership.Service
	Moderation *moderation.Service
	Desk       *intake.Desk
	Queue      *queue.Engine
	Transfer   *transfer.Importer

	smtp, submission, lmtp *smtpin.Server
	imap                   *imapd.Server
	web                    *web.Server
	health                 *http.Server
	healthy                *health
	cert                   *certificate            // of the doors; nil without one
	listeners              map[string]net.Listener // by configuration key
	locked                 *os.File                // that this process serves; nil before Listen
	lockedDatabase         *os.File                // the same, of an SQLite file elsewhere
	base                   string                  // how readers reach the web door; see baseURL
	serving                bool                    // set before Ready by a process that will serve without a configured base URL
	addrs                  Addrs
	tlsCounts              *route.Tally // in direct mode
	paces                  *route.Paces // in direct mode
	partMu                 sync.Mutex
	part                   [2]int        // of the limits of providers: this node, and how many there are
	tlsReports             *tlsReporter  // in direct mode, when configured
	client                 *http.Client  // for what strangers name; see https
	outTLS                 *tls.Config   // of mail hosts; nil: the system's roots
	keys                   *keys.Service // of DKIM, for what is sent
}

// New opens the database of the configuration and makes the services. Nothing
// listens or sends yet.
func New(ctx context.Context, c *config.Config, log *slog.Logger) (*App, error) {
	a := &App{Config: c, Log: log, Metrics: metrics.New(), listeners: map[string]net.Listener{}}
	host, err := os.Hostname()
	if err != nil {
		host = c.Hostname
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, err
	}
	a.Node = host + " " + dir + " " + randomMark() // one process a folder: see lock
	if a.Store, err = store.Open(ctx, c.Database.DSN, log); err != nil {
		return nil, cannotOpen(err)
	}
	return a, nil
}

// cannotOpen says what to do about a database that does not open.
func cannotOpen(err error) error {
	f := (*fault.Error)(nil)
	if !errors.As(err, &f) || f.Cause == nil {
		return err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fault.Wrap(fault.Forbidden, f.Cause, "cannot open the database: run plenary as the service's user, or set data_dir (database.dsn) to a folder you may write to")
	}
	return fault.Wrap(f.Kind, f.Cause, "cannot open the database (database.dsn, data_dir)")
}

// Ready makes the services. The schema of an empty database is made; one that
// is behind is an error, because only the postmaster migrates.
func (a *App) Ready(ctx context.Context) error {
	behind, empty, err := a.schema(ctx)
	if err == nil && empty {
		err = a.Store.Migrate(ctx)
	}
	for last := -1; err == nil && !empty && behind > 0; {
		if behind == last {
			return fault.New(fault.Invalid, "the database has an older schema; run plenary migrate up")
		}
		// Another node may be at it, this being the first start of all.
		last = behind
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		behind, empty, err = a.schema(ctx)
	}
	if err != nil {
		return err
	}
	return a.assemble(ctx)
}

// schema counts the migrations that are not applied.
func (a *App) schema(ctx context.Context) (behind int, empty bool, err error) {
	steps, err := a.Store.MigrationStatus(ctx)
	for _, s := range steps {
		if !s.Applied {
			behind++
		}
	}
	return behind, behind == len(steps), err
}

// assemble makes every service of its parts.
func (a *App) assemble(ctx context.Context) error {
	secret, err := a.Store.Secret(ctx, "tokens")
	if err != nil {
		return err
	}
	tokens := token.New(secret)
	if a.base, err = a.baseURL(ctx); err != nil {
		return err
	}
	letters, err := notify.New(notify.Deps{Store: a.Store, ArchiveURL: a.archiveURL, Log: a.Log})
	if err != nil {
		return err
	}
	a.Auth = auth.New(auth.Deps{Store: a.Store, Log: a.Log})
	a.Reader = archive.NewReader(a.Store)
	a.Threader = &archive.Threader{Reader: a.Reader, Store: a.Store, Now: time.Now}
	a.Posting = posting.New(posting.Deps{Store: a.Store, Tokens: tokens, Letters: letters, BaseURL: a.base, Host: a.Config.Hostname, Log: a.Log})
	a.Membership = membership.New(membership.Deps{Store: a.Store, Tokens: tokens, Letters: letters, Log: a.Log})
	a.Moderation = moderation.New(moderation.Deps{Store: a.Store, Posting: a.Posting, Letters: letters, Tokens: tokens, Log: a.Log})
	if err := postmasters(a.Config.SMTP.Postmaster); err != nil {
		return err
	}
	owners := &intake.Owners{Store: a.Store, Postmaster: a.Config.SMTP.Postmaster, Hostname: a.Config.Hostname, Log: a.Log}
	commands := command.New(command.Deps{Store: a.Store, Membership: a.Membership, Moderation: a.Moderation, Letters: letters,
		Owners: owners, ArchiveURL: a.archiveURL, Search: a.searchByMail, Count: a.Metrics.Command, Log: a.Log})
	a.Desk = intake.New(intake.Deps{Store: a.Store, Posting: a.Posting, Commands: commands, Tokens: tokens, Owners: owners,
		Bounces: bounce.New(bounce.Deps{Store: a.Store, Tokens: tokens, Log: a.Log}), Hostname: a.Config.Hostname, Count: a.Metrics.Received, Log: a.Log})
	a.Transfer = &transfer.Importer{Store: a.Store, Now: time.Now}
	if a.Queue, err = a.newQueue(tokens); err != nil {
		return err
	}
	a.healthy = a.newHealth()
	if err := a.openDoors(); err != nil {
		return err
	}
	a.gauges()
	return nil
}

// archiveURL is where people read about a list on the web; "" where there is no
// such page: of a hidden list strangers are not told.
func (a *App) archiveURL(l *model.List) string {
	if a.base == "" || !l.Advertised && l.ArchiveAccess != model.AccessPublic {
		return ""
	}
	return a.base + "/list/" + l.Address()
}

// Close closes what is open. Run has ended before.
func (a *App) Close() error {
	var errs []error
	for _, l := range a.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, a.Store.Close())
	if a.lockedDatabase != nil {
		errs = append(errs, a.lockedDatabase.Close())
		a.lockedDatabase = nil
	}
	if a.locked != nil {
		errs = append(errs, a.locked.Close())
	}
	return errors.Join(errs...)
}
