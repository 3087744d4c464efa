package gen

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// wordLimit is the longest encoded-word, RFC 2047 2.
const wordLimit = 75

// fields gives the header fields of m by name.
func (b *builder) fields(m *Message) (map[string]string, error) {
	words := func(s string) (string, error) { return encodeWords(m.Charset, s) }
	if m.set["raw-header"] != "" { // unencoded UTF-8, as RFC 6532 allows
		words = func(s string) (string, error) { return s, nil }
	}
	name, err := words(m.Author.Name)
	if err != nil {
		return nil, err
	}
	subject, err := words(m.Subject)
	if err != nil {
		return nil, err
	}
	if isASCII([]byte(m.Author.Name)) && strings.ContainsAny(m.Author.Name, ".,()") {
		name = `"` + name + `"`
	}
	agent, value, _ := strings.Cut(m.client.agent, ": ")
	f := map[string]string{
		"Date":         dateField(m),
		"From":         name + " <" + m.Author.Address + ">",
		"To":           b.list.Address,
		"Subject":      subject,
		"Message-ID":   "<" + m.ID + ">",
		"MIME-Version": "1.0",
		agent:          value,
	}
	if m.client.toName {
		f["To"] = b.list.Name + " <" + b.list.Address + ">"
	}
	if m.client.html == "office" || m.client.name == "desk" {
		f["Content-Language"] = m.Lang
		if m.Lang == "en" {
			f["Content-Language"] = "en-GB"
		}
	}
	if cc := m.set["cc"]; cc != "" {
		f["Cc"] = cc
	}
	m.threadFields(f)
	return f, nil
}

func dateField(m *Message) string {
	switch m.set["date-form"] {
	case "gmt":
		return m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	case "comment":
		return m.Date.Format("Mon, 2 Jan 2006 15:04:05 -0700") + " (CET)"
	case "short":
		return m.Date.Format("2 Jan 2006 15:04:05 -0700")
	}
	return m.Date.Format("Mon, 2 Jan 2006 15:04:05 -0700")
}

// threadFields writes In-Reply-To and References, well or in one of the ways
// in which clients get them wrong ("refs: ...").
func (m *Message) threadFields(f map[string]string) {
	if m.Parent == "" {
		return
	}
	f["In-Reply-To"] = "<" + m.Parent + ">"
	if !m.client.oldParent {
		f["References"] = "<" + strings.Join(m.chain, "> <") + ">"
	}
	switch m.set["refs"] {
	case "none": // a new message with the old subject
		delete(f, "In-Reply-To")
		delete(f, "References")
	case "parentless": // the last id cut off
		delete(f, "In-Reply-To")
		f["References"] = "<" + strings.Join(m.chain[:len(m.chain)-1], "> <") + ">"
	case "words": // RFC 822 allowed a phrase here
		f["In-Reply-To"] = `Your message of "` + m.Arrived.Add(-26*time.Hour).Format("Mon, 02 Jan 2006 15:04:05 -0700") + `" <` + m.Parent + ">"
	case "commas": // ids separated by commas
		f["References"] = "<" + strings.Join(m.chain, ">,<") + ">"
	case "first": // only the first and the last id kept
		f["References"] = "<" + m.chain[0] + "> <" + m.chain[len(m.chain)-1] + ">"
	}
}

// encodeWords writes a text for a header field, RFC 2047, in the charset of
// the message where that suffices.
func encodeWords(charset, s string) (out string, err error) {
	if isASCII([]byte(s)) {
		return s, nil
	}
	if _, err := encode(charset, s); err != nil || charset == "us-ascii" {
		charset = "utf-8"
	}
	q := mostlyASCII(s)
	var words []string
	for s != "" {
		n, word := 0, ""
		for n < len(s) {
			_, size := utf8.DecodeRuneInString(s[n:])
			next, err := encodeWord(charset, s[:n+size], q)
			if err != nil {
				return "", err
			}
			if len(next) > wordLimit-10 { // leave room for the field name of the first line
				break
			}
			n, word = n+size, next
		}
		if at := strings.LastIndexByte(s[:n], ' '); n < len(s) && at > 0 { // better between two words
			n = at + 1
			if word, err = encodeWord(charset, s[:n], q); err != nil {
				return "", err
			}
		}
		words, s = append(words, word), s[n:]
	}
	return strings.Join(words, " "), nil
}

func encodeWord(charset, s string, q bool) (string, error) {
	coded, err := encode(charset, s)
	if err != nil {
		return "", err
	}
	if !q {
		return "=?" + charset + "?B?" + base64.StdEncoding.EncodeToString(coded) + "?=", nil
	}
	var out strings.Builder
	for _, c := range coded {
		switch {
		case c == ' ':
			out.WriteByte('_')
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("!*+-/", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return "=?" + charset + "?Q?" + out.String() + "?=", nil
}

// mostlyASCII tells whether the Q encoding is the shorter one.
func mostlyASCII(s string) bool {
	other := 0
	for _, r := range s {
		if r >= 0x80 {
			other++
		}
	}
	return 3*other < len(s)
}

// foldField writes one field, folded at blanks at 76 columns.
func foldField(name, value string) string {
	line := name + ":"
	var out strings.Builder
	for _, word := range strings.Split(value, " ") {
		if len(line)+1+len(word) > 76 && strings.TrimSpace(line) != name+":" {
			out.WriteString(line + "\n")
			line = ""
		}
		line += " " + word
	}
	return out.String() + line + "\n"
}
