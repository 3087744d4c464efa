package notify

import (
	"bytes"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"

	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
)

// Limits of the format.
const (
	maxLine      = 78 // characters, RFC 5322 2.1.1 asks for 78 and demands 998
	maxLocalPart = 64 // octets, RFC 5321 4.5.3.1.1
)

// draft is a letter on its way to bytes.
type draft struct {
	letter  Letter
	form    form
	subject string
	text    string // LF line ends
	now     time.Time
	unique  string
	out     bytes.Buffer
}

// domain is the right side of our own addresses and Message-IDs.
func (m *draft) domain() string {
	if m.letter.List != nil {
		return m.letter.List.Domain
	}
	return m.letter.Domain
}

// local is the local part of a function of the list or the server.
func (m *draft) local(function sender) string {
	switch {
	case m.letter.List != nil:
		return address.ASCIIName(m.letter.List.Local) + "-" + string(function)
	case function == fromOwner:
		return "postmaster"
	}
	return "listserv"
}

// bytes builds the message, CRLF line ends.
func (m *draft) bytes() []byte {
	l := m.letter
	m.field("From", m.from().String())
	m.field("To", l.To.String())
	m.field("Subject", word.EncodeText(m.subject))
	m.field("Date", m.now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	m.field("Message-ID", "<"+m.messageID()+">")
	if l.InReplyTo != "" {
		m.field("In-Reply-To", "<"+msgID(l.InReplyTo)+">")
	}
	if refs := m.references(); refs != "" {
		m.field("References", refs)
	}
	if l.Token != "" {
		m.field("Reply-To", m.replyTo())
	}
	m.field("Auto-Submitted", map[bool]string{true: "auto-replied", false: "auto-generated"}[m.form.Replied])
	m.field("X-Auto-Response-Suppress", "All")
	if l.List != nil {
		m.field("List-Id", address.ListID(l.List.Local, l.List.Domain, l.List.Description, l.List.Title()))
	}
	m.field("MIME-Version", "1.0")
	if len(l.Attach) == 0 {
		m.textPart()
	} else {
		m.withAttachment()
	}
	return m.out.Bytes()
}

func (m *draft) from() address.Mailbox {
	name := "Lists at " + address.ForPeople(m.domain())
	if m.letter.List != nil {
		name = clip(m.letter.List.Title(), 80)
	}
	return address.Mailbox{Name: name, Address: address.Address{Local: m.local(m.form.From), Domain: m.domain()}}
}

// messageID carries the token of letters that want an answer: some mail clients
// answer without Reply-To but keep In-Reply-To.
func (m *draft) messageID() string {
	left := m.unique
	if m.letter.Token != "" {
		left = TokenID(m.letter.Token) + m.unique[:8]
	}
	return left + "@" + m.domain()
}

// idMark begins the left side of Message-IDs that carry a token.
const idMark = "confirm."

// TokenID is how the Message-ID of a letter begins that wants an answer.
func TokenID(token string) string { return idMark + token + "." }

// TokenOf finds the token in a Message-ID of ours, which may come without
// brackets; "" when there is none.
func TokenOf(messageID string) string {
	rest, ok := strings.CutPrefix(strings.Trim(messageID, "<> "), idMark)
	if !ok {
		return ""
	}
	token, _, _ := strings.Cut(rest, ".")
	return token
}

// replyTo is the confirm address; where the list's name is so long that a local
// part could not hold it, the request address, and the subject carries the
// token.
func (m *draft) replyTo() string {
	local := "listserv"
	if m.letter.List != nil {
		local = address.ASCIIName(m.letter.List.Local) + "-confirm+" + m.letter.Token
		if len(local) > maxLocalPart {
			local = m.local(fromRequest)
		}
	}
	return address.Address{Local: local, Domain: m.domain()}.String()
}

func (m *draft) references() string {
	var ids []string
	for _, id := range []string{m.letter.InReplyTo, m.letter.Thread} {
		if id != "" {
			ids = append(ids, "<"+msgID(id)+">")
		}
	}
	return strings.Join(ids, " ")
}

// msgID drops what could end the field or the id early.
func msgID(id string) string {
	id = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '<' || r == '>' || r == 0x7F {
			return -1
		}
		return r
	}, id)
	return strings.ToValidUTF8(clip(id, 900), "")
}

