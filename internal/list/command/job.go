package command

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	plain "plenary/internal/mail/message/word"
	"plenary/internal/model"
)

// job is the commands of one mail in work.
type job struct {
	s      *Service
	ctx    context.Context
	mail   Mail
	lists  map[string]*model.List // found so far, by address
	done   map[string]bool        // what was done, so that subject and text may say the same
	failed error                  // of the database, while a line was read
	below  bool                   // commands stand below the line at which reading stopped
	// repeated counts the lines of the mail that the answer repeats.
	repeated int
	others   map[string]bool // other addresses than the author's that were named
	// over counts the commands for further ones, of which nothing was done.
	over      int
	firstOver address.Address
}

// A human writes more than this many words below a subject that happens to be a
// command.
const (
	maxBelowWeak   = 12
	maxBelowStrong = 150
)

// plan finds the commands of a mail without carrying anything out: the lines that
// are commands, and the lines that are not.
func (j *job) plan() (calls []call, unknown []line, left int) {
	m := j.mail
	if m.Line != "" {
		if c, ok := j.parse(line{text: m.Line}); ok {
			return []call{c}, nil, 0
		}
		return nil, nil, 0
	}
	tags := []string{}
	if m.List != nil {
		tags = append(tags, m.List.SubjectTag, "["+m.List.Local+"]")
	}
	reading := message.Read(m.Raw)
	body := reading.Body
	lines, left := bodyLines(body)
	subject := subjectLine(m.Header, tags...)
	_, isReply := message.BaseSubject(m.Header.Text("Subject"), tags...)
	first, inBody := call{}, false
	if len(lines) > 0 {
		first, inBody = j.parse(lines[0])
	}
	if c, ok := j.parse(subject); ok {
		n := wordsBelow(body)
		if c.cmd.isWeak(c.verb) && !isReply { // somebody else's mail below an everyday word
			n += len(strings.Fields(reading.Quoted))
		}
		switch {
		case n == 0, inBody, !isReply && c.cmd.isWeak(c.verb) && n <= maxBelowWeak, !isReply && !c.cmd.isWeak(c.verb) && n <= maxBelowStrong:
			calls = append(calls, c)
		}
		if len(calls) > 0 && !inBody {
			return calls, nil, 0
		}
	}
	if inBody && j.reads(first, lines) {
		lines = lines[1:]
		calls = append(calls, first)
	}
	for i, l := range lines {
		if len(calls) > 0 && calls[len(calls)-1].cmd.end {
			return calls, unknown, 0
		}
		c, ok := j.parse(l)
		switch {
		case ok:
			calls = append(calls, c)
			continue
		case len(calls) > 0: // perhaps a signature, perhaps one more
			if j.below = j.isCommand(lines[i+1:]); j.below || !l.apart {
				unknown = append(unknown, l) // said once, if there is an answer anyway
			}
			return calls, unknown, 0
		}
		if unknown = append(unknown, l); len(unknown) >= maxErrors {
			return calls, unknown, left
		}
	}
	return calls, unknown, left
}

// isCommand tells whether one of some lines, up to an END, would have changed
// something and cannot well be a part of a signature: it names a list, or stands alone.
func (j *job) isCommand(lines []line) bool {
	for _, l := range lines {
		c, ok := j.parse(l)
		switch {
		case !ok:
		case c.cmd.end:
			return false
		case c.cmd.changes && (len(c.args) == 0 || c.args[0] == "*" || j.listNamed(c.args[0]) != nil):
			return true
		}
	}
	return false
}

// wordsBelow counts what stands below a subject, signatures left out; somebody
// else's mail without quote marks counts.
func wordsBelow(body string) (n int) {
	for l := range strings.Lines(body) {
		l = strings.TrimRight(l, "\n")
		if stops(l) && !quotedHeader.MatchString(strings.TrimSpace(l)) {
			break
		}
		n += len(strings.Fields(l))
	}
	return n
}

