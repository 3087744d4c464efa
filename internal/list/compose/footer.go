package compose

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/ianaindex"
)

// rule is the line between a text and the footer below it. It is no signature
// mark ("-- "): mail programs cut that when answering, with all that follows.
const rule = "_______________________________________________"

// leaveHole stands in footer text for the link of the copy.
const leaveHole = "\x00"

// maxFooterLine bounds a line of the footer, the link of the copy apart, so that
// it fits a line of 998 octets unencoded.
const maxFooterLine = 700

// footerText fills in the footer's placeholders: {list}, {title}, {leave},
// {owner}, {help}, {archive}, {post} are the same in all copies; {unsubscribe}
// is the leave link of the copy, for which a mark stays. below adds the line
// that parts it from the text above.
func footerText(o *Options, below bool) string {
	text := strings.ReplaceAll(o.Footer, "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7F {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = strings.NewReplacer("{list}", o.sub("").Unicode(), "{title}", o.Title, "{leave}", o.sub("leave").Unicode(),
		"{owner}", o.sub("owner").Unicode(), "{help}", o.sub("help").Unicode(), "{archive}", o.ListURL(),
		"{post}", o.ArchivedAt, "{unsubscribe}", leaveHole).Replace(text)
	text = strings.Trim(text, "\n") + "\n"
	if below {
		text = rule + "\n" + text
	}
	return text
}

// leaveText is what stands in the footer of a copy for {unsubscribe}: the link,
// or the address to write to when there is no web door.
func leaveText(o *Options, r Recipient) string {
	if u := o.leaveURL(r.OneClick); u != "" {
		return u
	}
	return o.sub("leave").String()
}

// footerPart is the footer as a MIME part with its own header, without a line
// break at the end: that one belongs to the boundary line after it.
func footerPart(o *Options) []piece {
	text := strings.TrimSuffix(footerText(o, false), "\n")
	head := "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n"
	how := encoding{charset: "us-ascii"}
	if !isASCII(text) || longLine(text) {
		head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
		how = encoding{charset: "utf-8", quotedPrintable: true}
	}
	pieces, _ := how.encode(text)
	return append([]piece{{data: []byte(head + "Content-Disposition: inline\r\n\r\n")}}, pieces...)
}

// encoding is how text must be written to go into a given part.
type encoding struct {
	charset         string // lower case; empty means us-ascii
	quotedPrintable bool
	eightBit        bool // unencoded octets above 127 are allowed
	flowed          bool // RFC 3676
}

// encode writes text with CRLF line ends, as pieces with a hole for each mark.
// It fails when charset or encoding cannot carry it.
func (e encoding) encode(text string) ([]piece, bool) {
	if !e.quotedPrintable && longLine(text) {
		return nil, false
	}
	if e.flowed {
		text = fixedLines(text)
	}
	var pieces []piece
	for i, part := range strings.Split(text, leaveHole) {
		if i > 0 {
			pieces = append(pieces, piece{hole: e.leave})
		}
		data, ok := e.octets(part)
		if !ok {
			return nil, false
		}
		pieces = append(pieces, piece{data: data})
	}
	return pieces, true
}

// leave writes the link of a copy.
func (e encoding) leave(o *Options, r Recipient) []byte {
	if !e.quotedPrintable {
		return []byte(leaveText(o, r))
	}
	// Soft line breaks around it, because its column is not known.
	return append(append([]byte("=\r\n"), quotedPrintable([]byte(leaveText(o, r)))...), "=\r\n"...)
}

// octets writes one stretch of text.
func (e encoding) octets(text string) ([]byte, bool) {
	data, ok := toCharset(text, e.charset)
	if !ok {
		return nil, false
	}
	if e.quotedPrintable {
		return quotedPrintable(data), true
	}
	if !e.eightBit && has8bit(data) {
		return nil, false
	}
	return []byte(strings.ReplaceAll(string(data), "\n", "\r\n")), true
}

// toCharset converts UTF-8 to the charset, when it knows it and every character
// has a place in it.
func toCharset(text, charset string) ([]byte, bool) {
	switch charset {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968":
		return []byte(text), isASCII(text)
	case "utf-8", "utf8":
		return []byte(text), true
	}
	enc, err := ianaindex.MIME.Encoding(charset)
	if err != nil || enc == nil {
		return nil, false
	}
	if plain, err := enc.NewEncoder().String("A~1"); err != nil || plain != "A~1" {
		return nil, false // no superset of ASCII: UTF-16, UTF-7, EBCDIC
	}
	data, err := enc.NewEncoder().String(text)
	return []byte(data), err == nil
}

// quotedPrintable encodes text with LF line ends (RFC 2045 6.7); lines end in
// CRLF and have at most 76 characters.
func quotedPrintable(data []byte) []byte {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(data)+len(data)/8)
	column := 0
	for i, c := range data {
		if c == '\n' {
			out, column = append(out, '\r', '\n'), 0
			continue
		}
		atEnd := i+1 == len(data) || data[i+1] == '\n'
		plain := c > ' ' && c < 0x7F && c != '=' || (c == ' ' || c == '\t') && !atEnd
		need := 1
		if !plain {
			need = 3
		}
		if column+need > 75 {
			out, column = append(out, "=\r\n"...), 0
		}
		if plain {
			out = append(out, c)
		} else {
			out = append(out, '=', hex[c>>4], hex[c&15])
		}
		column += need
	}
	return out
}

// fixedLines writes lines so that a reader of format=flowed joins none of them
// (RFC 3676 4.2, 4.4): no space at the end, a space before what looks quoted.
// The first line is empty: it ends a paragraph the text may have left open.
func fixedLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		l = strings.TrimRight(l, " ")
		if strings.HasPrefix(l, " ") || strings.HasPrefix(l, ">") || strings.HasPrefix(l, "From ") {
			l = " " + l
		}
		lines[i] = l
	}
	return "\n" + strings.Join(lines, "\n")
}

func longLine(text string) bool {
	for line := range strings.Lines(text) {
		if len(line) > maxFooterLine {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
