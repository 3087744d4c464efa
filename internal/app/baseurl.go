package app

import (
	"context"
	"time"
)

const tellTimeout = 10 * time.Second

// ReadyToServe is Ready for a process that will open its doors: it brings the
// schema up, and says which base URL copies carry when none is configured.
func (a *App) ReadyToServe(ctx context.Context) error {
	if err := a.Store.Migrate(ctx); err != nil {
		return err
	}
	if c := a.Config; c.HTTP.BaseURL == "" {
		a.serving = true
		if c.DefaultBaseURL() == "" {
			a.Log.Warn("http.base_url is not set and http.listen is off: copies carry no one-click unsubscribe link, which large providers demand")
		} else {
			a.Log.Warn("http.base_url is not set: set it to the address at which readers reach the HTTP door, because it stands in every copy",
				"copies_carry", c.DefaultBaseURL())
		}
	}
	return a.Ready(ctx)
}

// baseURL is how readers reach the web door: as configured, or else what the
// service on this database says, so that a post released on the command line
// carries the same links as one that came by mail. Empty: no links.
func (a *App) baseURL(ctx context.Context) (string, error) {
	if u := a.Config.HTTP.BaseURL; u != "" {
		return u, nil
	}
	if !a.serving {
		if u, found, err := a.Store.FindBaseURL(ctx); err != nil || found {
			return u, err
		}
	}
	return a.Config.DefaultBaseURL(), nil
}

// tellBaseURL leaves the base URL in the database for verbs. The doors open
// without it too: a full disk must not keep readers out.
func (a *App) tellBaseURL() {
	ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
	defer cancel()
	if err := a.Store.SaveBaseURL(ctx, a.base); err != nil {
		a.Log.Warn("cannot leave http.base_url for the command line", "err", err)
	}
}
