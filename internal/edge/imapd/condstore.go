package imapd

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// conditions is what a command says about mod-sequences (RFC 7162). The front
// takes it out of the command, because go-imap does not know it.
type conditions struct {
	modseq bool // MODSEQ or HIGHESTMODSEQ is asked for
	only   bool // and nothing else: what go-imap is asked in its place is not told

	changed bool   // CHANGEDSINCE
	unless  bool   // UNCHANGEDSINCE
	since   uint64 // for both

	enable bool // ENABLE CONDSTORE
	resync bool // ENABLE QRESYNC
	vanish bool // FETCH is to tell what was taken away
	back   *resync
	left   string // what a conditional STORE left alone: a sequence set
}

// readConditions takes what is about mod-sequences out of a command.
func (f *front) readConditions(c *command) error {
	if c.name == "FETCH" || c.name == "UID FETCH" {
		if err := c.takePage(); err != nil {
			return err
		}
	}
	if !f.sess.condstore() || !f.sess.loggedIn() {
		return nil
	}
	before := len(c.args)
	told, resyncs := f.sess.told, f.sess.resyncs
	switch c.name {
	case "SELECT", "EXAMINE":
		if err := f.takeSelect(c); err != nil {
			return err
		}
	case "STATUS", "LIST":
		c.takeStatus()
	case "ENABLE":
		for _, w := range strings.Fields(string(c.args)) {
			c.cond.enable = c.cond.enable || strings.EqualFold(w, "CONDSTORE")
			c.cond.resync = c.cond.resync || strings.EqualFold(w, "QRESYNC")
		}
		f.sess.resyncs = f.sess.resyncs || c.cond.resync
	case "FETCH", "UID FETCH":
		if err := c.takeFetch(f.sess.resyncs); err != nil {
			return err
		}
	case "STORE", "UID STORE":
		if err := c.takeStore(); err != nil {
			return err
		}
	}
	if len(c.args) != before || c.cond != (conditions{}) {
		f.sess.beginCondstore(c.name != "SELECT" && c.name != "EXAMINE")
		c.undo = func() { f.sess.undoCondstore(told, resyncs) }
	}
	return nil
}

// beginCondstore notes that the client knows of mod-sequences: from then on it
// is told them with each change of flags, and at once the mailbox's (RFC 7162
// 3.1).
func (s *session) beginCondstore(tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knows(tell)
}

// undoCondstore puts things back after a command that was refused: it began
// nothing.
func (s *session) undoCondstore(told, resyncs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.resyncs = told, resyncs
}

func (s *session) knows(tell bool) {
	if s.told {
		return
	}
	s.told = true
	if tell && s.sel != nil && !s.sel.held {
		s.front.put("* OK [HIGHESTMODSEQ " + strconv.FormatUint(s.sel.highest(s.sel.last), 10) + "] Highest\r\n")
	}
}

// noModSeqs refuses to compare mod-sequences where there are none (RFC 7162
// 3.1.2.2).
var noModSeqs = &imap.Error{Type: imap.StatusResponseTypeBad, Text: "This mailbox has no mod-sequences"}

// takeStatus takes HIGHESTMODSEQ out of the items of STATUS, or of LIST RETURN
// (STATUS (...)). Where nothing is left go-imap is asked for MESSAGES instead.
func (c *command) takeStatus() {
	const word = "HIGHESTMODSEQ"
	at, depth, quoted := -1, 0, false
	for i := 0; i < len(c.args) && at < 0; i++ {
		switch b := c.args[i]; {
		case quoted:
			if b == '\\' {
				i++
			}
			quoted = b != '"'
		case b == '"':
			quoted = true
		case b == '(':
			depth++
		case b == ')':
			depth--
		case depth > 0 && len(c.args)-i > len(word) && strings.EqualFold(string(c.args[i:i+len(word)]), word) &&
			bytes.IndexByte([]byte(" ("), c.args[i-1]) >= 0 && bytes.IndexByte([]byte(" )"), c.args[i+len(word)]) >= 0:
			at = i
		}
	}
	if at < 0 {
		return
	}
	c.cond.modseq = true
	head, tail := c.args[:at], c.args[at+len(word):]
	switch {
	case head[at-1] == '(' && tail[0] == ')':
		c.cond.only = true
		c.args = append(append(bytes.Clone(head), "MESSAGES"...), tail...)
	case tail[0] == ' ':
		c.args = append(bytes.Clone(head), tail[1:]...)
	default:
		c.args = append(bytes.Clone(head[:at-1]), tail...)
	}
}

