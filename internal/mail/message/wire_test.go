package message

import "testing"

func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"empty", "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"usual", "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: a\r\n  b\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.net, \"C, D\" <c@example.com>\r\nMessage-ID: <x@y>\r\nIn-Reply-To: <w@y>\r\n\r\n",
			`("Mon, 1 Jan 2024 00:00:00 +0000" "a b" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) ` +
				`((NIL NIL "bob" "example.net")("C, D" NIL "c" "example.com")) NIL NIL "<w@y>" "<x@y>")`},
		{"sender and reply-to", "From: a@x\r\nSender: b@x\r\nReply-To: c@x\r\n\r\n",
			`(NIL NIL ((NIL NIL "a" "x")) ((NIL NIL "b" "x")) ((NIL NIL "c" "x")) NIL NIL NIL NIL NIL)`},
		{"group", "To: friends: a@x, b@x;, c@x\r\n\r\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "friends" NIL)(NIL NIL "a" "x")(NIL NIL "b" "x")(NIL NIL NIL NIL)(NIL NIL "c" "x")) NIL NIL NIL NIL)`},
		{"group left open", "To: friends: a@x\r\n\r\n", `(NIL NIL NIL NIL NIL ((NIL NIL "friends" NIL)(NIL NIL "a" "x")(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
		{"missing halves", "To: root, <@x>\r\n\r\n", `(NIL NIL NIL NIL NIL ((NIL NIL "root" "MISSING_DOMAIN")(NIL NIL "MISSING_MAILBOX" "x")) NIL NIL NIL NIL)`},
		{"two fields are one list", "From: a@x\r\nFrom: b@x\r\n\r\n",
			`(NIL NIL ((NIL NIL "a" "x")(NIL NIL "b" "x")) ((NIL NIL "a" "x")(NIL NIL "b" "x")) ((NIL NIL "a" "x")(NIL NIL "b" "x")) NIL NIL NIL NIL NIL)`},
		{"encoded words stay", "Subject: =?utf-8?q?=C3=BC?=\r\nTo: =?utf-8?q?=C3=BC?= <a@x>\r\n\r\n",
			`(NIL "=?utf-8?q?=C3=BC?=" NIL NIL NIL (("=?utf-8?q?=C3=BC?=" NIL "a" "x")) NIL NIL NIL NIL)`},
		{"8-bit", "Subject: \xc3\xbc\r\n\r\n", "(NIL {2}\r\n\xc3\xbc NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"NUL", "Subject: a\x00b\r\n\r\n", "(NIL {3}\r\na\x80b NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"quotes", `Subject: "a" \ b` + "\r\n\r\n", `(NIL "\"a\" \\ b" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"empty subject", "Subject:\r\nTo:\r\n\r\n", `(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"route", "To: <@r,@s:a@x>\r\n\r\n", `(NIL NIL NIL NIL NIL ((NIL "@r,@s" "a" "x")) NIL NIL NIL NIL)`},
	} {
		got := string(Envelope(ParseHeader([]byte(c.raw))))
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if n, err := parseWire([]byte(got)); err != nil || checkEnvelope(n) != nil {
			t.Errorf("%s: %v %v", c.name, err, checkEnvelope(n))
		}
	}
}

func TestBodyStructure(t *testing.T) {
	for _, c := range []struct{ name, raw, full, short string }{
		{"plain", "A: b\r\n\r\nhello\r\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)`, `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)`},
		{"order and case are kept", "Content-Type: Text/HTML; z=1; Charset=\"UTF-8\"; a=\"2\"\r\nContent-Transfer-Encoding: 8BIT\r\n\r\nx",
			`("Text" "HTML" ("z" "1" "Charset" "UTF-8" "a" "2") NIL NIL "8BIT" 1 0 NIL NIL NIL NIL)`, `("Text" "HTML" ("z" "1" "Charset" "UTF-8" "a" "2") NIL NIL "8BIT" 1 0)`},
		{"everything", "Content-Type: image/png\r\nContent-ID: <i@x>\r\nContent-Description: a picture\r\nContent-Transfer-Encoding: base64\r\nContent-MD5: Q2hlY2s=\r\n" +
			"Content-Disposition: attachment; filename*=utf-8''%C3%BC.png; size=3\r\nContent-Language: en, de\r\nContent-Location: http://example.org/\r\n\r\nabc",
			`("image" "png" NIL "<i@x>" "a picture" "base64" 3 "Q2hlY2s=" ("attachment" ("filename*" "utf-8''%C3%BC.png" "size" "3")) ("en" "de") "http://example.org/")`,
			`("image" "png" NIL "<i@x>" "a picture" "base64" 3)`},
		{"continued name", "Content-Type: application/pdf; name*0=\"a \"; name*1=b; name*2*=%20c\r\n\r\n",
			`("application" "pdf" ("name*" "''a%20b%20c") NIL NIL "7bit" 0 NIL NIL NIL NIL)`, `("application" "pdf" ("name*" "''a%20b%20c") NIL NIL "7bit" 0)`},
		{"no part in a multipart", "Content-Type: multipart/mixed\r\n\r\nx",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)`, `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")`},
		{"message", "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n",
			`("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)`,
			`("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3)`},
		{"multipart", mixed + "--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0) "mixed")`},
	} {
		raw := []byte(c.raw)
		s := Scan(raw)
		if got := string(s.BodyStructure(raw)); got != c.full {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.full)
		}
		if got := string(s.Body(raw)); got != c.short {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.short)
		}
	}
}

