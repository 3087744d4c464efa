package word

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Hello  world", "Hello  world"},
		{"q", "=?iso-8859-1?q?caf=E9_au_lait?=", "café au lait"},
		{"b", "=?UTF-8?B?w7xiZXI=?=", "über"},
		{"between words white space goes", "=?utf-8?q?a?= \r\n\t=?utf-8?q?b?=", "ab"},
		{"between word and text it stays", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
		{"split character", "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"},
		{"split character in base64", "=?utf-8?b?w7zD?= =?utf-8?b?vA==?=", "üü"},
		{"space inside a word", "=?utf-8?Q?a b=C3=BC?=", "a bü"},
		{"language", "=?utf-8*de?q?=C3=BC?=", "ü"},
		{"no padding", "=?utf-8?b?w7xiZXI?=", "über"},
		{"odd letter", "=?utf-8?b?w7xiZXIx1?=", "über1"},
		{"glued padding", "=?utf-8?b?YQ==Yg==?=", "ab"},
		{"glued to text", "x=?utf-8?q?=C3=BC?=y", "xüy"},
		{"broken hex", "=?utf-8?q?100=%_=zz?=", "100=% =zz"},
		{"empty word", "=?utf-8?q??=x", "x"},
		{"unknown charset", "=?x-klingon?q?caf=E9?=", "café"},
		{"unknown method", "=?utf-8?x?abc?=", "=?utf-8?x?abc?="},
		{"unfinished", "=?utf-8?q?abc", "=?utf-8?q?abc"},
		{"unfinished before a good one", "=?utf-8 =?utf-8?q?=C3=BC?=", "=?utf-8 ü"},
		{"raw latin", "caf\xe9", "café"},
		{"raw windows", "\x93x\x94 \x80", "“x” €"},
		{"raw utf-8", "über", "über"},
		{"raw beside a word", "\xfcber =?utf-8?q?=C3=BC?=", "über ü"},
		{"gb2312", "=?gb2312?B?1tDOxA==?=", "中文"},
		{"big5", "=?big5?B?pKSk5Q==?=", "中文"},
		{"iso-2022-jp", "=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=", "テスト"},
		{"koi8-r", "=?koi8-r?B?1MXT1A==?=", "тест"},
		{"euc-kr", "=?ks_c_5601-1987?B?sKE=?=", "가"},
		{"shift_jis", "=?shift_jis?B?g2WDWINn?=", "テスト"},
		{"utf-7", "=?utf-7?Q?+APw-ber?=", "über"},
		{"utf-16 with a mark", "=?utf-16?B?/v8AYQ==?=", "\ufeffa"},
		{"hz", "=?hz-gb-2312?Q?~{VPND~}?=", "中文"},
		{"utf-8 cut short", "=?utf-8?q?=C3=BC=C3=BC=C3?=", "üü\ufffd"},
	} {
		if got := Decode(c.in); got != c.want {
			t.Errorf("%s: Decode(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if got := DecodeHint("\xd4\xc5\xd3\xd4", "koi8-r"); got != "тест" {
		t.Errorf("hint not used: %q", got)
	}
	if got := DecodeHint("\x1b$B%F%9%H\x1b(B", "iso-2022-jp"); got != "テスト" {
		t.Errorf("raw ISO-2022-JP: %q", got)
	}
}

func TestEncodeSurvivesDecode(t *testing.T) {
	for _, s := range []string{"", "plain", "Ünïcode", "日本語の件名はとても長いので二つ以上の語に分けられます。", "a =?utf-8?q?b?= c", strings.Repeat("ü", 200),
		strings.Repeat("long ascii ", 40) + "é", "ends in space é", "_=?é", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"} {
		for _, enc := range []string{EncodeText(s), EncodePhrase(s)} {
			if strings.HasPrefix(enc, `"`) {
				continue
			}
			if got := Decode(enc); got != s {
				t.Errorf("%q encoded as %q decodes to %q", s, enc, got)
			}
			for _, w := range strings.Fields(enc) {
				if strings.HasPrefix(w, "=?") && len(w) > maxEncoded {
					t.Errorf("word of %d octets: %s", len(w), w)
				}
			}
		}
	}
	if got := EncodeText("a\r\nBcc: x\x00"); got != "a Bcc: x" {
		t.Errorf("line break got through: %q", got)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, clean, line string }{
		{"a\r\nb\rc\n\td", "a\nb\nc\n\td", "a b c d"},
		{"a\x00b\x1b[1mc\x7f\u0085d\u009be", "ab[1mcde", "ab[1mc de"},
		{"a\xffb", "a\ufffdb", "a\ufffdb"},
		{"\ufeffa\u2028b  ", "a\u2028b  ", "a b"},
		{"çé", "çé", "çé"},
		{"before\fafter\vall", "before after all", "before after all"},
	} {
		if got := Clean(c.in); got != c.clean {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.clean)
		}
		if got := Line(c.in); got != c.line {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.line)
		}
	}
}

func TestFromCharset(t *testing.T) {
	for _, c := range []struct {
		charset, in, want string
		known             bool
	}{
		{"iso-8859-1", "\x93\xe9", "“é", true},
		{"ISO-8859-15", "\xa4", "€", true},
		{`"utf-8"`, "é", "é", true},
		{"us-ascii", "\xe9", "é", true},
		{"cp1251", "\xd2\xe5\xf1\xf2", "Тест", true},
		{"cp850", "\x82", "é", true},
		{"gb18030", "\xd6\xd0", "中", true},
		{"windows-874", "\xa1", "ก", true},
		{"yes", "é", "é", false},
		{strings.Repeat("x", 1000), "é", "é", false},
	} {
		got, known := FromCharset([]byte(c.in), c.charset)
		if got != c.want || known != c.known {
			t.Errorf("%.20s: %q %v, want %q %v", c.charset, got, known, c.want, c.known)
		}
	}
}

func TestAbuseIsLinear(t *testing.T) {
	for name, in := range map[string]string{
		"openings":         strings.Repeat("=?", 500_000),
		"heads":            strings.Repeat("=?a?q?", 200_000),
		"heads and an end": strings.Repeat("=?a?", 200_000) + "?=",
		"ends":             strings.Repeat("?=", 500_000),
		"words":            strings.Repeat("=?a?q?b?= ", 100_000),
		"changing words":   strings.Repeat("=?utf-8?q?b?= =?koi8-r?q?b?= ", 20_000),
		"one word":         "=?utf-8?b?" + strings.Repeat("YWFh", 300_000) + "?=",
		"plus":             "=?utf-7?q?" + strings.Repeat("+A-", 300_000) + "?=",
	} {
		if got := Decode(in); !utf8.ValidString(got) {
			t.Errorf("%s: not valid", name)
		}
	}
}

func FuzzDecodeWords(f *testing.F) {
	for _, s := range []string{"=?utf-8?q?=C3=BC?=", "=?a?b?YQ==?= =?a?b?Yg==?=", "\xff", "=?utf-7?q?+AGE-?=", "=?iso-2022-jp?b?GyRC?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := Decode(s)
		line := Line(text)
		if !utf8.ValidString(text) || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("%q gives %q", s, text)
		}
		if again := Line(Decode(EncodeText(line))); again != line {
			t.Fatalf("%q encoded as %q comes back as %q", line, EncodeText(line), again)
		}
		if Clean(Clean(s)) != Clean(s) {
			t.Fatalf("Clean is not stable on %q", s)
		}
	})
}
