package imapd

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
)

// command is one command of the client, complete and in one line.
type command struct {
	tag     string
	done    bool   // go-imap has answered it
	refused bool   // with BAD or NO, and nothing of it was done
	name    string // upper case; "UID FETCH" and the like are one name
	args    []byte // what follows the name and its space, without the line end
	rest    *literal
	cond    conditions
	page    page   // PARTIAL of FETCH
	undo    func() // puts back what reading it began, where it is refused; nil: it began nothing
}

// literal is the announcement of a literal at the end of a line (RFC 9051 4.3).
type literal struct {
	size int64
	wait bool // the client waits to be asked for it
}

// tagged is how the command's outcome begins.
func (c *command) tagged() []byte { return []byte(c.tag + " ") }

// undone puts back what reading a command began that was refused.
func (c *command) undone() {
	if c.undo != nil {
		c.undo()
	}
}

// line is the command as go-imap gets it.
func (c *command) line() []byte {
	b := make([]byte, 0, len(c.tag)+len(c.name)+len(c.args)+4)
	b = append(b, c.tag...)
	b = append(append(b, ' '), c.name...)
	if len(c.args) > 0 {
		b = append(append(b, ' '), c.args...)
	}
	return append(b, '\r', '\n')
}

// syntaxError is a command that cannot be passed on; its text goes to the
// client.
type syntaxError struct {
	tag, text string
}

// Error is the text for the client.
func (e *syntaxError) Error() string { return e.text }

