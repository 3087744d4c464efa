package web

import (
	"net/http"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// home lists the lists that advertise themselves.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	all, err := s.o.Lists.Lists(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var public []shown
	for i := range all {
		if all[i].Advertised {
			public = append(public, shown{&all[i]})
		}
	}
	s.render(w, http.StatusOK, "home.html", "Mailing lists", public)
}

// find gives the list the path names, if a stranger may know of it.
func (s *Server) find(r *http.Request) (*model.List, error) {
	a, err := address.Parse(r.PathValue("address"))
	if err != nil {
		return nil, fault.New(fault.NotFound, "there is no such list")
	}
	key, err := address.Parse(a.Key())
	if err != nil {
		return nil, fault.New(fault.NotFound, "there is no such list")
	}
	l, err := s.o.Lists.FindList(r.Context(), key.Local, key.Domain)
	if name := address.UnicodeName(key.Local); err == nil && l == nil && name != key.Local {
		l, err = s.o.Lists.FindList(r.Context(), name, key.Domain)
	}
	if err != nil {
		return nil, err
	}
	if l == nil || !l.Advertised && l.ArchiveAccess != model.AccessPublic {
		return nil, fault.New(fault.NotFound, "there is no such list")
	}
	return l, nil
}

// list is what a stranger may know of one list.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	var folder string
	l, err := s.find(r)
	if err == nil {
		folder, err = s.o.Folder(r.Context(), l)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "list.html", l.Title(), struct {
		List   shown
		Folder string
		Public bool
	}{shown{l}, folder, l.ArchiveAccess == model.AccessPublic})
}

// post shows one post of a public list as plain text; its URL is the one in
// Archived-At.
func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	l, err := s.find(r)
	if err == nil && l.ArchiveAccess != model.AccessPublic {
		err = membersOnly()
	}
	var raw []byte
	if err == nil {
		raw, err = s.o.Archive.PostByPermalink(r.Context(), l, r.PathValue("hash"))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h, text := message.ParseHeader(raw), message.Read(raw)
	s.render(w, http.StatusOK, "post.html", shownSubject(h.Text("Subject")), struct {
		List               shown
		Author, Date, Text string
		Files              []string
	}{shown{l}, authorName(h), h.Text("Date"), text.Text(), text.Files})
}

// authorName names who wrote it without giving the address to strangers.
func authorName(h message.Header) string {
	from := h.Addresses("From")
	if len(from) == 0 {
		return "(unknown)"
	}
	if from[0].Name != "" {
		return shownAuthor(from[0].Name)
	}
	return from[0].Address.Local + "@…"
}
