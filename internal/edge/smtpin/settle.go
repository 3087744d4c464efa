package smtpin

import (
	"bytes"
	"strconv"
	"strings"
)

// corrections are go-smtp's replies that carry a wrong code or say too much,
// by how they begin, and what is sent instead.
var corrections = [...]struct{ theirs, ours string }{
	{"502 5.5.1 Please introduce yourself", "503 5.5.1 Send EHLO first"},
	{"502 5.5.1 Missing MAIL FROM", "503 5.5.1 Send MAIL first"},
	{"502 5.5.1 Missing RCPT TO", "503 5.5.1 There is no recipient; send MAIL and RCPT first"},
	{"502 5.5.1 MAIL not allowed", "503 5.5.1 A message is being sent by BDAT"},
	{"502 5.5.1 RCPT not allowed", "503 5.5.1 A message is being sent by BDAT"},
	{"502 5.5.1 DATA not allowed", "503 5.5.1 A message is being sent by BDAT"},
	{"500 5.5.4 Unknown MAIL FROM argument", "555 5.5.4 This parameter of MAIL is not known here"}, // RFC 5321 4.1.1.11
	{"500 5.5.4 Unknown RCPT TO argument", "555 5.5.4 This parameter of RCPT is not known here"},
	{"500 5.5.4 Malformed AUTH parameter", "501 5.5.4 The AUTH parameter is malformed"},
	{"502 5.5.4 Missing parameter", "501 5.5.4 Write AUTH mechanism"},
	{"454 4.7.0 Invalid base64 data", "501 5.5.2 That is not base64"},              // RFC 4954 4
	{"500 5.5.1 Too many errors", "421 4.7.0 Too many errors, closing connection"}, // never permanent
	{"452 4.5.3 Maximum limit of", "452 4.5.3 Too many recipients; send the message again for the others"},
}

// settle takes go-smtp's finished replies to the last command, puts them
// right, and learns from them what comes next.
func (w *wire) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.reply) == 0 {
		return
	}
	reply := w.reply
	w.reply = nil
	code := 0
	if len(reply) > 3 {
		code, _ = strconv.Atoi(string(reply[:3]))
	}
	w.authLine = w.verb == "AUTH" && code == 334
	switch {
	case code == 250 && w.verb == "HELO":
		w.state = greetedHelo
		reply = []byte("250 " + w.srv.opt.Hostname + "\r\n")
	case code == 250 && (w.verb == "EHLO" || w.verb == "LHLO"):
		w.state = greetedEhlo
		reply = w.capabilities()
	case code == 250 && w.verb == "MAIL":
		w.vet = vetter{}
		reply = []byte("250 2.1.0 Sender accepted\r\n")
	case code == 250 && w.verb == "RCPT":
		reply = []byte("250 2.1.5 Recipient accepted\r\n")
	case code == 354 && w.verb == "DATA":
		w.inData = true
	default:
		reply = corrected(reply, w.utf8)
	}
	w.verb = ""
	if w.authLine {
		w.verb = "AUTH"
	}
	w.out = append(w.out, reply...)
}

// capabilities is the reply to EHLO (RFC 5321 4.1.1.1). We write it because
// what is honoured is decided here: TLS and AUTH, and SIZE to the octet.
func (w *wire) capabilities() []byte {
	lines := []string{w.srv.opt.Hostname,
		"PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES",
		"SIZE " + strconv.FormatInt(w.srv.opt.MaxMessageBytes, 10),
		"LIMITS RCPTMAX=" + strconv.Itoa(w.srv.opt.MaxRecipients), // RFC 9422
	}
	if w.srv.opt.TLSConfig != nil && !w.tls {
		lines = append(lines, "STARTTLS")
	}
	if mechs := w.session.AuthMechanisms(); len(mechs) > 0 {
		lines = append(lines, "AUTH "+strings.Join(mechs, " "))
	}
	last := len(lines) - 1
	return []byte("250-" + strings.Join(lines[:last], "\r\n250-") + "\r\n250 " + lines[last] + "\r\n")
}

// corrected replaces the lines go-smtp gets wrong and makes every octet fit
// for the wire (RFC 5321 4.2: printable ASCII; UTF-8 where the client asked for
// SMTPUTF8, RFC 6531 3.7.1): LMTP replies echo recipients.
func corrected(reply []byte, utf8 bool) []byte {
	var b []byte
	for line := range bytes.Lines(reply) {
		line = bytes.TrimRight(line, "\r\n")
		for _, c := range corrections {
			if bytes.HasPrefix(line, []byte(c.theirs)) {
				line = []byte(c.ours)
				break
			}
		}
		for _, r := range string(line) {
			if r < ' ' || r > '~' && !(utf8 && mayBeSaid(r)) {
				r = '?'
			}
			b = append(b, string(r)...)
		}
		b = append(b, "\r\n"...)
	}
	return b
}
