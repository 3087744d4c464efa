package imapd

import (
	"bytes"
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// next gives the next line for go-imap, answering what the front answers
// itself. An error ends the connection.
func (f *front) next() ([]byte, error) {
	if f.mode == modeIdle {
		return f.idleEnd()
	}
	if f.cmd != nil && !f.cmd.done {
		f.srv.opt.Log.Error("imap: a command was not read to its end", "name", f.cmd.name)
		return nil, errEnd
	}
	if f.cmd != nil && f.cmd.refused {
		f.cmd.undone()
	}
	f.cmd = nil
	for {
		if err := f.ended(); err != nil {
			return nil, err
		}
		if f.bad > maxMistakes || f.bad > maxNonsense && !f.sess.loggedIn() {
			f.put("* BYE Too many commands that make no sense\r\n")
			return nil, errEnd
		}
		c, err := f.readCommand()
		var bad *syntaxError
		if errors.As(err, &bad) {
			f.refuse(bad)
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.before++; f.before > maxBefore && !f.sess.loggedIn() {
			f.put("* BYE Log in next time\r\n")
			return nil, errEnd
		}
		pass, err := f.answer(c)
		if err != nil {
			return nil, err
		}
		if pass {
			f.cmd = c
			return c.line(), nil
		}
		c.undone() // go-imap gets what is about mod-sequences, unless it is refused
	}
}

// refuse answers a command that is none.
func (f *front) refuse(e *syntaxError) {
	f.bad++
	tag := e.tag
	if tag == "" {
		tag = "*"
	}
	f.put(tag + " BAD " + e.text + "\r\n")
}

// idleEnd gives go-imap the line that ends IDLE (RFC 9051 6.3.13). Go-imap knows
// only "DONE" in capitals; anything else is answered with BAD.
func (f *front) idleEnd() ([]byte, error) {
	line, err := f.readLine(f.srv.times.command, maxTag)
	f.mode = modeCommand
	var bad *syntaxError
	switch {
	case errors.As(err, &bad) || err == nil && !strings.EqualFold(string(bytes.TrimSpace(line)), "DONE"):
		return []byte("?\r\n"), nil
	case err != nil:
		return nil, err
	}
	return []byte("DONE\r\n"), nil
}

// answer runs a command that is the front's own, or says that go-imap gets it.
func (f *front) answer(c *command) (pass bool, err error) {
	if err := f.readConditions(c); err != nil {
		f.refuse(&syntaxError{tag: c.tag, text: err.Error()})
		return false, nil
	}
	switch c.name {
	case "CAPABILITY":
		f.put("* CAPABILITY " + f.capabilities() + "\r\n")
		return false, f.done(c)
	case "ID":
		return false, f.answerID(c)
	case "STARTTLS":
		return false, f.answerStartTLS(c)
	case "LOGIN":
		return f.guardLogin(c), nil
	case "AUTHENTICATE":
		return f.guardAuthenticate(c)
	case "COMPRESS":
		return false, f.answerCompress(c)
	case "APPEND":
		return false, f.answerAppend(c)
	case "SEARCH", "UID SEARCH":
		return false, f.answerSearch(c)
	case "SORT", "UID SORT":
		return false, f.answerSort(c)
	case "THREAD", "UID THREAD":
		return false, f.answerThread(c)
	case "IDLE":
		if f.sess.loggedIn() && len(c.args) == 0 {
			f.mode = modeIdle
		}
		return true, nil
	case "SELECT", "EXAMINE", "STATUS", "LIST", "LSUB", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE",
		"COPY", "UID COPY", "MOVE", "UID MOVE":
		return f.guardName(c)
	case "FETCH", "UID FETCH":
		if err := checkItems(string(c.args)); err != nil {
			f.refuse(&syntaxError{tag: c.tag, text: err.Error()})
			return false, nil
		}
		return true, nil
	case "NOOP", "CHECK", "LOGOUT", "ENABLE", "NAMESPACE", "CLOSE", "UNSELECT", "EXPUNGE", "UID EXPUNGE", "STORE", "UID STORE":
		return true, nil
	}
	if !f.sess.loggedIn() {
		f.put(c.tag + " BAD Unknown command\r\n* BYE This is an IMAP server\r\n")
		return false, errEnd
	}
	f.bad++
	f.put(c.tag + " BAD Unknown command\r\n")
	return false, nil
}

// guardName answers a command about a mailbox whose name is not modified UTF-7
// (RFC 3501 5.1.3): there is none, whatever the client enabled, while go-imap
// takes it for nonsense.
func (f *front) guardName(c *command) (pass bool, err error) {
	if !f.sess.loggedIn() {
		return true, nil
	}
	args, list := string(c.args), c.name == "LIST" || c.name == "LSUB"
	if strings.HasSuffix(c.name, "COPY") || strings.HasSuffix(c.name, "MOVE") {
		_, args, _ = strings.Cut(args, " ") // the messages
	}
	name, rest, ok := firstAString(args)
	if list && ok {
		name, _, ok = firstAString(strings.TrimLeft(rest, " "))
	}
	if !ok {
		return true, nil
	}
	switch _, ok = decodeUTF7(name); {
	case ok:
		return true, nil
	case list:
		return false, f.done(c)
	case c.name == "CREATE":
		return false, f.refusal(c, no(imap.ResponseCodeNoPerm, keepsNothing))
	}
	f.bad = 0
	return false, f.refusal(c, no(imap.ResponseCodeNonExistent, "There is no mailbox of that name"))
}

// done ends a command that the front answered well, with the news of the
// selected mailbox before it, as go-imap does for its own.
func (f *front) done(c *command) error {
	f.bad = 0
	if err := f.sess.announce(c.name != "SEARCH" && c.name != "SORT" && c.name != "THREAD"); err != nil {
		return err
	}
	f.put(c.tag + " OK " + c.name + " completed\r\n")
	return nil
}

// capabilities are what the client may use now (RFC 9051 6.1.1). ENABLE and IDLE
// are named before login too, as other servers do: Python's imaplib believes what
// it was told then.
func (f *front) capabilities() string {
	const always = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE"
	switch {
	case f.sess.loggedIn():
		some := ""
		if f.pack == nil {
			some = " COMPRESS=DEFLATE"
		}
		if f.sess.condstore() {
			some += " CONDSTORE QRESYNC"
		}
		move := ""
		if f.srv.opt.Moderation != nil {
			move = " MOVE"
		}
		return always + " BINARY CHILDREN" + some +
			" ESEARCH ESORT LIST-EXTENDED LIST-STATUS" + move + " NAMESPACE PARTIAL SEARCHRES" +
			" SORT SORT=DISPLAY SPECIAL-USE STATUS=SIZE THREAD=ORDEREDSUBJECT THREAD=REFERENCES UIDPLUS UNSELECT UTF8=ACCEPT WITHIN"
	case f.mayLogIn() && (f.tls != nil || f.srv.opt.TLSConfig == nil):
		return always + " AUTH=PLAIN AUTH=LOGIN AUTH=ANONYMOUS"
	case f.mayLogIn():
		return always + " STARTTLS AUTH=PLAIN AUTH=LOGIN AUTH=ANONYMOUS"
	case f.srv.opt.TLSConfig == nil:
		return always + " LOGINDISABLED AUTH=ANONYMOUS"
	}
	return always + " STARTTLS LOGINDISABLED AUTH=ANONYMOUS"
}

// answerID tells who we are (RFC 2971). What the client says of itself is only
// looked at for its form.
func (f *front) answerID(c *command) error {
	if !strings.EqualFold(string(c.args), "NIL") && (len(c.args) < 2 || c.args[0] != '(' || c.args[len(c.args)-1] != ')') {
		f.refuse(&syntaxError{tag: c.tag, text: "ID takes a list or NIL"})
		return nil
	}
	f.put(`* ID ("name" "Plenary")` + "\r\n")
	return f.done(c)
}

// answerStartTLS turns to TLS (RFC 9051 6.2.1). What a client, or somebody on
// the way, sent behind the command in the clear would be taken for something
// said under TLS: the connection ends.
func (f *front) answerStartTLS(c *command) error {
	switch {
	case len(c.args) > 0:
		f.refuse(&syntaxError{tag: c.tag, text: "STARTTLS takes no arguments"})
		return nil
	case f.tls != nil || f.sess.loggedIn():
		f.refuse(&syntaxError{tag: c.tag, text: "STARTTLS is not possible now"})
		return nil
	case f.srv.opt.TLSConfig == nil:
		f.put(c.tag + " NO [CANNOT] There is no TLS here\r\n")
		return nil
	case f.pos < len(f.in):
		f.put("* BYE Nothing may follow STARTTLS before TLS has begun\r\n")
		return errEnd
	}
	f.put(c.tag + " OK Begin TLS now\r\n")
	if err := f.flush(); err != nil {
		return err
	}
	return f.handshake()
}
