package web

import (
	"net/http"
	"strconv"

	"plenary/internal/fault"
	"plenary/internal/mail/message"
)

const shownTime = "2 Jan 2006 15:04:05"

type caughtRow struct {
	ID                             int64
	When, Recipient, Subject, From string
}

// caught lists what the catcher kept, for one recipient or for all.
func (s *Server) caught(w http.ResponseWriter, r *http.Request) {
	ctx, to := r.Context(), r.URL.Query().Get("to")
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	people, err := s.o.Catcher.Recipients(ctx)
	var letters []Caught
	if err == nil {
		letters, err = s.o.Catcher.Letters(ctx, to, before, pageSize)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data := struct {
		People    []string
		Recipient string
		Letters   []caughtRow
		Older     int64
	}{People: people, Recipient: to}
	for _, c := range letters {
		h := message.ParseHeader(c.Data)
		data.Letters = append(data.Letters, caughtRow{c.ID, c.At.Local().Format(shownTime), c.Recipient, h.Text("Subject"), h.Text("From")})
	}
	if len(letters) == pageSize {
		data.Older = letters[len(letters)-1].ID
	}
	s.render(w, http.StatusOK, "catch.html", "Caught letters", data)
}

func (s *Server) findLetter(r *http.Request) (*Caught, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fault.New(fault.NotFound, "there is no such letter")
	}
	return s.o.Catcher.Letter(r.Context(), id)
}

// letter shows one letter as its reader would see it, header below.
func (s *Server) letter(w http.ResponseWriter, r *http.Request) {
	c, err := s.findLetter(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h, text := message.ParseHeader(c.Data), message.Read(c.Data)
	title := h.Text("Subject")
	if title == "" {
		title = "(no subject)"
	}
	s.render(w, http.StatusOK, "letter.html", title, struct {
		ID                                                            int64
		From, To, ReplyTo, Date, Recipient, ReversePath, Text, Header string
		Files                                                         []string
	}{c.ID, h.Text("From"), h.Text("To"), h.Text("Reply-To"), h.Text("Date"), c.Recipient, c.ReversePath,
		text.Plain, message.CleanText(string(c.Data[:h.Len()])), text.Files})
}

// rawLetter gives the bytes as they would go over the wire.
func (s *Server) rawLetter(w http.ResponseWriter, r *http.Request) {
	c, err := s.findLetter(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(c.Data)
}
