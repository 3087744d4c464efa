package message

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkReading tells whether a reading keeps its promises.
func checkReading(r Reading, s *Structure) error {
	if r.Opaque != s.Opaque {
		return fmt.Errorf("reading opaque %v, structure %v", r.Opaque, s.Opaque)
	}
	for i, text := range append([]string{r.Plain, r.HTML, r.Body, r.Quoted, r.Text(), r.Answered(), r.Attached}, r.Files...) {
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r\x1b\x7f") || len(text) > maxText {
			return fmt.Errorf("text %d is not clean: %.200q", i, text)
		}
	}
	return nil
}

func part(header, body string) string { return "--b\r\n" + header + "\r\n\r\n" + body + "\r\n" }

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, raw, body, quoted, files string }{
		{"plain", "A: b\r\n\r\nhello\r\nworld\r\n", "hello\nworld", "", ""},
		{"quoted-printable", "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 au=\r\n lait\r\n", "café au lait", "", ""},
		{"broken quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n100=% =zz ok=3D\r\n", "100=% =zz ok=", "", ""},
		{"base64", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64\r\n\r\nw7xi\r\nZXI=\r\n", "über", "", ""},
		{"base64 with a footer", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw7xiZXI=\r\n_____________\r\nThe list, talk@example.org\r\n", "über\n_____________\nThe list, talk@example.org", "", ""},
		{"base64 without padding", "Content-Transfer-Encoding: base64\r\n\r\nw7xiZXI\r\n", "über", "", ""},
		{"uuencode", "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n%:&5L;&\\\r\n \r\nend\r\n", "hello", "", ""},
		{"unknown encoding", "Content-Transfer-Encoding: x-odd\r\n\r\nhello\r\n", "hello", "", ""},
		{"8-bit without a charset", "A: b\r\n\r\ncaf\xe9\r\n", "café", "", ""},
		{"lying charset", "Content-Type: text/plain; charset=utf-8\r\n\r\ncaf\xe9\r\n", "café", "", ""},
		{"gb2312", "Content-Type: text/plain; charset=gb2312\r\n\r\n\xd6\xd0\xce\xc4\r\n", "中文", "", ""},
		{"iso-2022-jp", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B%F%9%H\x1b(B\r\n", "テスト", "", ""},
		{"no header", "Hello there,\r\n\r\nthis is text\r\n", "Hello there,\n\nthis is text", "", ""},
		{"mbox line", "From x Mon\nA: b\n\nhello\n", "hello", "", ""},
		{"quotes", "A: b\r\n\r\nOn Monday, Ann wrote:\r\n> first\r\n>> second\r\n\r\nI agree.\r\n-- \r\nBob\r\n", "I agree.\n--\nBob", "On Monday, Ann wrote:\nfirst\nsecond", ""},
		{"wrapped introduction", "A: b\r\n\r\nHi\r\n\r\nOn Monday, 1 January 2024,\r\nAnn <ann@example.org> wrote:\r\n\r\n> first\r\nyes\r\n", "Hi\n\nyes", "On Monday, 1 January 2024,\nAnn <ann@example.org> wrote:\nfirst", ""},
		{"original message", "A: b\r\n\r\nYes.\r\n-----Original Message-----\r\nFrom: Ann\r\nwords\r\n", "Yes.", "-----Original Message-----\nFrom: Ann\nwords", ""},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\r\n\r\n" + part("Content-Type: text/plain", "plain words") + part("Content-Type: text/html", "<p>html words") + "--b--\r\n", "plain words", "", ""},
		{"alternative, plain empty", "Content-Type: multipart/alternative; boundary=b\r\n\r\n" + part("Content-Type: text/plain", " ") + part("Content-Type: text/html", "<p>html words") + "--b--\r\n", "html words", "", ""},
		{"html beside plain", mixed + part("Content-Type: text/html", "<p>html words") + part("Content-Type: text/plain", "footer") + "--b--\r\n", "html words\nfooter", "", ""},
		{"attachments", mixed + part("Content-Type: text/plain", "see file") + part("Content-Type: application/pdf; name=a.pdf", "%PDF") +
			part("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=b.txt", "words inside") + part("Content-Type: image/gif", "GIF") + "--b--\r\n", "see file", "", "a.pdf b.txt image/gif"},
		{"message inside", mixed + part("Content-Type: text/plain", "see below") + part("Content-Type: message/rfc822", "Subject: inner\r\n\r\ninner words") + "--b--\r\n", "see below", "", "inner.eml"},
		{"no boundary", "Content-Type: multipart/mixed\r\n\r\nwords\r\n", "words", "", ""},
		{"cut short", mixed + "--b\r\nContent-Type: text/plain\r\n\r\nwords", "words", "", ""},
		{"flowed", "Content-Type: text/plain; format=flowed\r\n\r\none \r\ntwo\r\n> a \r\n> b\r\n> > c\r\n x\r\n-- \r\nme\r\n", "one two\nx\n--\nme", "a b\nc", ""},
		{"flowed delsp", "Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\none \r\ntwo\r\n", "onetwo", "", ""},
		{"named root is still the text", "Content-Type: text/plain; name=mail.txt\r\n\r\nwords\r\n", "words", "", ""},
		{"signed", "Content-Type: multipart/signed; boundary=b\r\n\r\n" + part("Content-Type: text/plain", "words") + part("Content-Type: application/pgp-signature", "xx") + "--b--\r\n", "words", "", ""},
		{"NUL and escapes", "A: b\r\n\r\na\x00b\x1b[31mc\r\n", "ab[31mc", "", ""},
		{"meta charset", "Content-Type: text/html\r\n\r\n<meta charset='koi8-r'>\xd4\xc5\xd3\xd4", "тест", "", ""},
	} {
		raw := []byte(c.raw)
		r := Read(raw)
		if r.Body != c.body || r.Quoted != c.quoted || strings.Join(r.Files, " ") != c.files {
			t.Errorf("%s:\n got %q, quoted %q, files %q\nwant %q, quoted %q, files %q", c.name, r.Body, r.Quoted, r.Files, c.body, c.quoted, c.files)
		}
		if err := checkAll(raw); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What is quoted, and what of it the message answered said itself.
func TestReadAnswered(t *testing.T) {
	for _, c := range []struct{ name, text, body, answered string }{
		{"two levels", "On 1 May, Ann <a@x> wrote:\n> own\n>> older\n> more\n\nyes\n", "yes", "own\nmore\n"},
		{"levels lost", "On 1 May, Ann <a@x> wrote:\n> own\n>\n> On 30 April 2026 at 10:00, Bob wrote:\n>\n> older\n> words\n", "", "own\n"},
		{"inner introduction", "> On 30 April 2026 at 10:00, Bob\n> <b@x> wrote:\n> > older\n> own\nyes\n", "yes", "own\n"},
		{"two quotations", "> one\nyes\n> two\nno\n", "yes\nno", "one\ntwo\n"},
		{"signature", "> one\n> --\n> Ann\nyes\n> two\n", "yes", "one\ntwo\n"},
		{"outlook", "yes\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\nTo: x\nSubject: s\n\nown\n\nFrom: Bob\nSent: Sunday\nTo: y\nSubject: s\n\nolder\n", "yes", "own\n"},
		{"outlook without a rule", "yes\n\nFrom: Ann <a@x>\nSent: Monday\nTo: x\nSubject: s\n\nown\n", "yes", "own\n"},
		{"outlook in German", "ja\n\nVon: Ann\nGesendet: Montag\nAn: x\nBetreff: s\n\nmein Text\n", "ja", "mein Text\n"},
		{"no header block", "From: the beginning it was clear.\nDate: unknown\n\nyes\n", "From: the beginning it was clear.\nDate: unknown\n\nyes", ""},
		{"no marks at all", "yes\n\nOn Friday, 5 August 2022 at 11:22:19 BST, Cy via L <l@x> wrote:\n\n  own\n> older\n", "yes", "  own\n"},
		{"a sentence", "In 2020 she wrote:\nbooks.\n", "In 2020 she wrote:\nbooks.", ""},
		{"initials", "JD> own\nJD> more\nyes\n", "yes", "JD> own\nJD> more\n"},
	} {
		r := Read([]byte("A: b\n\n" + c.text))
		if r.Body != c.body || r.Answered() != c.answered {
			t.Errorf("%s: %q, answered %q; want %q, %q", c.name, r.Body, r.Answered(), c.body, c.answered)
		}
	}
	html := Read([]byte("Content-Type: text/html\n\n<p>yes</p><div class=gmail_quote>On 1 May 2026 at 10:00, Ann wrote:<blockquote>own<blockquote>older</blockquote></blockquote></div>"))
	if html.Body != "yes" || html.Answered() != "own\n" {
		t.Errorf("%+v", html)
	}
}

func TestReadKeepsTextForTheIndex(t *testing.T) {
	r := Read([]byte(mixed + part("Content-Type: text/plain", "outer") + part("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=b.txt", "attached words") +
		part("Content-Type: message/rfc822", "Subject: inner\r\nFrom: Ann\r\n\r\ninner words") + "--b--\r\n"))
	for _, want := range []string{"attached words", "inner", "Ann", "inner words"} {
		if !strings.Contains(r.Attached, want) {
			t.Errorf("%q is lost: %q", want, r.Attached)
		}
	}
	if strings.Contains(r.Plain, "inner") || strings.Contains(r.Body, "attached") {
		t.Errorf("foreign words among the author's: %+v", r)
	}
}

// A reader sees each thing said once, quotations marked.
func TestReadText(t *testing.T) {
	alternative := "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
	plain, html := part("Content-Type: text/plain", "plain"), part("Content-Type: text/html", "<p>html")
	for _, c := range []struct{ name, raw, want string }{
		{"plain", "A: b\r\n\r\nAnn wrote:\r\n> first\r\n>> older\r\n\r\nyes\r\n", "Ann wrote:\n> first\n>> older\n\nyes\n"},
		{"html", "Content-Type: text/html\r\n\r\n<p>yes<blockquote>first<blockquote>older</blockquote></blockquote>", "yes\n> first\n> > older"},
		{"html with a footer", mixed + part("Content-Type: text/html", "<p>words<blockquote>first</blockquote>") + part("Content-Type: text/plain", "footer") + "--b--\r\n", "words\n> first\nfooter"},
		{"plain beside html", mixed + part("Content-Type: text/plain", "> first\r\nyes") + part("Content-Type: text/html", "<p>more<blockquote>second</blockquote>") + "--b--\r\n", "> first\nyes\nmore\n> second"},
		{"alternative", alternative + plain + html + "--b--\r\n", "plain"},
		{"alternative, html first", alternative + html + plain + "--b--\r\n", "plain"},
		{"alternative, enriched", alternative + plain + part("Content-Type: text/enriched", "<bold>rich</bold>") + "--b--\r\n", "plain"},
		{"alternative, invitation first", alternative + part("Content-Type: text/calendar", "BEGIN:VCALENDAR") + html + "--b--\r\n", "html"},
		{"alternative in an alternative", "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nplain\r\n--a\r\n" + alternative + html + html + "--b--\r\n--a--\r\n", "plain"},
		{"alternative with files", "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nplain\r\n--a\r\n" + mixed + html + part("Content-Type: application/pdf; name=a.pdf", "%PDF") + html + "--b--\r\n--a--\r\n", "plain"},
		{"alternative of an alternative and more", "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + alternative + plain + html +
			"--b--\r\n--m\r\nContent-Type: text/html\r\n\r\n<p>the report itself\r\n--m--\r\n--a--\r\n", "plain\nthe report itself"},
		{"control characters by name", "Content-Type: text/html\r\n\r\n<p>a&#1;b&#27;[31mc&#x7f;", "ab[31mc"},
	} {
		r := Read([]byte(c.raw))
		if r.Text() != c.want {
			t.Errorf("%s: %q, want %q", c.name, r.Text(), c.want)
		}
		if err := checkAll([]byte(c.raw)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTextOfHTML(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"blocks", "<html><head><title>t</title><style>s{}</style></head><body><p>One\n  two</p><div>three<br>four</div></body>", "One two\n\nthree\nfour"},
		{"inline", "a<b>b</b> <i>c</i>&amp;&nbsp;d", "ab c& d"},
		{"list", "<ul><li>one<li>two</ul>three", "- one\n- two\n\nthree"},
		{"table", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
		{"quotation of paragraphs", "yes<blockquote><p>one<p>two</blockquote><p>no<blockquote><p>three</blockquote>", "yes\n\n> one\n>\n> two\n\nno\n\n> three"},
		{"quotation", "yes<blockquote>one<br>two<blockquote>three</blockquote></blockquote>no", "yes\n> one\n> two\n> > three\nno"},
		{"pre", "<pre>a  b\n\n  c</pre>d", "a  b\n\n  c\nd"},
		{"script", "a<script>alert('<p>x</p>')</script>b", "ab"},
		{"image", "<img alt='a picture' src=x>", "a picture"},
		{"comment", "a<!-- <p>x -->b", "ab"},
		{"tag soup", "<p <b>a</p></p></div><<>b", "a\n\n<<>b"},
		{"not html", "just words", "just words"},
		{"unclosed", "words <a href='", "words"},
	} {
		if got := TextOfHTML(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
