package notify

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
	"plenary/templates"
)

// wrapAt is where long lines are broken, in characters: 78 is what RFC 5322
// 2.1.1 asks for, a little less leaves room for a quoting mark.
const wrapAt = 74

// names is what templates say about the list, or the server, a letter is from.
type names struct {
	Title, Description, Info, Welcome                 string
	Address, Request, Owner, Join, Leave, Help, Local string
	Server                                            bool // the server's letter, no list's
	Open                                              bool // who asks can join
	Everyone                                          bool // its subscribers post
}

// page is what a template sees.
type page struct {
	Data
	List   names
	Token  string
	Cut    bool // the attached post was too large, only its header is there
	Attach bool // a post is attached
	// Unopened: only its header is there because it is built to do harm.
	Unopened bool
	Archive  string // URL, or empty
}

func parseTexts() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"day": day, "size": size, "indent": indent}).
		Option("missingkey=error").ParseFS(templates.FS, "mail/*.txt")
}

// day writes a date for people; a wrong time zone must not make it too late, so
// the hour is left out.
func day(t time.Time) string {
	if t.IsZero() {
		return "further notice"
	}
	return t.UTC().Format("Monday, 2 January 2006")
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

// indent sets a text of several lines apart.
func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

// render fills the template: the subject line and the text with LF line ends.
func (s *Service) render(f form, l Letter) (subject, text string, err error) {
	p := page{Data: clean(l.Data), Token: l.Token, Cut: len(l.Attach) > maxAttach || l.HeaderOnly, Unopened: l.HeaderOnly, Attach: len(l.Attach) > 0}
	if f.Replied { // it may go to somebody who did not write the message
		p.Subject = word.Harmless(p.Subject, maxSubject)
	}
	if p.Subject == "" && f.Kind != CommandReply {
		p.Subject = "(no subject)" // of a post; a command needs none
	}
	if l.List != nil {
		p.List, p.Archive = listNames(l.List), s.ArchiveURL(l.List)
	} else {
		p.List = serverNames(l.Domain)
	}
	var buf bytes.Buffer
	if err := s.texts.ExecuteTemplate(&buf, string(f.Kind)+".txt", p); err != nil {
		return "", "", fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	head, body, ok := strings.Cut(buf.String(), "\n\n")
	subject, isSubject := strings.CutPrefix(head, "Subject: ")
	if !ok || !isSubject || strings.Contains(subject, "\n") {
		return "", "", fault.New(fault.Internal, "the letter %q has no subject", string(f.Kind))
	}
	if len(body) > maxText {
		body = strings.ToValidUTF8(body[:maxText], "") + "\n[cut]\n"
	}
	return subject, wrap(tidy(body)), nil
}

// clean reduces the texts of strangers to plain text.
func clean(d Data) Data {
	for _, s := range []*string{&d.Email, &d.Name, &d.Author, &d.Subject, &d.Decision, &d.By} {
		*s = clip(word.Line(*s), 200)
	}
	d.Comment, d.Text = strings.TrimSpace(word.Clean(d.Comment)), strings.Trim(word.Clean(d.Text), "\n")
	reasons := make([]string, 0, len(d.Reasons))
	for _, r := range d.Reasons {
		reasons = append(reasons, clip(word.Line(r), 500))
	}
	d.Reasons = reasons
	return d
}

// clip cuts s to max characters.
func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max-1]) + "…"
}

func listNames(l *model.List) names {
	title := clip(word.Line(l.Title()), 80)
	return names{Title: title, Description: clip(word.Line(l.Description), 300), Info: strings.TrimSpace(word.Clean(l.Info)),
		Welcome: strings.TrimSpace(word.Clean(l.Welcome)), Local: l.Local, Address: address.ForPeople(l.Address()),
		Request: address.ForPeople(l.Sub("request")), Owner: address.ForPeople(l.Sub("owner")), Join: address.ForPeople(l.Sub("join")),
		Leave: address.ForPeople(l.Sub("leave")), Help: address.ForPeople(l.Sub("help")),
		Open: l.Joinable(), Everyone: l.Kind == model.Discussion}
}

func serverNames(domain string) names {
	at := func(local string) string { return address.ForPeople(local + "@" + domain) }
	return names{Title: "the lists at " + address.ForPeople(domain), Server: true, Address: at("listserv"), Request: at("listserv"),
		Owner: at("postmaster"), Help: at("listserv")}
}

// tidy drops white space at line ends and joins runs of empty lines, which
// templates leave where a part is absent.
func tidy(s string) string {
	var out []string
	empty := true // none at the start
	for _, line := range strings.Split(s, "\n") {
		line = strings.TrimRight(line, " \t")
		if line == "" && empty {
			continue
		}
		empty = line == ""
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

// wrap breaks long lines at spaces. What is left of a line goes in front of the
// next one of the same paragraph, or keeps the line's indentation; a word that is
// too long by itself, such as a URL, stays whole.
func wrap(s string) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		lead := line[:len(line)-len(strings.TrimLeft(line, " >*"))]
		hang := strings.ReplaceAll(lead, "*", " ")
		if len(lead) > wrapAt/2 {
			hang = ""
		}
		head, rest := breakLine(line, len(lead))
		for ; rest != ""; head, rest = breakLine(hang+rest, len(hang)) {
			out.WriteString(head + "\n")
			if isProse(line) && i+1 < len(lines) && isProse(lines[i+1]) {
				lines[i+1] = rest + " " + lines[i+1]
				head = ""
				break
			}
		}
		if rest == "" {
			out.WriteString(head + "\n")
		}
	}
	return out.String()
}

// isProse tells running text from a table, a quotation or an indented example.
func isProse(line string) bool {
	return line != "" && !strings.ContainsRune(" >*-", rune(line[0])) && !strings.Contains(line, "  ")
}

// breakLine parts a line at the last space that keeps the head within wrapAt
// characters, or at the first one after; never within the first skip octets.
func breakLine(line string, skip int) (head, rest string) {
	if utf8.RuneCountInString(line) <= wrapAt {
		return line, ""
	}
	at, n := -1, 0
	for i, r := range line {
		if r == ' ' && i > skip {
			if n > wrapAt && at >= 0 {
				break
			}
			at = i
			if n > wrapAt {
				break
			}
		}
		n++
	}
	if at < 0 {
		return line, ""
	}
	return strings.TrimRight(line[:at], " "), strings.TrimLeft(line[at:], " ")
}
