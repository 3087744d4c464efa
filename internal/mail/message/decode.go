package message

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"plenary/internal/mail/message/word"
)

// maxLeaf bounds how much of one text part is decoded, in octets of the raw part.
const maxLeaf = 8 << 20

// text gives a text part as UTF-8 with LF lines and without control characters.
func (p *Part) text(raw []byte) string {
	body := raw[p.BodyStart:p.End]
	if len(body) > maxLeaf {
		body = body[:maxLeaf]
	}
	octets := decodeTransfer(body, p.Encoding)
	charset := p.Param("charset")
	if p.Subtype == "html" && charset == "" {
		charset = metaCharset(octets)
	}
	text, _ := word.FromCharset(octets, charset)
	return word.Clean(text)
}

// decodeTransfer is DecodeTransfer for reading. enmime does it; where it gives up
// or nothing comes out, our own patient decoders do.
func decodeTransfer(body []byte, encoding string) []byte {
	if encoding == "quoted-printable" || encoding == "base64" {
		if out, ok := enmimeLeaf(body, encoding); ok {
			return out
		}
	}
	if encoding == "base64" {
		out, tail := decodeBase64(body)
		if len(tail) > 0 {
			out = append(append(out, '\n'), tail...)
		}
		return out
	}
	out, _ := DecodeTransfer(body, encoding)
	return out
}

// DecodeTransfer undoes a Content-Transfer-Encoding, in lower case (RFC 2045 6).
// Nothing is cut off because something before it is broken. known tells the
// encodings of the RFC. Of others uuencode is undone, and the rest stays as it is.
func DecodeTransfer(body []byte, encoding string) (octets []byte, known bool) {
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return body, true
	case "quoted-printable":
		return decodeQuotedPrintable(body), true
	case "base64":
		out, _ := decodeBase64(body)
		return out, true
	case "uuencode", "x-uuencode", "x-uue", "uue":
		if out := decodeUU(body); len(out) > 0 {
			return out, false
		}
	}
	return body, false
}

// enmimeOptions keep enmime to decoding: no guessing, no conversion.
func enmimeOptions() []enmime.Option {
	return []enmime.Option{enmime.DisableCharacterDetection(true), enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true),
		enmime.MultipartWOBoundaryAsSinglePart(true), enmime.MaxStoredPartErrors(20), enmime.SetReadPartErrorPolicy(enmime.AllowCorruptTextPartErrorPolicy)}
}

// enmimeLeaf has enmime decode one body. This is the gate: the header it gets
// is ours and names no multipart, so its exponential and quadratic paths cannot
// be entered whatever the body holds. ok is false when it complains.
func enmimeLeaf(body []byte, encoding string) (out []byte, ok bool) {
	defer func() {
		if recover() != nil { // foreign code on foreign data
			out, ok = nil, false
		}
	}()
	head := "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n"
	doc := make([]byte, 0, len(head)+len(body))
	doc = append(append(doc, head...), body...)
	part, err := enmime.NewParser(enmimeOptions()...).ReadParts(bytes.NewReader(doc))
	if err != nil || part == nil || len(part.Errors) > 0 || len(part.Content) == 0 && len(bytes.TrimSpace(body)) > 0 {
		return nil, false
	}
	return part.Content, true
}

// decodeQuotedPrintable reads RFC 2045 6.7 and leaves what breaks its rules as it
// stands. Line ends stay what they are.
func decodeQuotedPrintable(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for at := 0; at < len(body); {
		end := lineEnd(body, at)
		line := bytes.TrimRight(body[at:end], " \t\r\n")
		lineBreak := ""
		if body[end-1] == '\n' {
			lineBreak = "\n"
			if end-2 >= at && body[end-2] == '\r' {
				lineBreak = "\r\n"
			}
		}
		at = end
		soft := len(line) > 0 && line[len(line)-1] == '='
		if soft {
			line = line[:len(line)-1]
		}
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 < len(line) {
				if hi, lo := hexDigit(line[i+1]), hexDigit(line[i+2]); hi >= 0 && lo >= 0 {
					out = append(out, byte(hi<<4|lo))
					i += 2
					continue
				}
			}
			out = append(out, line[i])
		}
		if !soft {
			out = append(out, lineBreak...)
		}
	}
	return out
}

// hexDigit gives the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// decodeBase64 reads base64 without regard to foreign characters (RFC 2045 6.8)
// and missing padding. tail is plain text that a list program once put after the
// encoded body.
func decodeBase64(body []byte) (out, tail []byte) {
	var letters []byte
	for at := 0; at < len(body); {
		end := lineEnd(body, at)
		line := bytes.TrimSpace(body[at:end])
		over := bytes.HasSuffix(letters, []byte{'='}) // padding ends the data
		if bytes.ContainsAny(line, " _-:.,@") && !isBase64Line(line, over) {
			tail = body[at:]
			break
		}
		for _, c := range line {
			if base64Char(c) {
				letters = append(letters, c)
			}
		}
		at = end
	}
	out = make([]byte, 0, len(letters)*3/4)
	for _, run := range bytes.FieldsFunc(letters, func(r rune) bool { return r == '=' }) {
		if len(run)%4 == 1 {
			run = run[:len(run)-1]
		}
		buf := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
		n, _ := base64.RawStdEncoding.Decode(buf, run)
		out = append(out, buf[:n]...)
	}
	return out, tail
}

// isBase64Line tells a line that is base64 but for a stray character or two. A
// short one is base64 only where the data is not over.
func isBase64Line(line []byte, over bool) bool {
	odd := 0
	for _, c := range line {
		if !base64Char(c) {
			odd++
		}
	}
	return odd <= 2 && (len(line) >= 40 || !over && odd*4 <= len(line))
}

func base64Char(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}

// decodeUU reads the lines of a uuencoded body between begin and end.
func decodeUU(body []byte) []byte {
	var out []byte
	begun := false
	for at := 0; at < len(body); {
		end := lineEnd(body, at)
		line := bytes.TrimRight(body[at:end], "\r\n")
		at = end
		switch {
		case !begun:
			begun = bytes.HasPrefix(line, []byte("begin "))
		case bytes.Equal(line, []byte("end")):
			return out
		case len(line) > 0:
			out = appendUULine(out, line)
		}
	}
	return out
}

func appendUULine(out, line []byte) []byte {
	n := int(line[0]-' ') & 63
	for i := 1; i < len(line) && n > 0; i += 4 {
		var v [4]byte
		for k := range v {
			if i+k < len(line) {
				v[k] = (line[i+k] - ' ') & 63
			}
		}
		octets := []byte{v[0]<<2 | v[1]>>4, v[1]<<4 | v[2]>>2, v[2]<<6 | v[3]}
		out = append(out, octets[:min(n, 3)]...)
		n -= 3
	}
	return out
}

// metaCharset looks for charset= in the first octets of an HTML document.
func metaCharset(doc []byte) string {
	head := strings.ToLower(string(doc[:min(len(doc), 2048)]))
	_, rest, ok := strings.Cut(head, "charset=")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, `"' `)
	if n := strings.IndexAny(rest, "\"' ;>/\r\n"); n >= 0 {
		return rest[:n]
	}
	return ""
}
