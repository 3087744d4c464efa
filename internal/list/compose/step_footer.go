package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"plenary/internal/mail/message"
)

// stepFooter adds the list's footer in the way that changes least: to the text
// itself when the message is nothing but plain text, as a part more when it is a
// multipart/mixed, else by wrapping the message, whose own bytes then are one
// part. Signed, encrypted and unreadable messages stay as they are, because a footer
// is not worth a broken signature (RFC 1847), and so does what is no text for
// people: an invitation, a delivery report or a forwarded message works by being
// the whole message.
func stepFooter(d *Draft) {
	if strings.TrimSpace(d.options.Footer) == "" {
		return
	}
	s := d.mime()
	if s.Opaque || !decorates(s.Root) {
		return
	}
	if appendText(d, s.Root) || addPart(d, s.Root) {
		return
	}
	wrap(d, s.Root)
}

// decorates tells the messages that take a footer; all others go out bit for bit.
func decorates(p *message.Part) bool {
	switch p.Type + "/" + p.Subtype {
	case "text/plain", "text/html", "multipart/mixed", "multipart/related":
		return true
	case "multipart/alternative": // an invitation and how it reads for others
		return !slices.ContainsFunc(p.Children, func(c *message.Part) bool { return c.Type == "text" && c.Subtype == "calendar" })
	}
	return false
}

// appendText puts the footer below the text of a message that is one text/plain
// part, when its charset and transfer encoding can carry it.
func appendText(d *Draft, p *message.Part) bool {
	if p.Type != "text" || p.Subtype != "plain" || p.Disposition == "attachment" || p.FileName() != "" || p.MD5 != "" {
		return false
	}
	var how encoding
	switch p.Encoding {
	case "7bit", "8bit":
	case "quoted-printable":
		how.quotedPrintable = true
	default:
		return false
	}
	how.charset = strings.ToLower(p.Param("charset"))
	how.eightBit = p.Encoding != "7bit"
	how.flowed = strings.EqualFold(p.Param("format"), "flowed")
	footer, ok := how.encode(footerText(d.options, true))
	if !ok || !endsInASCII(d.raw[p.BodyStart:p.End]) {
		return false
	}
	d.insert(p.End, append([]piece{{data: lineBreak(d.raw, p, how)}}, footer...)...)
	return true
}

// lineBreak is what is missing to end the last line of the text.
func lineBreak(raw []byte, p *message.Part, how encoding) []byte {
	body := raw[p.BodyStart:p.End]
	switch {
	case len(body) == 0 && !bytes.HasSuffix(raw[:p.BodyStart], []byte("\n")):
		return []byte("\r\n\r\n") // a header that nothing ended
	case len(body) == 0 && !endsHeader(raw[:p.BodyStart]):
		return []byte("\r\n")
	case len(body) > 0 && body[len(body)-1] != '\n':
		return []byte("\r\n")
	case how.quotedPrintable && (bytes.HasSuffix(body, []byte("=\r\n")) || bytes.HasSuffix(body, []byte("=\n"))):
		return []byte("\r\n") // a soft line break joins with the next line
	}
	return nil
}

// endsHeader tells whether an empty line stands at the end of a header.
func endsHeader(header []byte) bool {
	return len(header) == 2 || len(header) == 1 || bytes.HasSuffix(header, []byte("\n\r\n")) || bytes.HasSuffix(header, []byte("\n\n"))
}

// endsInASCII: a text in a charset that switches by escape sequences must have
// switched back before something is appended (RFC 1468).
func endsInASCII(body []byte) bool {
	i := bytes.LastIndexByte(body, 0x1B)
	if i < 0 {
		return bytes.LastIndexByte(body, 0x0E) <= bytes.LastIndexByte(body, 0x0F) // shift out, shift in: RFC 1557
	}
	esc := body[i:]
	return bytes.HasPrefix(esc, []byte("\x1b(B")) || bytes.HasPrefix(esc, []byte("\x1b(J"))
}

// addPart puts the footer as last part of a multipart/mixed, before the closing
// boundary line.
func addPart(d *Draft, p *message.Part) bool {
	boundary := p.Param("boundary")
	if p.Type != "multipart" || p.Subtype != "mixed" || boundary == "" || len(p.Children) == 0 {
		return false
	}
	at := p.Children[len(p.Children)-1].End
	rest := d.raw[at:]
	if !bytes.HasPrefix(rest, []byte("\r\n--"+boundary+"--")) {
		return false // not closed, or not what we think it is
	}
	d.insert(at, append([]piece{{data: []byte("\r\n--" + boundary + "\r\n")}}, footerPart(d.options)...)...)
	return true
}

// wrap makes the message the first part of a new multipart/mixed: its Content
// fields move, unchanged, from the header to the part, and its body follows bit
// for bit.
func wrap(d *Draft, p *message.Part) {
	var moved []byte
	isContent := func(name string) bool { return len(name) > 8 && strings.EqualFold(name[:8], "content-") }
	for _, f := range d.header.Fields() {
		if isContent(f.Name) {
			moved = append(moved, d.header.Raw(f)...)
		}
	}
	if len(moved) > 0 && moved[len(moved)-1] != '\n' {
		moved = append(moved, "\r\n"...)
	}
	d.cut(isContent)
	if !d.header.Has("MIME-Version") {
		d.add(field("MIME-Version", "1.0"))
	}
	boundary := newBoundary(d.raw)
	d.add([]byte("Content-Type: multipart/mixed;\r\n boundary=\"" + boundary + "\"\r\n"))
	if p.Encoding == "binary" || has8bit(d.raw[p.BodyStart:p.End]) {
		// RFC 2045 6.4: a multipart says the widest encoding inside.
		d.add(field("Content-Transfer-Encoding", map[bool]string{true: "binary", false: "8bit"}[p.Encoding == "binary"]))
	}
	open := "--" + boundary + "\r\n" + string(moved) + "\r\n"
	if header := d.raw[:p.BodyStart]; !endsHeader(header) {
		open = "\r\n" + open
		if len(header) > 0 && header[len(header)-1] != '\n' {
			open = "\r\n" + open
		}
	}
	d.insert(p.BodyStart, piece{data: []byte(open)})
	tail := append([]piece{{data: []byte("\r\n--" + boundary + "\r\n")}}, footerPart(d.options)...)
	d.insert(p.End, append(tail, piece{data: []byte("\r\n--" + boundary + "--\r\n")})...)
}

// newBoundary makes a boundary that is the same whenever the post is composed,
// and does not occur in it.
func newBoundary(raw []byte) string {
	sum := sha256.Sum256(raw)
	for {
		b := "=_plenary_" + hex.EncodeToString(sum[:12]) // "=_" cannot occur in encoded text, RFC 2045 6.7
		if !bytes.Contains(raw, []byte(b)) {
			return b
		}
		sum = sha256.Sum256(sum[:])
	}
}

func has8bit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
