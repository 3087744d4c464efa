package imapd

import (
	"bytes"
	"strconv"
)

// envelope is what SORT needs of an ENVELOPE in its wire form.
type envelope struct {
	subject      []byte
	from, to, cc envelopePerson
}

// envelopePerson is the first address of a field; empty where there is none.
type envelopePerson struct{ name, mailbox, host []byte }

// shown is the name, or the address where there is none (RFC 5957 3). A group
// has only its name, where an address has its local part.
func (p envelopePerson) shown() string {
	switch {
	case len(p.name) > 0:
		return string(p.name)
	case len(p.host) == 0:
		return string(p.mailbox)
	}
	return string(p.mailbox) + "@" + string(p.host)
}

// readEnvelope reads the wire form of the archive (RFC 9051 7.5.2). What is not
// as expected is empty.
func readEnvelope(b []byte) (e envelope) {
	w := wire{bytes.TrimPrefix(b, []byte("("))}
	w.text() // date
	e.subject = w.text()
	e.from = w.people()
	w.people() // sender
	w.people() // reply-to
	e.to = w.people()
	e.cc = w.people()
	return e
}

// wire is what is left of a response.
type wire struct{ b []byte }

// text takes a string or NIL.
func (w *wire) text() []byte {
	w.b = bytes.TrimLeft(w.b, " ")
	switch {
	case len(w.b) == 0:
		return nil
	case w.b[0] == '{':
		end := bytes.Index(w.b, []byte("}\r\n"))
		if end < 0 {
			w.b = nil
			return nil
		}
		n, err := strconv.Atoi(string(w.b[1:end]))
		from := end + len("}\r\n")
		if err != nil || n < 0 || n > len(w.b)-from {
			w.b = nil
			return nil
		}
		s := w.b[from : from+n]
		w.b = w.b[from+n:]
		return s
	case w.b[0] != '"':
		w.b = bytes.TrimPrefix(w.b, []byte("NIL"))
		return nil
	}
	escaped := false
	for i := 1; i < len(w.b); i++ {
		switch w.b[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			s := w.b[1:i]
			w.b = w.b[i+1:]
			if escaped {
				s = unescaped(s)
			}
			return s
		}
	}
	w.b = nil
	return nil
}

func unescaped(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return out
}

// people takes a list of addresses and gives its first.
func (w *wire) people() (first envelopePerson) {
	w.b = bytes.TrimLeft(w.b, " ")
	if !bytes.HasPrefix(w.b, []byte("((")) {
		w.text()
		return first
	}
	w.b = w.b[1:]
	for n := 0; bytes.HasPrefix(w.b, []byte("(")); n++ {
		w.b = w.b[1:]
		p := envelopePerson{name: w.text()}
		w.text() // route
		p.mailbox, p.host = w.text(), w.text()
		w.b = bytes.TrimPrefix(w.b, []byte(")"))
		if n == 0 {
			first = p
		}
	}
	w.b = bytes.TrimPrefix(w.b, []byte(")"))
	return first
}
