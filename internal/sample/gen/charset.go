package gen

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// encode gives s in a charset, or an error when the charset lacks a character.
// It works line by line, because iso-2022-jp must return to ASCII before each
// line end (RFC 1468).
func encode(charset, s string) ([]byte, error) {
	enc, err := findCharset(charset)
	if err != nil {
		return nil, err
	}
	if enc == nil {
		if charset == "us-ascii" && !isASCII([]byte(s)) {
			return nil, fmt.Errorf("not us-ascii: %.60q", s)
		}
		return []byte(s), nil
	}
	var out bytes.Buffer
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		coded, err := enc.NewEncoder().Bytes([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("not in %s: %.60q: %w", charset, line, err)
		}
		out.Write(coded)
		if esc := bytes.LastIndexByte(coded, 0x1b); esc >= 0 && !bytes.HasPrefix(coded[esc:], []byte("\x1b(B")) {
			out.WriteString("\x1b(B")
		}
	}
	return out.Bytes(), nil
}

// findCharset gives the encoding; nil means that UTF-8 is right already.
func findCharset(name string) (encoding.Encoding, error) {
	switch name {
	case "us-ascii", "utf-8":
		return nil, nil
	case "iso-8859-1":
		return charmap.ISO8859_1, nil
	case "iso-8859-2":
		return charmap.ISO8859_2, nil
	case "iso-8859-7":
		return charmap.ISO8859_7, nil
	case "iso-8859-15":
		return charmap.ISO8859_15, nil
	case "windows-1252":
		return charmap.Windows1252, nil
	case "windows-1256":
		return charmap.Windows1256, nil
	case "koi8-r":
		return charmap.KOI8R, nil
	case "iso-2022-jp":
		return japanese.ISO2022JP, nil
	}
	return nil, fmt.Errorf("no charset %q", name)
}

// choose gives the charset a client takes for a text: the one asked for, else
// the person's own, else UTF-8.
func (m *Message) choose(text string) (string, error) {
	if c := m.set["charset"]; c != "" {
		_, err := encode(c, text)
		return c, err
	}
	if m.client.name == "console" && isASCII([]byte(text)) {
		return "us-ascii", nil
	}
	if _, err := encode(m.Author.charset, text); err == nil {
		return m.Author.charset, nil
	}
	return "utf-8", nil
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == 0x1b {
			return false
		}
	}
	return true
}