// field writes one header field, folded at spaces. Values hold no CR or LF:
// everything that comes from outside went through package word.
func (m *draft) field(name, value string) {
	value = strings.NewReplacer("\r", "", "\n", " ").Replace(value)
	line := name + ": " + value
	for len(line) > maxLine {
		at := strings.LastIndexByte(line[:maxLine], ' ')
		if at <= len(name)+1 || strings.TrimSpace(line[:at]) == "" {
			next := strings.IndexByte(line[maxLine:], ' ')
			if next < 0 {
				break
			}
			at = maxLine + next
		}
		m.out.WriteString(line[:at] + "\r\n")
		line = line[at:]
		name = ""
	}
	m.out.WriteString(line + "\r\n")
}

// textPart writes the text with its own fields; quoted-printable as soon as it
// would not pass a strict relay as it stands.
func (m *draft) textPart() {
	m.field("Content-Type", "text/plain; charset=utf-8")
	plain := true
	for _, line := range strings.Split(m.text, "\n") {
		plain = plain && len(line) <= maxLine && !strings.HasPrefix(line, "From ") && ascii(line)
	}
	if plain {
		m.field("Content-Transfer-Encoding", "7bit")
		m.out.WriteString("\r\n" + strings.ReplaceAll(m.text, "\n", "\r\n"))
		return
	}
	m.field("Content-Transfer-Encoding", "quoted-printable")
	m.out.WriteString("\r\n")
	w := quotedprintable.NewWriter(&m.out)
	_, _ = w.Write([]byte(strings.ReplaceAll(m.text, "\n", "\r\n"))) // a bytes.Buffer does not fail
	_ = w.Close()
}

// withAttachment writes the text and the post as it came. A message may only be
// attached as it is (RFC 2046 5.2.1), so its own line ends are made CRLF and
// nothing else is touched.
func (m *draft) withAttachment() {
	post, typ, name := m.letter.Attach, "message/rfc822", "post.eml"
	if len(post) > maxAttach || m.letter.HeaderOnly {
		post, typ, name = header(post), "text/rfc822-headers", "header.txt" // RFC 6522 4
	}
	post = crlf(post)
	boundary := "=_" + m.unique
	for n := 0; bytes.Contains(post, []byte(boundary)); n++ {
		boundary = fmt.Sprintf("=_%s_%d", m.unique, n)
	}
	m.field("Content-Type", "multipart/mixed; boundary=\""+boundary+"\"")
	eightBit := !ascii(string(post))
	if eightBit { // said on both levels, RFC 2045 6.4
		m.field("Content-Transfer-Encoding", "8bit")
	}
	m.out.WriteString("\r\n--" + boundary + "\r\n")
	m.textPart()
	m.out.WriteString("\r\n--" + boundary + "\r\n")
	m.field("Content-Type", typ)
	m.field("Content-Disposition", "attachment; filename="+name)
	if eightBit {
		m.field("Content-Transfer-Encoding", "8bit")
	}
	m.out.WriteString("\r\n")
	m.out.Write(post)
	m.out.WriteString("\r\n--" + boundary + "--\r\n")
}

// header is the message's header, bounded.
func header(msg []byte) []byte {
	if len(msg) > maxHeaderShown {
		msg = msg[:maxHeaderShown]
		if i := bytes.LastIndexByte(msg, '\n'); i >= 0 {
			msg = msg[:i+1]
		}
	}
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(msg, []byte(end)); i >= 0 {
			msg = msg[:i+len(end)/2]
		}
	}
	return msg
}

// crlf makes bare LFs CRLF.
func crlf(b []byte) []byte {
	if n := bytes.Count(b, []byte("\n")); n == bytes.Count(b, []byte("\r\n")) {
		return b
	}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0 {
			return false
		}
	}
	return true
}
