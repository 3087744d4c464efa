package smtpin

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// command looks at one line. What go-smtp reads wrongly is answered here or
// written anew; everything else goes on to it.
func (w *wire) command(raw string) {
	if w.authLine { // base64, for go-smtp's AUTH exchange
		w.line = []byte(raw)
		return
	}
	// A bare LF may end a command, as from a person at a terminal; inside a
	// message it is refused.
	line := strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r"), " ")
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		w.mistake(501, "5.5.2", "Control characters are not allowed in a command")
		return
	}
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if verb != "RCPT" && verb != "BDAT" && verb != "DATA" {
		if w.idle++; w.idle > maxIdleCommands {
			w.farewell("4.7.0", "Too many commands without a message")
			return
		}
	}
	w.verb = verb
	switch verb {
	case "EHLO", "HELO", "LHLO":
		w.forward(verb + " " + cleanHelo(arg))
	case "STARTTLS":
		w.startTLS(arg)
	case "MAIL":
		w.mail(arg)
	case "RCPT":
		w.rcpt(arg)
	case "DATA":
		if w.inOrder() {
			w.forward(line)
		}
	case "BDAT":
		w.bdat(arg)
	case "AUTH":
		if w.inOrder() {
			w.forward(line)
		}
	default:
		w.forward(line)
	}
}

func (w *wire) forward(line string) { w.line = []byte(line + "\r\n") }

// answer replies without go-smtp.
func (w *wire) answer(code int, enhanced, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = fmt.Appendf(w.out, "%d %s %s\r\n", code, enhanced, text)
}

// mistake answers a command that makes no sense, a few times.
func (w *wire) mistake(code int, enhanced, text string) {
	if w.mistakes++; w.mistakes > maxMistakes {
		w.farewell("4.7.0", "Too many errors")
		return
	}
	w.answer(code, enhanced, text)
}

// farewell says 421 and closes the connection (RFC 5321 3.8).
func (w *wire) farewell(enhanced, text string) {
	w.leaving = true
	w.answer(421, enhanced, text+", closing the connection")
}

// inOrder refuses what must not come now: anything before EHLO, also after
// STARTTLS (RFC 3207 4.2), and anything but RSET after a second MAIL. BDAT
// goes on all the same, because its chunk must be taken.
func (w *wire) inOrder() bool {
	switch {
	case w.state == notGreeted:
		w.answer(503, "5.5.1", "Send EHLO first")
	case w.session.spoilt():
		w.answer(503, "5.5.1", "MAIL came twice; send RSET first")
	default:
		return true
	}
	return false
}

func (w *wire) mail(arg string) {
	if !w.inOrder() {
		return
	}
	arg, ok := cutPrefixFold(arg, "FROM:")
	if !ok {
		w.mistake(501, "5.5.4", "Write MAIL FROM:<address>")
		return
	}
	path, params, err := parsePath(arg)
	if err != nil {
		w.mistake(501, "5.1.7", "The sender is unusable: "+err.Error())
		return
	}
	w.utf8 = asksUTF8(params)
	if !w.utf8 && !isASCII(path) {
		w.answer(553, "5.6.7", notDeclared)
		return
	}
	if w.tooLarge(params) {
		w.answer(552, "5.3.4", fmt.Sprintf("The message is larger than the %d octets allowed here", w.srv.opt.MaxMessageBytes))
		return
	}
	w.path = path
	w.forward("MAIL FROM:<" + path + ">" + params)
}

// notDeclared refuses an address in UTF-8 of a client that did not ask for it
// (RFC 6531 3.5): on its way on, nobody would know what the octets mean.
const notDeclared = "An address outside ASCII needs the SMTPUTF8 parameter of MAIL"

func asksUTF8(params string) bool {
	for param := range strings.FieldsSeq(params) {
		if strings.EqualFold(param, "SMTPUTF8") {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// tooLarge reads SIZE= of any length; go-smtp calls more than 32 bits a
// syntax error (RFC 1870 6: up to 20 digits).
func (w *wire) tooLarge(params string) bool {
	for param := range strings.FieldsSeq(params) {
		digits, ok := cutPrefixFold(param, "SIZE=")
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		size, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || size > w.srv.opt.MaxMessageBytes {
			return true
		}
	}
	return false
}

func (w *wire) rcpt(arg string) {
	if !w.inOrder() {
		return
	}
	arg, ok := cutPrefixFold(arg, "TO:")
	if !ok {
		w.mistake(501, "5.5.4", "Write RCPT TO:<address>")
		return
	}
	path, params, err := parsePath(arg)
	switch {
	case err == nil && path == "":
		err = errPathSyntax
	case errors.Is(err, errPathDomain) && strings.EqualFold(path, "postmaster"): // RFC 5321 4.1.1.3, 4.5.1
		path, err = path+"@"+w.srv.opt.Hostname, nil
	}
	if err != nil {
		w.mistake(501, "5.1.3", "The recipient is unusable: "+err.Error())
		return
	}
	if !w.utf8 && !isASCII(path) {
		w.answer(553, "5.6.7", notDeclared)
		return
	}
	w.path = path
	w.forward("RCPT TO:<" + path + ">" + params)
}

// bdat reads RFC 3030 2. The chunk follows whatever we think of the command;
// when its length is not known, what follows cannot be told from commands and
// the connection must end.
func (w *wire) bdat(arg string) {
	fields := strings.Fields(arg)
	last := len(fields) == 2 && strings.EqualFold(fields[1], "LAST")
	if len(fields) == 0 || len(fields) > 2 || len(fields) == 2 && !last || strings.Trim(fields[0], "0123456789") != "" {
		w.answer(501, "5.5.4", "Write BDAT octets [LAST]; closing the connection")
		w.leaving = true
		return
	}
	size, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || size > maxChunk {
		w.answer(552, "5.3.4", "The chunk is too large; closing the connection")
		w.leaving = true
		return
	}
	w.chunk = size
	w.session.chunk()
	line := "BDAT " + strconv.FormatInt(size, 10)
	if last {
		line += " LAST"
	}
	w.forward(line)
}

func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// cleanHelo keeps of the client's name what may stand in a Received field.
func cleanHelo(arg string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, " "), " ")
	if len(name) > maxHelo {
		name = name[:maxHelo]
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`()<>\";,`, r) {
			return '?'
		}
		return r
	}, name)
}