// reads tells whether the first line is meant as a command: an everyday word above
// a page of text is rather the beginning of a letter.
func (j *job) reads(c call, lines []line) bool {
	if !c.cmd.isWeak(c.verb) {
		return true
	}
	n, commands := 0, 0
	for _, l := range lines[1:] {
		if _, ok := j.parse(l); ok {
			commands++
		} else {
			n += len(strings.Fields(l.text))
		}
	}
	return n <= maxBelowWeak || commands > 0
}

// commands carries out the commands of a mail and answers once.
func (s *Service) commands(ctx context.Context, m Mail) error {
	j := &job{s: s, ctx: ctx, mail: m, lists: map[string]*model.List{}, done: map[string]bool{}, others: map[string]bool{}}
	calls, unknown, left := j.plan()
	if j.failed != nil {
		return j.failed
	}
	if len(calls) == 0 {
		return j.nothing(unknown)
	}
	var out []string
	help, letters := false, 0
	strange, withheld, taken := m.strange(), false, false
	for _, c := range calls {
		if strange && !c.cmd.changes && !c.cmd.end && !c.cmd.fixed && codeOf(c.args) == "" {
			withheld = true
			continue
		}
		s.Count(strings.ToLower(c.cmd.name()))
		r, err := c.cmd.run(ctx, j, c)
		if err == nil {
			err = j.failed
		}
		if err != nil {
			return err
		}
		help, taken = help || r.help, taken || r.asked
		if r.letter {
			letters++
		}
		if strange && c.cmd.changes && r.text != "" {
			withheld, r.text = true, ""
		}
		if r.text != "" || r.letter {
			out = append(out, j.echo(c.line, c.verb, r.text)+"\n"+indented(r.text, r.letter))
		}
		if r.stop {
			break
		}
	}
	if j.over > 0 {
		if strange {
			withheld = true
		} else {
			out = append(out, j.overText())
		}
	}
	if strange && letters == len(out) {
		if withheld || len(out) == 0 && !onlyEnd(calls) {
			return j.notAnswered(taken)
		}
		return nil
	}
	if strange {
		unknown, j.below = nil, false // what is not understood may be somebody else's words
		if withheld {
			out = append(out, notAll(taken))
		}
	}
	if len(out) == 0 || letters == len(out) && left == 0 && !j.below {
		if letters > 0 || len(out) > 0 || onlyEnd(calls) {
			return nil // the letters are the answer
		}
	}
	for _, l := range unknown {
		out = append(out, j.echo(l, "", "")+"\n    This was not understood.")
	}
	if j.below {
		out = append(out, "Nothing below that line was read, so what stands there was not done. Please send it again.")
	}
	if left > 0 {
		out = append(out, "Only "+itoa(maxLines)+" command lines of one mail are read; the rest was left out.")
	}
	return s.reply(ctx, m, strings.Join(once(out), "\n\n"), help || len(unknown) > 0)
}

// notAll says below what was answered that the rest was not.
func notAll(taken bool) string {
	text := "Some of your message was not answered: its return address is of another mail\ndomain, so somebody else may have written it."
	if taken {
		text += " Requests to join or to\nleave a list were taken: for each a letter asks the address itself."
	}
	return text
}

// once makes one block of equal ones in a row and says how many they were.
func once(blocks []string) (out []string) {
	for i := 0; i < len(blocks); {
		n := 1
		for i+n < len(blocks) && blocks[i+n] == blocks[i] {
			n++
		}
		block := blocks[i]
		if n > 1 {
			line, rest, _ := strings.Cut(block, "\n")
			block = line + " (" + itoa(n) + " times)\n" + rest
		}
		out = append(out, block)
		i += n
	}
	return out
}

func onlyEnd(calls []call) bool { return len(calls) == 1 && calls[0].cmd.end }

