// Package web is the HTTP door: pages about lists, one-click unsubscribing
// (RFC 8058), the catcher's letters, health and metrics.
//
// Pages are rendered on the server from templates/web and work without
// JavaScript; no external request is made. GET changes nothing: link scanners
// fetch every URL, so only POST acts. The one-click POST takes no cookie and no
// login and answers 200 without a redirect; the token in its path is the proof.
// routes.go is the table of everything that is served. What a reader may see is
// decided by the services; the door only asks.
package web

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/templates"
)

// Limits of the door.
const (
	maxHeaderBytes = 32 << 10
	maxBodyBytes   = 64 << 10 // forms are tiny
	readTimeout    = 20 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	pageSize       = 100 // letters a page

	maxConnections  = 1000        // at the same time; door.go says how they are shared
	turnAwayTimeout = time.Second // to hand a 503 to a client that is not let in
)

// Lists finds lists; store.Store has it.
type Lists interface {
	Lists(ctx context.Context) ([]model.List, error)
	FindList(ctx context.Context, local, domain string) (*model.List, error)
	GetList(ctx context.Context, id int64) (*model.List, error)
}

// Unsubscriber takes one-click tokens.
type Unsubscriber interface {
	// OneClickList names the list of a valid token without changing anything.
	OneClickList(ctx context.Context, token string) (*model.List, error)
	// OneClick ends the subscription the token names. Doing it again is fine.
	OneClick(ctx context.Context, token string) error
}

// Caught is one letter the catcher kept.
type Caught struct {
	ID          int64
	ReversePath string
	Recipient   string
	Data        []byte
	At          time.Time
}

// Catcher lists what the built-in catcher kept.
type Catcher interface {
	Recipients(ctx context.Context) ([]string, error)
	// Letters gives up to limit letters older than before (0: the newest),
	// newest first, to recipient or to everybody when empty.
	Letters(ctx context.Context, recipient string, before int64, limit int) ([]Caught, error)
	Letter(ctx context.Context, id int64) (*Caught, error)
}

// Archive finds a post by its permalink.
type Archive interface {
	// PostByPermalink gives a post of a public list; other posts are NotFound.
	PostByPermalink(ctx context.Context, list *model.List, hash string) ([]byte, error)
}

// Options are what the door works with.
type Options struct {
	Hostname string
	Lists    Lists
	Leave    Unsubscriber
	Catcher  Catcher // nil: no catcher pages
	SMTP     string  // where the catcher's pages say to send answers; empty: they do not
	Archive  Archive
	Search   Searcher
	Folder   func(context.Context, *model.List) (string, error) // the list's mailbox by IMAP
	Health   func(context.Context) (ok bool, text string)
	Metrics  http.Handler
	Log      *slog.Logger
}

// Server is the HTTP door.
type Server struct {
	o     Options
	pages *template.Template
	http  *http.Server

	maxConnections int
	searching      chan struct{} // has room for those who search at once
}

// New parses the pages and makes the door.
func New(o Options) (*Server, error) {
	pages, err := template.ParseFS(templates.FS, "web/*.html")
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, pages: pages, maxConnections: maxConnections, searching: make(chan struct{}, maxSearching)}
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Serve answers on the listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(newDoor(l, s.maxConnections, s.o.Log)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown finishes the requests under way.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// guard sets the header fields of every answer and contains panics.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		defer func() {
			if p := recover(); p != nil {
				s.o.Log.Error("a page failed", "path", r.URL.Path, "panic", p)
				http.Error(w, "something went wrong on our side", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// page is what every template gets.
type page struct {
	Title    string
	Hostname string
	Catch    bool
	Data     any
}

func (s *Server) render(w http.ResponseWriter, status int, name, title string, data any) {
	var b bytes.Buffer
	p := page{Title: title, Hostname: s.o.Hostname, Catch: s.o.Catcher != nil, Data: data}
	if err := s.pages.ExecuteTemplate(&b, name, p); err != nil {
		s.o.Log.Error("a page could not be rendered", "page", name, "err", err)
		http.Error(w, "something went wrong on our side", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// statuses maps kinds to HTTP; the one table of this door.
func statuses(k fault.Kind) int {
	switch k {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Conflict:
		return http.StatusConflict
	case fault.Expired:
		return http.StatusGone
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Temporary, fault.StorageFull:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statuses(fault.KindOf(err))
	if status >= http.StatusInternalServerError {
		s.o.Log.Error("a request failed", "path", r.URL.Path, "err", err)
	}
	s.render(w, status, "notice.html", http.StatusText(status), sentence(fault.Text(err)))
}

// sentence makes a safe text read as one.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return string(bytes.ToUpper([]byte(s[:1]))) + s[1:] + "."
}

// loopback reports whether the peer is this machine.
func loopback(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// Health gives only /healthz and /metrics, for an address of their own.
func Health(health func(context.Context) (ok bool, text string), metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz(health))
	mux.Handle("GET /metrics", metrics)
	return mux
}

// static serves the embedded assets.
func static() http.Handler {
	sub, err := fs.Sub(templates.FS, "web")
	if err != nil {
		return http.NotFoundHandler()
	}
	return http.StripPrefix("/assets/", http.FileServerFS(sub))
}