// takeFetch takes MODSEQ out of the items of FETCH, and CHANGEDSINCE, which
// asks for it too (RFC 7162 3.1.4).
func (c *command) takeFetch(resyncs bool) error {
	set, rest, ok := strings.Cut(string(c.args), " ")
	if !ok {
		return nil
	}
	item, after := cutItem(strings.TrimLeft(rest, " "))
	if cut, ok := withoutVanished(after); ok && resyncs && c.name == "UID FETCH" {
		c.cond.vanish, after = true, cut
	}
	if n, found, err := modifier(after, "CHANGEDSINCE"); err != nil {
		return err
	} else if found {
		c.cond.changed, c.cond.modseq, c.cond.since = true, true, n
		after = ""
	}
	list := strings.HasPrefix(item, "(") && strings.HasSuffix(item, ")")
	inner := item
	if list {
		inner = item[1 : len(item)-1]
	}
	var kept []string
	for left := inner; left != ""; {
		var one string
		if one, left = cutItem(left); strings.EqualFold(one, "MODSEQ") {
			c.cond.modseq = true
			continue
		}
		kept = append(kept, one)
	}
	if len(kept) == 0 && c.cond.modseq {
		c.cond.only = true
		kept = []string{"UID"}
	}
	if !c.cond.modseq {
		return nil
	}
	item = strings.Join(kept, " ")
	if list {
		item = "(" + item + ")"
	}
	c.args = []byte(set + " " + item)
	if after != "" {
		c.args = append(append(c.args, ' '), after...)
	}
	return nil
}

// withoutVanished takes VANISHED out of the modifiers of FETCH (RFC 7162 3.2.6).
func withoutVanished(modifiers string) (rest string, found bool) {
	f := strings.Fields(strings.Trim(modifiers, " ()"))
	if len(f) != 3 {
		return modifiers, false
	}
	switch {
	case strings.EqualFold(f[2], "VANISHED"):
		return "(" + f[0] + " " + f[1] + ")", true
	case strings.EqualFold(f[0], "VANISHED"):
		return "(" + f[1] + " " + f[2] + ")", true
	}
	return modifiers, false
}

// takeStore takes UNCHANGEDSINCE out of STORE (RFC 7162 3.1.3).
func (c *command) takeStore() error {
	set, rest, _ := strings.Cut(string(c.args), " ")
	if !strings.HasPrefix(rest, "(") {
		return nil
	}
	item, after := cutItem(rest)
	n, found, err := modifier(item, "UNCHANGEDSINCE")
	if found {
		c.cond.unless, c.cond.since = true, n
		c.args = []byte(set + " " + after)
	}
	return err
}

// modifier reads "(NAME number)".
func modifier(text, name string) (n uint64, found bool, err error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "(") || !strings.HasSuffix(text, ")") {
		return 0, false, nil
	}
	f := strings.Fields(text[1 : len(text)-1])
	if len(f) != 2 || !strings.EqualFold(f[0], name) {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(f[1], 10, 63)
	if err != nil {
		return 0, false, &syntaxError{text: "A mod-sequence is a number"}
	}
	return n, true, nil
}

// conditioned puts into go-imap's responses what it does not know of.
func (f *front) conditioned(p []byte) []byte {
	c := f.cmd
	number := strconv.FormatUint(f.sess.highest, 10)
	switch {
	case (c.cond.enable || c.cond.resync) && bytes.HasPrefix(p, []byte("* ENABLED")):
		line := bytes.Clone(bytes.TrimRight(p, "\r\n"))
		if c.cond.enable {
			line = append(line, " CONDSTORE"...)
		}
		if c.cond.resync {
			line = append(line, " QRESYNC"...)
		}
		return append(line, "\r\n"...)
	case c.cond.modseq && bytes.HasPrefix(p, []byte("* STATUS ")):
		head := bytes.Clone(bytes.TrimSuffix(p, []byte(")\r\n")))
		if c.cond.only {
			head = head[:bytes.LastIndexByte(head, '(')+1]
		} else {
			head = append(head, ' ')
		}
		return append(head, "HIGHESTMODSEQ "+number+")\r\n"...)
	case (c.name == "SELECT" || c.name == "EXAMINE") && f.sess.condstore() && f.sess.highest == 0 && bytes.HasPrefix(p, []byte("* OK [UIDNEXT ")):
		return append(bytes.Clone(p), "* OK [NOMODSEQ] No mod-sequences here\r\n"...)
	case (c.name == "SELECT" || c.name == "EXAMINE") && f.sess.condstore() && bytes.HasPrefix(p, []byte("* OK [UIDNEXT ")):
		return append(bytes.Clone(p), "* OK [HIGHESTMODSEQ "+number+"] Highest\r\n"...)
	}
	return p
}
