package web

import (
	"context"
	"net/http"
	"time"
)

const healthTimeout = 5 * time.Second

// healthz answers 200 while the program can do its work, which takes a database
// that can be written to, and 503 otherwise; in words what is wrong.
func healthz(health func(context.Context) (ok bool, text string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		ok, text := health(ctx)
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(text + "\n"))
	}
}

// metrics serves the figures to this machine only; http.metrics_listen opens
// them to others.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if !loopback(r) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" { // a proxy on this machine
		http.NotFound(w, r)
		return
	}
	s.o.Metrics.ServeHTTP(w, r)
}