// nothing answers a mail without any command: at a list's address it was meant
// for people, at the server's it was mistyped.
func (j *job) nothing(unknown []line) error {
	m, s := j.mail, j.s
	if m.List != nil {
		if s.Owners == nil {
			return s.send(j.ctx, m, notify.Letter{Kind: notify.Help})
		}
		if err := s.Owners.Forward(j.ctx, m.List, m.Raw); err != nil {
			return err
		}
		s.Count("forward")
		return s.send(j.ctx, m, notify.Letter{Kind: notify.Help, Data: notify.Data{
			Text: "This address is read by a program first. No command was found in your message, so it was passed on to the people who run the list."}})
	}
	if m.strange() {
		return j.notAnswered(false)
	}
	var out []string
	for _, l := range unknown {
		out = append(out, j.echo(l, "", "")+"\n    This was not understood.")
	}
	if len(out) == 0 {
		out = append(out, "Your message held no command.")
	}
	return s.reply(j.ctx, m, strings.Join(out, "\n\n"), true)
}

// notAnswered says, without a word of the mail, that it was not answered; taken: but for
// requests to join or to leave.
func (j *job) notAnswered(taken bool) error {
	j.s.Log.Info("commands not answered: the return address is not the author's", "from", j.mail.From.String(), "reversePath", j.mail.ReversePath)
	return j.s.send(j.ctx, j.mail, notify.Letter{Kind: notify.OtherReturn, Data: notify.Data{Email: j.mail.From.Unicode(), Taken: taken}})
}

// echo repeats a line in an answer, and nothing else of the mail: answers must not
// carry a stranger's text to a forged address. A line of our own words comes back
// whole, of few others so much that who wrote it knows it again; then of a command
// only its verb. An address that the text below the line names is no news.
func (j *job) echo(l line, verb, below string) string {
	fields := strings.Fields(maskPassword(strings.Join(strings.Fields(l.text), " ")))
	ours := verb != "" && len(fields) > 0 && len(fields) < maxWords
	for i, f := range fields {
		if named := addressIn(f, below); named != "" && verb != "" {
			fields[i] = named
		} else if i == 0 || !ours || !j.isOurs(f) {
			fields[i], ours = plain.Harmless(f, maxLineShown), ours && i == 0
		}
	}
	text := strings.Join(fields, " ")
	if ours && !j.mail.strange() {
		return "> " + text
	}
	if j.repeated++; j.repeated > maxRepeated || j.mail.strange() {
		return strings.TrimSpace("> " + verb + " …")
	}
	if utf8.RuneCountInString(text) > maxLineShown {
		text = string([]rune(text)[:maxLineShown]) + "…"
	}
	return "> " + text
}

// addressIn gives a word that is an address which a text of ours names, as it is named there,
// or "".
func addressIn(word, text string) string {
	a, ok := addressArg(strings.Trim(word, "<>"))
	if !ok || !slices.ContainsFunc(strings.Fields(text), func(w string) bool { return strings.TrimRight(w, ".,:") == a.Unicode() }) {
		return ""
	}
	if strings.HasPrefix(strings.ToLower(word), "address=") {
		return "address=" + a.Unicode()
	}
	return a.Unicode()
}

// isOurs tells a word that comes from here: a list's name or address, or *.
func (j *job) isOurs(w string) bool { return w == "*" || j.listNamed(w) != nil }

// maskPassword hides what people still write as a password.
func maskPassword(s string) string {
	fields := strings.Fields(s)
	for i, f := range fields {
		if name, _, ok := strings.Cut(f, "="); ok && (strings.EqualFold(name, "pw") || strings.EqualFold(name, "password")) {
			fields[i] = name + "=***"
		}
	}
	if len(fields) > 1 && (strings.EqualFold(fields[0], "pw") || strings.EqualFold(fields[0], "password") || strings.EqualFold(fields[0], "approve")) {
		for i := range fields[1:] {
			fields[i+1] = "***"
		}
	}
	return strings.Join(fields, " ")
}

func indented(text string, letter bool) string {
	if text == "" && letter {
		text = "A letter about this is on its way to you."
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
