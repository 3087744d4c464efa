package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"plenary/internal/config"
	"plenary/internal/fault"
)

const (
	askTimeout   = 5 * time.Second
	healthFor    = 5 * time.Second // how long an answer holds: monitors must not make the disk busy
	healthWithin = 4 * time.Second // below the patience of /healthz
	lowDisk      = 512 << 20       // octets left of which the answer warns
	fullDisk     = 1 << 20         // octets left that count as none: what fits in them is no mail
)

// health answers whether this process can do its work.
type health struct {
	ping, write func(context.Context) error
	free        func() (uint64, error) // on the database's disk; nil: the database is elsewhere
	now         func() time.Time
	changed     func(ok bool, text string, err error) // told when the answer is another one

	mu    sync.Mutex
	until time.Time
	ok    bool
	text  string
}

// newHealth makes it for the database of the configuration.
func (a *App) newHealth() *health {
	h := &health{ping: a.Store.Ping, write: a.Store.CheckWrite, now: time.Now, ok: true, text: "ok"}
	if dir := a.databaseDir(); dir != "" {
		h.free = func() (uint64, error) { return diskFree(dir) }
	}
	h.changed = func(ok bool, text string, err error) {
		if ok && text == "ok" {
			a.Log.Info("well again")
			return
		}
		a.Log.Error("not well", "health", text, "err", err)
	}
	return h
}

// databaseDir is the folder of the database; empty when it is no file of ours.
func (a *App) databaseDir() string {
	if path, ok := strings.CutPrefix(a.Config.Database.DSN, "sqlite:"); ok {
		return filepath.Dir(path)
	}
	return ""
}

// Check says whether all is well, and in a sentence what is not; low disk space
// is said and is no failure yet. One answer holds for some seconds.
func (h *health) Check(ctx context.Context) (ok bool, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now().Before(h.until) {
		return h.ok, h.text
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthWithin) // an impatient monitor is no illness
	defer cancel()
	ok, text, err := h.look(ctx)
	if text != h.text && h.changed != nil {
		h.changed(ok, text, err)
	}
	h.ok, h.text, h.until = ok, text, h.now().Add(healthFor)
	return ok, text
}

func (h *health) look(ctx context.Context) (ok bool, text string, err error) {
	if err := h.ping(ctx); err != nil {
		return false, "the database does not answer", err
	}
	if err := h.write(ctx); fault.Is(err, fault.StorageFull) {
		return false, "the database cannot be written to: the disk is full, mail is refused until there is room", err
	} else if err != nil {
		return false, "the database cannot be written to", err
	}
	if h.free == nil {
		return true, "ok", nil
	}
	switch left, err := h.free(); {
	case err != nil: // not known here, and nothing else is wrong
	case left < fullDisk:
		return false, "the disk of the database is full", nil
	case left < lowDisk:
		return true, fmt.Sprintf("ok, but the disk of the database has only %d MiB left", left>>20), nil
	}
	return true, "ok", nil
}

// AskHealth asks the service this configuration describes, on this machine,
// whether it is well, and gives its answer. A container's health check has no
// other way: its image holds nothing but the binary.
func AskHealth(ctx context.Context, c *config.Config) (text string, err error) {
	at := c.HTTP.MetricsListen
	if at == "" {
		at = c.HTTP.Listen
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", fault.New(fault.Invalid, "http.listen is off, so there is nobody to ask")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fault.Wrap(fault.Temporary, err, "plenary serve does not answer at %s; is it running, and is http.listen right?", at)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	text = strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the service is not well: %s", text)
	}
	return text, nil
}
