package accept

import (
	"context"
	"fmt"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Sizes that tell a command from a post.
const (
	maxCommandLines = 4   // lines of a message whose text begins with a command
	maxCommandWords = 30  // and its words
	maxUnderSubject = 150 // words below a subject that is a command: signatures and disclaimers are long
)

// errand is a command people send to the list by mistake.
type errand struct {
	word string
	// strong commands count whatever stands in the other places; weak ones are
	// everyday words and count only when the message holds nothing else.
	strong bool
	// args tells whether these words may follow the command.
	args func(l *model.List, args []string) bool
	// purpose and function make the hint: what one wants, and where to write.
	purpose, function string
}

var errands = []errand{
	{"unsubscribe", true, leaveArgs, "leave the list", "leave"},
	{"unsub", true, leaveArgs, "leave the list", "leave"},
	{"signoff", true, leaveArgs, "leave the list", "leave"},
	{"leave", true, namedArgs, "leave the list", "leave"},
	{"remove", true, namedArgs, "leave the list", "leave"},
	{"subscribe", true, joinArgs, "join the list", "join"},
	{"sub", true, namedArgs, "join the list", "join"},
	{"join", true, namedArgs, "join the list", "join"},
	{"signup", true, namedArgs, "join the list", "join"},
	{"confirm", true, tokenArgs, "confirm a request", "request"},
	{"set", true, setArgs, "change your settings", "request"},
	{"help", false, listArgs, "get help", "help"},
	{"info", false, listArgs, "learn about the list", "help"},
	{"lists", false, noArgs, "see the lists of this site", "request"},
	{"who", false, listArgs, "ask about the subscribers", "request"},
	{"review", false, listArgs, "ask about the subscribers", "request"},
	{"query", false, listArgs, "see your settings", "request"},
	{"options", false, noArgs, "see your settings", "request"},
}

// askAdministrivia catches commands that were sent to the posting address. It
// must never catch a post that is about a command, so both the words and the
// shape of the message have to fit: few short lines, or a bare command as
// subject.
func askAdministrivia(_ context.Context, c *Case) (bool, string, error) {
	if !c.List.Administrivia {
		return false, "", nil
	}
	subject, reply := message.BaseSubject(c.Header.Text("Subject"), c.List.SubjectTag)
	e := findErrand(c.List, subject, reply, ownLines(c.Reading().Body))
	if e == nil || !e.strong && !reply && c.Reading().Quoted != "" { // an everyday word above somebody else's mail
		return false, "", nil
	}
	return true, fmt.Sprintf("It looks like the command %q, which the list address does not carry out. To %s, write to %s.",
		e.word, e.purpose, c.List.Sub(e.function)), nil
}

func findErrand(l *model.List, subject string, reply bool, lines []string) *errand {
	bySubject := parseErrand(l, subject)
	var byBody *errand
	words := 0
	for _, line := range lines {
		for range strings.FieldsSeq(line) {
			words++
		}
	}
	if len(lines) > 0 {
		byBody = parseErrand(l, lines[0])
	}
	short := len(lines) <= maxCommandLines && words <= maxCommandWords
	switch {
	case bySubject != nil && len(lines) == 0:
		return bySubject
	case byBody != nil && byBody.strong && short:
		return byBody
	case byBody != nil && len(lines) == 1 && (subject == "" || reply || bySubject != nil):
		return byBody
	case bySubject != nil && bySubject.strong && !reply && words <= maxUnderSubject:
		return bySubject
	case short && len(lines) > 0 && asksToLeave(lines[0]):
		return &errands[0]
	}
	return nil
}

// parseErrand reads one line as a command.
func parseErrand(l *model.List, line string) *errand {
	words := strings.Fields(strings.ToLower(line))
	if len(words) == 0 || len(words) > 8 {
		return nil
	}
	for i := range words {
		words[i] = strings.Trim(words[i], ".,;:!?\"'*_“”‘’")
	}
	for i := range errands {
		if e := &errands[i]; e.word == words[0] && e.args(l, words[1:]) {
			return e
		}
	}
	return nil
}

// asksToLeave understands the usual ways to ask in plain words.
func asksToLeave(line string) bool {
	line = " " + strings.Join(strings.Fields(strings.ToLower(line)), " ") + " "
	for _, polite := range []string{" please ", " pls ", " kindly ", " can you ", " could you "} {
		line = strings.TrimPrefix(line, strings.TrimSuffix(polite, " "))
	}
	line = strings.TrimPrefix(line, " please")
	for _, ask := range []string{" unsubscribe me", " unsubscribe my", " remove me ", " remove my ", " take me off",
		" sign me off", " i want to unsubscribe", " i would like to unsubscribe", " i'd like to unsubscribe"} {
		if strings.HasPrefix(line, ask) {
			return true
		}
	}
	return false
}

func noArgs(_ *model.List, args []string) bool { return len(args) == 0 }

func listArgs(l *model.List, args []string) bool {
	return len(args) == 0 || len(args) == 1 && namesList(l, args[0])
}

// leaveArgs: nothing, the list, an address, "me", or the list and an address.
func leaveArgs(l *model.List, args []string) bool {
	switch len(args) {
	case 0:
		return true
	case 1:
		return namesList(l, args[0]) || isAddress(args[0]) || args[0] == "me" || args[0] == "*"
	case 2, 3:
		return namesList(l, args[0]) && (isAddress(args[1]) || args[1] == "me" || len(args) == 2) ||
			args[0] == "*" && strings.Contains(args[1], "netwide") || args[0] == "from" && namesList(l, args[1])
	}
	return false
}

// joinArgs: nothing, an address, or the list and a name.
func joinArgs(l *model.List, args []string) bool {
	return len(args) == 0 || namesList(l, args[0]) || len(args) == 1 && (isAddress(args[0]) || args[0] == "me")
}

// namedArgs is for words that also begin ordinary sentences: they stand alone or
// with the list's name.
func namedArgs(l *model.List, args []string) bool {
	return len(args) == 0 || namesList(l, args[0]) && len(args) <= 4
}

func tokenArgs(_ *model.List, args []string) bool {
	return len(args) == 1 && len(args[0]) >= 16 && strings.ContainsAny(args[0], "0123456789") &&
		strings.Trim(args[0], "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func setArgs(l *model.List, args []string) bool {
	if len(args) > 1 && (namesList(l, args[0]) || args[0] == "*") {
		args = args[1:]
	}
	return len(args) > 0 && len(args) <= 3 && model.OptionWord(args[0])
}

// namesList tells the ways to name the list.
func namesList(l *model.List, s string) bool {
	return s == l.Local || s == l.Address() || s == l.ListID() || s == l.Local+"-l"
}

func isAddress(s string) bool {
	s, _ = strings.CutPrefix(s, "address=")
	_, err := address.Parse(s)
	return err == nil
}

// ownLines gives the lines of the author's own words: without blank lines,
// quotation, and what follows a signature mark.
func ownLines(body string) []string {
	var lines []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "--"), strings.HasPrefix(line, "__"):
			return lines
		case line == "", strings.HasPrefix(line, ">"), strings.HasPrefix(line, "#"):
			continue
		}
		if lines = append(lines, line); len(lines) > 200 {
			return lines
		}
	}
	return lines
}
