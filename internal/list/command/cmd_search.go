package command

import (
	"context"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	plain "plenary/internal/mail/message/word"
	"plenary/internal/model"
)

const (
	maxFound      = 20  // posts that one answer shows
	maxFaultShown = 160 // characters of what is wrong with a search
)

// Found is what a search gave: the newest posts of all that match.
type Found struct {
	Total int
	Posts []FoundPost
	Where string // a sentence: how who asked gets at the whole posts, where their pages are not for her
}

// FoundPost is one of them, in words for people.
type FoundPost struct {
	Day, Author, Subject string
	Snippet              string // around the first word found; words sought stand in «»
	Link                 string // its page; empty where who asked cannot open it
}

func cmdSearch() command {
	return command{
		Names: []string{"SEArch"},
		Usage: "[list] what to look for",
		Doc: "Posts of a list's archive, newest first: words, \"phrases\", -not, OR, beginnings*, s:subject f:author t:to c:cc a:any address " +
			"b:text nq:own words q:quoted lines n:file d:2026-01..2026-03 d:2.weeks.ago.. has:attachment is:unread m:Message-ID thread:Message-ID.",
		fits: fitsSearch,
		run:  runSearch,
	}
}

// fitsSearch keeps sentences out: "Search for a new chair" is meant for people.
func fitsSearch(j *job, _ string, args []string) bool {
	if j.s.Search == nil || len(args) == 0 {
		return false
	}
	list, rest := j.target(args)
	if n := len(args); list == nil && n > 2 && strings.EqualFold(args[n-2], "in") && j.listNamed(args[n-1]) != nil { // as LISTSERV has it
		return true
	}
	if list == nil {
		return j.mail.List == nil && len(args) > 1 // which list, is asked
	}
	if j.mail.List == nil && len(rest) > 0 { // nobody writes letters to the server's address
		return true
	}
	if len(rest) == 0 || len(rest) > 12 {
		return false
	}
	switch strings.ToLower(rest[0]) {
	case "for", "the", "a", "an", "and", "is", "was", "has", "will", "of", "in", "committee", "party":
		return false
	}
	return true
}

// runSearch answers to the address that asked and to nobody else: whoever forges
// it learns nothing.
func runSearch(ctx context.Context, j *job, c call) (result, error) {
	list, query := j.searched(c)
	if list == nil {
		return j.whichList(c), nil
	}
	on, reads, err := j.mayRead(ctx, list)
	switch {
	case err != nil:
		return result{}, err
	case !on && !list.Advertised:
		return j.whichList(c), nil
	case !reads:
		return result{text: "The archive of " + address.ForPeople(list.Address()) + " is read by its members, and your address is not on the list."}, nil
	}
	found, err := j.s.Search(ctx, j.mail.From, list, query, maxFound)
	switch {
	case err != nil && ours(err):
		return result{}, err
	case err != nil:
		return result{text: sentence(j.shownFault(err))}, nil
	case len(found.Posts) == 0:
		return j.foundNothing(ctx, list, c)
	}
	return result{text: found.text()}, nil
}

// shownFault says what is wrong with a search; the words of it that it names are a
// stranger's too.
func (j *job) shownFault(err error) string {
	if j.repeated >= maxRepeated {
		return "that cannot be looked for"
	}
	return plain.Harmless(fault.Text(err), maxFaultShown)
}

// mayRead tells whether who asks is on the list, and may read its archive.
func (j *job) mayRead(ctx context.Context, list *model.List) (on, reads bool, err error) {
	sub, err := j.s.Store.FindSubscriber(ctx, list.ID, j.mail.From.Key())
	return sub != nil, sub != nil || list.ArchiveAccess == model.AccessPublic, err
}

// foundNothing says so. At a list's own address a bare word is
// sought there: when it is the name of another list, who asks may have meant that.
func (j *job) foundNothing(ctx context.Context, list *model.List, c call) (result, error) {
	out := result{text: "Nothing in the archive of " + address.ForPeople(list.Address()) + " matches."}
	if j.mail.List == nil || len(c.args) == 0 {
		return out, nil
	}
	other := j.listNamed(c.args[0])
	if other == nil || other.ID == list.ID {
		return out, nil
	}
	on, reads, err := j.mayRead(ctx, other)
	if err != nil || !reads || !on && !other.Advertised {
		return out, err
	}
	// The words stay away: an answer repeats a line once, cut and without passwords.
	out.text += "\n\nTo search " + address.ForPeople(other.Address()) + " write one of\n    SEARCH " + other.Address() + " and the words\n    SEARCH the words IN " + other.Local + "\n"
	return out, nil
}

// searched gives the list and the query as it was written, quotes included.
func (j *job) searched(c call) (*model.List, string) {
	text := strings.TrimSpace(oneSpace.Replace(c.line.text))
	for cut := false; !cut && text != ""; { // up to the verb
		var word string
		word, text, _ = strings.Cut(text, " ")
		cut = !polite[strings.ToLower(word)]
		text = strings.TrimSpace(text)
	}
	list, rest := j.target(c.args)
	if n := len(c.args); n > 2 && strings.EqualFold(c.args[n-2], "in") {
		if named := j.listNamed(c.args[n-1]); named != nil {
			return named, withoutLast(withoutLast(text)) // the list, and IN
		}
	}
	if len(rest) < len(c.args) {
		_, text, _ = strings.Cut(text, " ")
	}
	return list, strings.TrimSpace(text)
}

// oneSpace makes one space of all that words are parted by.
var oneSpace = strings.NewReplacer("\t", " ", "\u00a0", " ", "\u3000", " ")

// withoutLast takes the last word off.
func withoutLast(text string) string {
	return strings.TrimSpace(text[:max(strings.LastIndexByte(text, ' '), 0)])
}

func (f *Found) text() string {
	var out strings.Builder
	switch n := len(f.Posts); {
	case f.Total > n:
		out.WriteString(itoa(f.Total) + " posts match; the newest " + itoa(n) + ":\n")
	case n == 1:
		out.WriteString("One post matches:\n")
	default:
		out.WriteString(itoa(n) + " posts match, newest first:\n")
	}
	for _, p := range f.Posts {
		out.WriteString("\n" + p.Day + "  " + p.Author + ": " + p.Subject + "\n")
		for _, line := range []string{p.Snippet, p.Link} {
			if line != "" {
				out.WriteString("    " + line + "\n")
			}
		}
	}
	if n := len(f.Posts); n > 0 && f.Total > n {
		out.WriteString("\nFor older ones add d:.." + f.Posts[n-1].Day + " to what you look for.\n")
	}
	if f.Where != "" {
		out.WriteString("\n" + f.Where + "\n")
	}
	return out.String()
}