// readLine gives the next line without its end. A line longer than the limit is
// read to its end and refused.
func (f *front) readLine(first time.Duration, limit int) ([]byte, error) {
	wait, seen, long := first, 0, int64(0)
	for {
		if i := bytes.IndexByte(f.in[f.pos+seen:], '\n'); i >= 0 {
			line := f.in[f.pos : f.pos+seen+i]
			f.pos += seen + i + 1
			if long > 0 || len(line) > limit {
				return nil, &syntaxError{text: "That line is too long"}
			}
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		seen = len(f.in) - f.pos
		if seen > 0 {
			wait = f.srv.times.rest
		}
		if seen > limit {
			if long += int64(seen); long > f.discards() {
				return nil, errEnd
			}
			f.pos, seen = len(f.in), 0
		}
		if err := f.fill(wait); err != nil {
			return nil, err
		}
	}
}

// readCommand gives the next command with its literals folded in as quoted
// strings. The literal of APPEND is left unread. Errors other than
// *syntaxError end the connection.
func (f *front) readCommand() (*command, error) {
	wait := f.srv.times.stranger
	if f.sess.loggedIn() {
		wait = f.srv.times.command
	}
	line, err := f.readLine(wait, maxLine)
	if err != nil {
		return nil, err
	}
	c, err := parseCommand(line)
	if err != nil {
		return nil, f.refused(err, line)
	}
	for lit := trailing(c); lit != nil; lit = trailing(c) {
		if c.name == "APPEND" && len(bytes.TrimSpace(c.args)) > 0 {
			c.rest = lit
			return c, nil
		}
		if err := f.fold(c, lit); err != nil {
			var bad *syntaxError
			if errors.As(err, &bad) {
				bad.tag = c.tag
			}
			return nil, err
		}
	}
	return c, check(c)
}

// refused reads away what a client that did not wait sends after a line that is
// no command.
func (f *front) refused(err error, line []byte) error {
	c := &command{args: line}
	if lit := trailing(c); lit != nil && !lit.wait {
		if end := f.skip(lit); end != nil {
			return end
		}
	}
	return err
}

// fold reads a literal and the rest of its line.
func (f *front) fold(c *command, lit *literal) error {
	if lit.size > maxLiteral || len(c.args)+int(lit.size) > maxLine {
		if err := f.skip(lit); err != nil {
			return err
		}
		return &syntaxError{text: "[TOOBIG] A literal may have " + strconv.Itoa(maxLiteral) + " octets here"}
	}
	if lit.wait {
		f.put("+ Ready for the literal\r\n")
	}
	for len(f.in)-f.pos < int(lit.size) {
		if err := f.fill(f.srv.times.rest); err != nil {
			return err
		}
	}
	c.args = appendQuoted(c.args, f.in[f.pos:f.pos+int(lit.size)])
	f.pos += int(lit.size)
	tail, err := f.readLine(f.srv.times.rest, maxLine-len(c.args))
	if err != nil {
		return err
	}
	c.args = append(c.args, tail...)
	return nil
}

// appendQuoted writes a literal as a quoted string. Line ends, which a quoted
// string cannot carry, become spaces: no name holds one, and to a search they
// are white space.
func appendQuoted(b, lit []byte) []byte {
	b = append(b, '"')
	for _, c := range lit {
		switch c {
		case '\r', '\n':
			c = ' '
		case '"', '\\':
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// discards is how much of a refused command is read away.
func (f *front) discards() int64 {
	if f.sess.loggedIn() {
		return maxDiscard
	}
	return maxStranger
}

// skip reads away a literal that was refused, with the rest of the command,
// unless the client waits to be asked for it.
func (f *front) skip(lit *literal) error {
	limit := f.discards()
	for !lit.wait {
		if lit.size > limit {
			f.put("* BYE [TOOBIG] That is too much\r\n")
			return errEnd
		}
		limit -= lit.size
		for left := lit.size; left > 0; {
			if f.pos == len(f.in) {
				if err := f.fill(f.srv.times.rest); err != nil {
					return err
				}
			}
			n := min(left, int64(len(f.in)-f.pos))
			f.pos, left = f.pos+int(n), left-n
		}
		tail, err := f.readLine(f.srv.times.rest, maxLine)
		if err != nil {
			return err
		}
		if lit = trailing(&command{args: tail}); lit == nil {
			break
		}
	}
	return nil
}

// trailing takes the announcement of a literal off the end of c.args: {5}, {5+}
// or, for APPEND, ~{5}. One inside a quoted string is none.
func trailing(c *command) *literal {
	b := c.args
	if len(b) < 3 || b[len(b)-1] != '}' {
		return nil
	}
	i := bytes.LastIndexByte(b, '{')
	if i < 0 || insideQuotes(b[:i]) {
		return nil
	}
	digits := b[i+1 : len(b)-1]
	lit := &literal{wait: true}
	if n := len(digits); n > 0 && (digits[n-1] == '+' || digits[n-1] == '-') {
		digits, lit.wait = digits[:n-1], false
	}
	size, err := strconv.ParseUint(string(digits), 10, 62)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil
	}
	lit.size = int64(min(size, 1<<62-1)) // out of range: as large as can be
	c.args = bytes.TrimSuffix(b[:i], []byte{'~'})
	return lit
}

func insideQuotes(b []byte) bool {
	in := false
	for i := 0; i < len(b); i++ {
		switch {
		case in && b[i] == '\\':
			i++
		case b[i] == '"':
			in = !in
		}
	}
	return in
}

// parseCommand splits a line. The line may end with the announcement of a
// literal.
func parseCommand(line []byte) (*command, error) {
	tag, after, _ := bytes.Cut(line, []byte{' '})
	if len(tag) == 0 || len(tag) > maxTag || !all(tag, tagChar) {
		return nil, &syntaxError{text: "A command begins with a tag"}
	}
	name, args, _ := bytes.Cut(after, []byte{' '})
	c := &command{tag: string(tag), name: strings.ToUpper(string(name))}
	if c.name == "UID" {
		name, args, _ = bytes.Cut(args, []byte{' '})
		c.name += " " + strings.ToUpper(string(name))
	}
	if len(name) == 0 || len(name) > maxTag || !all(name, nameChar) {
		return nil, &syntaxError{tag: c.tag, text: "A command has a name after its tag"}
	}
	c.args = append(make([]byte, 0, len(args)), bytes.TrimRight(args, " ")...)
	return c, nil
}

// check refuses what go-imap would take for the end of the line, or could not
// carry.
func check(c *command) error {
	if len(c.args) > maxLine {
		return &syntaxError{tag: c.tag, text: "That command is too long"}
	}
	if bytes.ContainsAny(c.args, "\x00\r\n") {
		return &syntaxError{tag: c.tag, text: "A command holds no control characters"}
	}
	if insideQuotes(c.args) { // go-imap would read on in the next command
		return &syntaxError{tag: c.tag, text: "A quote is not closed"}
	}
	return nil
}

func all(b []byte, ok func(byte) bool) bool {
	for _, c := range b {
		if !ok(c) {
			return false
		}
	}
	return true
}

// atomChar is ATOM-CHAR (RFC 9051 9).
func atomChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`(){%*"\]`, c) < 0
}

// tagChar is ASTRING-CHAR except "+" (RFC 9051 9).
func tagChar(c byte) bool { return c != '+' && (atomChar(c) || c == ']') }

func nameChar(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '=' || c == '-'
}
