package word

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// maxCharsetName bounds a charset name; the longest registered one has 45 octets.
const maxCharsetName = 64

// aliases are names seen in real mail that neither index below knows.
var aliases = map[string]string{
	"cp932":           "shift_jis",
	"cp936":           "gbk",
	"cp949":           "euc-kr",
	"cp950":           "big5",
	"gb_2312":         "gbk",
	"ks_c_5601":       "euc-kr",
	"ms932":           "shift_jis",
	"ms949":           "euc-kr",
	"utf-16":          "utf-16be", // RFC 2781 4.3: without a mark, big-endian
	"x-gbk":           "gbk",
	"x-mac-roman":     "macintosh",
	"x-utf_8j":        "utf-8",
	"iso-8859-1-1986": "windows-1252",
}

// vague are names that say nothing: the text is guessed.
var vague = map[string]bool{
	"": true, "us-ascii": true, "ascii": true, "7bit": true, "8bit": true, "binary": true, "default": true,
	"default_charset": true, "unknown": true, "unknown-8bit": true, "x-unknown": true, "none": true, "utf-8": true, "utf8": true,
}

// FromCharset turns b, said to be in the named charset, into UTF-8. Names are
// read as browsers read them (WHATWG: iso-8859-1 means windows-1252, gb2312
// means GBK), because senders mean them so. known is false when the name means
// nothing to us and the text was guessed. Text that is valid UTF-8 with
// non-ASCII characters although a one-octet charset was promised is still
// converted as promised. The result is valid UTF-8.
func FromCharset(b []byte, charset string) (text string, known bool) {
	name := strings.ToLower(strings.Trim(charset, " \t\"'"))
	if len(name) > maxCharsetName {
		return Guess(b), false
	}
	if vague[name] {
		return Guess(b), true
	}
	if name == "utf-7" || name == "unicode-1-1-utf-7" {
		return decodeUTF7(b), true
	}
	enc := lookup(name)
	if enc == nil {
		return Guess(b), false
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return Guess(b), false
	}
	return strings.ToValidUTF8(string(out), "\uFFFD"), true
}

// lookup finds the encoding of a lower-case name, or nil.
func lookup(name string) encoding.Encoding {
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	if name == "hz-gb-2312" { // the web replaces it, mail of the nineties uses it
		return simplifiedchinese.HZGB2312
	}
	if enc, err := htmlindex.Get(name); err == nil && enc != nil && enc != encoding.Replacement {
		return enc
	}
	if enc, err := ianaindex.MIME.Encoding(name); err == nil && enc != nil {
		return enc
	}
	return nil
}

// Guess turns octets of unknown charset into UTF-8: as they are when they are
// UTF-8, damaged in places or not, as windows-1252 otherwise. Nearly all
// unlabelled 8-bit mail is one of the two.
func Guess(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	if mostlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	var out strings.Builder
	out.Grow(len(b) + len(b)/8)
	for _, c := range b {
		out.WriteRune(windows1252(c))
	}
	return out.String()
}

// mostlyUTF8 tells text with more UTF-8 sequences than octets that are none.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return good > bad
}

// upper1252 is what windows-1252 holds at 0x80 to 0x9F; the five empty places
// keep the C1 control as the web does.
var upper1252 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
	0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
}

func windows1252(c byte) rune {
	if c >= 0x80 && c < 0xA0 {
		return upper1252[c-0x80]
	}
	return rune(c)
}
