package message

import (
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	"", "A: b\r\n\r\nhello\r\n", "From x\nA: b\n c\n\nbody", tree, mixed + "--b\n\none\n--b--",
	"Content-Type: message/rfc822\n\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b--",
	"To: g: a@b, \"c\" <d@e>;, (x) <@r:f@g>\r\nSubject: =?utf-8?q?=C3=BC?= \xff\x00\r\nDate: 1 Jan 99 1:2:3 EST\r\nReferences: <a@b> <c\r\n\r\n",
	"Content-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: base64\n\nPHA+dGVzdA==",
	"Content-Type: text/plain; format=flowed; name*0*=utf-8''%C3; name*1=x\n\n> a \n> b\n--\nc",
	"Content-Transfer-Encoding: quoted-printable\n\n=C3=\n=BC=3", "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n%:&5L;&\\\nend\n",
}

func FuzzParseHeader(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := ParseHeader(raw)
		at := 0
		for _, fd := range h.Fields() {
			if fd.Start != at || fd.End <= fd.Start || fd.End > h.Len() {
				t.Fatalf("field %+v after %d of %d", fd, at, h.Len())
			}
			at = fd.End
			if v := h.Get(fd.Name); strings.ContainsAny(v, "\r\n") {
				t.Fatalf("value %q", v)
			}
			if v := h.Text(fd.Name); !utf8.ValidString(v) || strings.ContainsAny(v, "\r\n\x00") {
				t.Fatalf("text %q", v)
			}
		}
		h.Date()
		BaseSubject(h.Text("Subject"), "[talk]")
		IsAutomatic(h, "a@b")
		for _, id := range append(h.References(), h.MessageID()) {
			if !utf8.ValidString(id) || strings.ContainsAny(id, "\r\n\x00<>") {
				t.Fatalf("id %q", id)
			}
		}
		for _, line := range strings.SplitAfter(string(UsualHeader(ParseHeader(raw))), "\n") {
			if strings.TrimRight(line, "\r\n") == "" && line != "" {
				t.Fatalf("empty line in the usual header of %q", raw)
			}
		}
	})
}

// FuzzScan goes through Scan, BodyStructure, Body, Envelope, Section and Read.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := checkAll(raw); err != nil {
			t.Fatalf("%v\n%q", err, raw)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := Scan(raw)
		if err := checkReading(s.Read(raw), s); err != nil {
			t.Fatalf("%v\n%q", err, raw)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06Z", "Fri Nov 21 09:55:06 1997", "21-Nov-97 9.5.6 pm (x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := ParseDate(s); ok && (got.Year() < 1899 || got.Year() > 10000) {
			t.Fatalf("%q is %v", s, got)
		}
	})
}