func TestPartNames(t *testing.T) {
	for _, c := range []struct {
		header, name string
		attachment   bool
	}{
		{"Content-Type: text/plain", "", false},
		{"Content-Type: text/plain; name=a.txt", "a.txt", true},
		{"Content-Type: text/plain; name=a.txt\r\nContent-Disposition: inline", "a.txt", false},
		{"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=\"b c.pdf\"", "b c.pdf", true},
		{"Content-Disposition: attachment; filename*=iso-8859-1'de'%FCber.pdf; filename=x.pdf", "über.pdf", true},
		{"Content-Disposition: attachment; filename*0*=utf-8''%C3%BC; filename*1=b.pdf", "üb.pdf", true},
		{"Content-Disposition: attachment; filename=\"=?utf-8?q?=C3=BC.pdf?=\"", "ü.pdf", true},
		{"Content-Disposition: attachment; filename=\"../../etc/passwd\"", "passwd", true},
		{"Content-Disposition: attachment; filename=\"C:\\\\x\\\\y.doc\"", "y.doc", true},
		{"Content-Disposition: attachment; filename=two words.doc; x=y", "two words.doc", true},
		{"Content-Disposition: attachment; filename=\"a\x00b\rc\"", "ab c", true},
		{"Content-Disposition: attachment; filename=\"unclosed.doc", "unclosed.doc", true},
		{"Content-Type: image/png\r\nContent-ID: <x@y>\r\nContent-Disposition: inline; filename=a.png", "a.png", false},
		{"Content-Type: application/pgp-signature; name=signature.asc", "signature.asc", false},
	} {
		p := Scan([]byte(c.header + "\r\n\r\nx")).Root
		if got := p.FileName(); got != c.name || p.IsAttachment() != c.attachment {
			t.Errorf("%q: %q %v, want %q %v", c.header, got, p.IsAttachment(), c.name, c.attachment)
		}
	}
}

func TestParams(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"text/plain; charset=utf-8 (comment); format=flowed", "charset=utf-8|format=flowed|"},
		{"text/plain; charset=\"utf-8\" format=flowed", "charset=utf-8|format=flowed|"},
		{"text/plain; charset=utf-8 format=flowed", "charset=utf-8|format=flowed|"},
		{"text/plain;; ;charset=a", "charset=a|"},
		{"text/plain; charset", ""},
		{"text/plain; =x; charset=a", "charset=a|"},
		{"text/plain; b=\"x;y\\\"z\"; c=d", `b=x;y"z|c=d|`},
		{"a/b; n*1=b; n*0=a; x=y; m*1=z", "x=y|m*1=z|n=ab|"},
		{"a/b; n*=x; n*0*=utf-8''a%20; n*1=b%", "n*=x|n*=utf-8''a%20b%25|"},
		{"a/b; n*99999999999999999999=x", "n*99999999999999999999=x|"},
	} {
		_, _, params := parseContentType(c.in)
		got := ""
		for _, p := range params {
			got += p.Name + "=" + p.Value + "|"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}
