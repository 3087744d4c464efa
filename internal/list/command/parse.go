package command

import (
	"context"
	"strings"
	"unicode"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// command is one verb people may write.
type command struct {
	// Names are the verb and its other spellings; the capitals at the beginning of
	// each are the shortest abbreviation (SUBscribe: sub, subs, ...).
	Names []string
	Usage string // arguments, for HELP
	Doc   string // one sentence for people
	end   bool   // ends the commands of a mail
	// changes: who writes it believes afterwards that something is different.
	changes bool
	// fixed: its answer is our own text alone, which may go to somebody who did not ask.
	fixed bool
	// fits tells whether what follows the verb can be its arguments.
	fits func(j *job, verb string, args []string) bool
	run  func(ctx context.Context, j *job, c call) (result, error)
}

// call is a command with its arguments, as somebody wrote it.
type call struct {
	cmd  *command
	verb string // as found in Names, upper case
	args []string
	line line
}

// result is what became of a command.
type result struct {
	text   string // for the answer; empty when there is nothing to add
	letter bool   // a letter to the author is the answer already
	asked  bool   // a request to join or to leave was taken, by a letter to the address
	stop   bool   // what follows is not read
	help   bool   // add the card of commands
}

// match finds the verb's full spelling in upper case.
func (c *command) match(word string) (verb string, ok bool) {
	for _, name := range c.Names {
		min := 0
		for min < len(name) && (name[min] < 'a' || name[min] > 'z') {
			min++
		}
		if len(word) >= min && len(word) <= len(name) && strings.EqualFold(name[:len(word)], word) {
			return strings.ToUpper(name), true
		}
	}
	return "", false
}

// polite words before a command say nothing.
var polite = map[string]bool{"please": true, "pls": true, "kindly": true, "bitte": true, "quiet": true, "command:": true}

// trimWord takes off what people put around words.
func trimWord(s string) string { return strings.Trim(s, ".,;:!?\"'*_“”‘’«»()[]") }

// parse reads a line as a command; ok is false when it is none.
func (j *job) parse(l line) (c call, ok bool) {
	args := words(l.text)
	for len(args) > 0 && polite[strings.ToLower(args[0])] {
		args = args[1:]
	}
	if len(args) == 0 || len(args) >= maxWords {
		return call{}, false
	}
	verb := args[0]
	if verb != "-" && verb != "?" {
		verb = trimWord(verb)
	}
	args = args[1:]
	if n := len(args); n > 0 { // "leave talk."
		args[n-1] = strings.TrimRight(args[n-1], ".,;!?")
		if args[n-1] == "" {
			args = args[:n-1]
		}
	}
	for i := range j.s.table {
		cmd := &j.s.table[i]
		if full, ok := cmd.match(verb); ok && cmd.fits(j, full, args) {
			return call{cmd: cmd, verb: full, args: args, line: l}, true
		}
	}
	return call{}, false
}

// listNamed finds the list a word names: its name, address or List-Id, or at its
// own address name-L as on LISTSERV. nil: none.
func (j *job) listNamed(word string) *model.List {
	word = strings.ToLower(strings.Trim(word, "<>,;"))
	local, domain := word, j.mail.Domain
	if a, err := address.Parse(word); err == nil {
		local, domain = strings.ToLower(a.Local), a.Domain
	} else if id, ok := strings.CutSuffix(word, "."+j.mail.Domain); ok {
		local = id
	}
	if own := j.mail.List; own != nil && domain == own.Domain && (local == own.Local || local == own.Local+"-l") {
		return own
	}
	if local == "" || len(local) > 64 || strings.ContainsAny(local, "*\"\\ ") {
		return nil
	}
	l := j.lookUp(local, domain)
	if short, ok := strings.CutSuffix(local, "-l"); ok && l == nil {
		l = j.lookUp(short, domain)
	}
	return l
}

// lookUp asks the store, once for each address.
func (j *job) lookUp(local, domain string) *model.List {
	key := local + "@" + domain
	if l, ok := j.lists[key]; ok {
		return l
	}
	l, err := j.s.Store.FindList(j.ctx, local, domain)
	if err != nil {
		j.failed = err
		return nil
	}
	j.lists[key] = l
	return l
}

// target takes the list off the arguments: the one they begin with, or the one
// the address implies. nil: none is meant.
func (j *job) target(args []string) (*model.List, []string) {
	if len(args) > 0 {
		l := j.listNamed(args[0])
		// At a list's own address a bare word is rather a name than another list.
		if l != nil && (j.mail.List == nil || l == j.mail.List || strings.Contains(args[0], "@")) {
			return l, args[1:]
		}
	}
	return j.mail.List, args
}

func isOption(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != ""
}

func isAddress(word string) bool {
	_, err := address.Parse(strings.TrimPrefix(strings.ToLower(word), "address="))
	return err == nil
}

// isNameLike tells words that read like a person's name: few, in capitals.
func isNameLike(args []string) bool {
	if len(args) > 4 {
		return false
	}
	for _, w := range args {
		r := []rune(w)
		if len(r) == 0 || !unicode.IsUpper(r[0]) && !unicode.Is(unicode.Lo, r[0]) {
			return false
		}
	}
	return true
}
