package web

import "net/http"

// route is one line of the table of everything that is served.
type route struct {
	pattern string
	handler http.HandlerFunc
	catch   bool // only while mail goes to the catcher
}

func (s *Server) table() []route {
	return []route{
		{pattern: "GET /{$}", handler: s.home},
		{pattern: "GET /list/{address}", handler: s.list},
		{pattern: "GET /list/{address}/search", handler: s.search},
		{pattern: "GET /archive/{address}/{hash}", handler: s.post},
		{pattern: "GET /unsubscribe/{token}", handler: s.unsubscribePage},
		{pattern: "POST /unsubscribe/{token}", handler: s.unsubscribe},
		{pattern: "GET /catch", handler: s.caught, catch: true},
		{pattern: "GET /catch/{id}", handler: s.letter, catch: true},
		{pattern: "GET /catch/{id}/raw", handler: s.rawLetter, catch: true},
		{pattern: "GET /assets/style.css", handler: static().ServeHTTP},
		{pattern: "GET /healthz", handler: healthz(s.o.Health)},
		{pattern: "GET /metrics", handler: s.metrics},
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		if r.catch && s.o.Catcher == nil {
			continue
		}
		mux.HandleFunc(r.pattern, r.handler)
	}
	return mux
}
