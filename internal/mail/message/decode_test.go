package message

import (
	"strings"
	"testing"
)

// TestDecodeTransfer holds the decoding of what is slightly broken: the rest of
// the text is there.
func TestDecodeTransfer(t *testing.T) {
	long := strings.Repeat("words and ", 600)
	for _, c := range []struct{ name, encoding, body, want string }{
		{"none", "8bit", "caf\xe9=20\r\n", "caf\xe9=20\r\n"},
		{"a long line", "quoted-printable", long + "=20more\r\nlast\r\n", long + " more\r\nlast\r\n"},
		{"a form feed", "quoted-printable", "one\x0ctwo\r\nlast=21\r\n", "one\x0ctwo\r\nlast!\r\n"},
		{"raw ISO-2022-JP", "quoted-printable", "\x1b$B%F%9%H\x1b(B\r\nlast=21\r\n", "\x1b$B%F%9%H\x1b(B\r\nlast!\r\n"},
		{"white space behind a soft line break", "quoted-printable", "one \r\ntwo = \t\r\nthree=\r\n\r\n", "one\r\ntwo three\r\n"},
		{"an equals sign alone", "quoted-printable", "a=b=zz\r\nlast=21\r\n", "a=b=zz\r\nlast!\r\n"},
		{"no padding", "base64", "SGVsbG8gd29ybGQ\r\n", "Hello world"},
		{"a stray character", "base64", "SGVsb!G8gd29\r\nybGQ=\r\n", "Hello world"},
		{"a stray dash", "base64", "SGVsbG8-gd29\r\nybGQ=\r\n", "Hello world"},
		{"a stray space", "base64", "SGVs bG8g\r\nd29y*bGQ=\r\n", "Hello world"},
		{"a footer behind", "base64", "SGVsbG8=\r\n___________\r\nthe list\r\n", "Hello"},
		{"a short footer behind", "base64", "SGVsbG8=\r\nthe-list\r\n", "Hello"},
	} {
		got, known := DecodeTransfer([]byte(c.body), c.encoding)
		if string(got) != c.want || !known {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, known, c.want)
		}
	}
	for body, want := range map[string]string{"SGVsbG8=\r\n___________\r\nthe list\r\n": "Hello\n___________\r\nthe list\r\n", "SGVsbG8=\r\nthe-list\r\n": "Hello\nthe-list\r\n"} {
		if got := string(decodeTransfer([]byte(body), "base64")); got != want {
			t.Errorf("who reads a text gets %q, want %q", got, want)
		}
	}
	if got := string(decodeQuotedPrintable([]byte("one \r\ntw=\r\no\nthree"))); got != "one\r\ntwo\nthree" {
		t.Errorf("line ends: %q", got)
	}
	if got, known := DecodeTransfer([]byte("hello"), "x-odd"); string(got) != "hello" || known {
		t.Errorf("unknown: %q, %v", got, known)
	}
}
