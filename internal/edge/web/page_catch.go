package web

import (
	"fmt"
	"net/http"
	"regexp"
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
		data.Letters = append(data.Letters, caughtRow{c.ID, c.At.Local().Format(shownTime), c.Recipient, shownSubject(h.Text("Subject")), h.Text("From")})
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
	s.render(w, http.StatusOK, "letter.html", shownSubject(h.Text("Subject")), struct {
		ID                                                            int64
		From, To, ReplyTo, Date, Recipient, ReversePath, Text, Header string
		Files                                                         []string
		Answer                                                        string
	}{c.ID, h.Text("From"), h.Text("To"), h.Text("Reply-To"), h.Text("Date"), c.Recipient, c.ReversePath,
		text.Text(), message.CleanText(string(c.Data[:h.Len()])), text.Files, s.answer(c, h)})
}

var plainAddress = regexp.MustCompile(`^[A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+$`)

// answer is the command that answers a letter that waits for a reply, to be pasted
// into a shell; empty where there is none, or a shell might read more into it.
func (s *Server) answer(c *Caught, h message.Header) string {
	to := h.Text("Reply-To")
	if s.o.SMTP == "" || !plainAddress.MatchString(to) || !plainAddress.MatchString(c.Recipient) {
		return ""
	}
	return fmt.Sprintf(`printf 'From: %s\r\nTo: %s\r\nSubject: Re: your letter\r\n\r\nOK\r\n' | curl -sS smtp://%s --mail-from %s --mail-rcpt %s --upload-file -`,
		c.Recipient, to, s.o.SMTP, c.Recipient, to)
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
