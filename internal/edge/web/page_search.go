package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/list/posting"
	"plenary/internal/model"
)

// Limits of what strangers may ask.
const (
	maxQuery     = 2000 // characters, as the language of searches has it
	maxSearching = 4    // questions at once
	searchTime   = 10 * time.Second
	hitsPage     = 20
)

// Searcher answers what people seek; archive.Reader is one.
type Searcher interface {
	Ask(ctx context.Context, who model.Actor, a archive.Ask) (archive.Answer, error)
}

// searched is the page of a question.
type searched struct {
	List  shown
	Query string
	Best  bool
	Wrong string // why the question cannot be meant
	Total int
	Hits  []searchHit
	More  string // where the next page is; empty: this is the last
}

// searchHit is a post that was found.
type searchHit struct {
	Day, Author, Subject, Link string
	Snippet                    []piece
}

// piece is a part of a snippet: words that were sought, or text between.
type piece struct {
	Text   string
	Sought bool
}

// search looks for posts of a public list, in the language of all doors. A
// question that cannot be meant is explained on the same page.
func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	l, err := s.find(r)
	if err == nil && l.ArchiveAccess != model.AccessPublic {
		err = membersOnly()
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	form := r.URL.Query()
	asked := strings.TrimSpace(form.Get("q"))
	p := searched{List: shown{l}, Query: strings.ToValidUTF8(asked, ""), Best: form.Get("order") == "best"}
	skip, _ := strconv.Atoi(form.Get("skip"))
	switch {
	case !utf8.ValidString(asked):
		p.Wrong = "That is not text in UTF-8, and cannot be looked for."
	case utf8.RuneCountInString(asked) > maxQuery:
		p.Query, p.Wrong = "", "That is too long to look for."
	case p.Query != "":
		err = s.ask(r.Context(), &p, max(skip, 0))
	}
	if fault.Is(err, fault.Invalid) {
		p.Wrong, err = sentence(fault.Text(err)), nil
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "search.html", "Search "+l.Title(), p)
}

func membersOnly() error {
	return fault.New(fault.Forbidden, "this archive is for subscribers: read it by IMAP, with an app password")
}

// ask fills in what was found.
func (s *Server) ask(ctx context.Context, p *searched, skip int) error {
	select {
	case s.searching <- struct{}{}:
		defer func() { <-s.searching }()
	default:
		return fault.New(fault.TooMany, "many people search at this moment, please try again")
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	got, err := s.o.Search.Ask(ctx, model.Actor{Anonymous: true}, archive.Ask{Text: p.Query, List: p.List.ID, Limit: hitsPage, Skip: skip, Ranked: p.Best})
	if err != nil {
		return err
	}
	p.Total = got.Total
	for _, h := range got.Hits {
		hit := searchHit{Day: h.SentAt.Time().Format(time.DateOnly), Author: shownAuthor(h.Author), Subject: shownSubject(h.Subject), Snippet: pieces(h.Snippet)}
		if h.MessageID != "" {
			hit.Link = "/archive/" + url.PathEscape(p.List.Address()) + "/" + posting.Permalink(h.MessageID)
		}
		p.Hits = append(p.Hits, hit)
	}
	if next := skip + len(got.Hits); len(got.Hits) == hitsPage && next < got.Total {
		q := url.Values{"q": {p.Query}, "skip": {strconv.Itoa(next)}}
		if p.Best {
			q.Set("order", "best")
		}
		p.More = "?" + q.Encode()
	}
	return nil
}

// shownAuthor keeps an address that stands for a name from strangers.
func shownAuthor(name string) string {
	if local, _, ok := strings.Cut(strings.ReplaceAll(name, "＠", "@"), "@"); ok {
		return local + "@…"
	}
	return name
}

// pieces parts a snippet at its marks.
func pieces(snippet string) (all []piece) {
	for text := range strings.SplitSeq(snippet, archive.MarkStart) {
		word, rest, marked := strings.Cut(text, archive.MarkEnd)
		if !marked {
			word, rest = "", text
		}
		for _, p := range []piece{{word, true}, {rest, false}} {
			if p.Text != "" {
				all = append(all, p)
			}
		}
	}
	return all
}
