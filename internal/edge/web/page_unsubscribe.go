package web

import "net/http"

// leaving is the page before and after.
type leaving struct {
	List shown
	Left bool
}

// unsubscribePage is the human side of the link in List-Unsubscribe: it asks,
// and changes nothing.
func (s *Server) unsubscribePage(w http.ResponseWriter, r *http.Request) {
	l, err := s.o.Leave.OneClickList(r.Context(), r.PathValue("token"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "unsubscribe.html", "Leave "+l.Title(), leaving{shown{l}, false})
}

// unsubscribe is the POST of RFC 8058 3.2: no cookie, no login, no redirect,
// 200. The body says List-Unsubscribe=One-Click; the token alone is the proof,
// so a body in another form is not refused.
func (s *Server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	l, err := s.o.Leave.OneClickList(r.Context(), token)
	if err == nil {
		err = s.o.Leave.OneClick(r.Context(), token)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "unsubscribe.html", "You have left "+l.Title(), leaving{shown{l}, true})
}
