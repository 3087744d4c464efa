package sample_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"testing"
	"unicode/utf8"

	"plenary/internal/sample/gen"
)

// leaf is a MIME part without parts of its own.
type leaf struct {
	kind   string
	params map[string]string
	head   textproto.MIMEHeader
	body   []byte // transfer encoding taken off
}

// walk visits all parts of a message, without recursion, and reports what it
// finds to note.
func walk(t *testing.T, m *gen.Message, note func(leaf)) {
	t.Helper()
	type part struct {
		head textproto.MIMEHeader
		body []byte
	}
	head, body, _ := bytes.Cut(m.Raw, []byte("\n\n"))
	open := []part{{parseHead(t, m, head), body}}
	for len(open) > 0 {
		p := open[0]
		open = open[1:]
		kind, params, err := mime.ParseMediaType(p.head.Get("Content-Type"))
		if err != nil {
			t.Errorf("%s: %v", m.Key, err)
			continue
		}
		note(leaf{kind: kind, params: params, head: p.head, body: decode(t, m, p.head, p.body)})
		switch {
		case strings.HasPrefix(kind, "multipart/"):
			r := multipart.NewReader(bytes.NewReader(p.body), params["boundary"])
			for {
				sub, err := r.NextRawPart()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", m.Key, err)
				}
				data, err := io.ReadAll(sub)
				if err != nil {
					t.Fatalf("%s: %v", m.Key, err)
				}
				open = append(open, part{sub.Header, data})
			}
		case kind == "message/rfc822":
			head, body, _ := bytes.Cut(p.body, []byte("\n\n"))
			open = append(open, part{parseHead(t, m, head), body})
		}
	}
}

func parseHead(t *testing.T, m *gen.Message, head []byte) textproto.MIMEHeader {
	t.Helper()
	h, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\n\n")))).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%s: %v", m.Key, err)
	}
	return h
}

func decode(t *testing.T, m *gen.Message, head textproto.MIMEHeader, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	switch how := head.Get("Content-Transfer-Encoding"); how {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "7bit":
		for _, c := range body {
			if c >= 0x80 {
				t.Errorf("%s: 7bit holds octet %#x", m.Key, c)
				break
			}
		}
	case "8bit":
	default:
		t.Errorf("%s: encoding %q", m.Key, how)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("%s: %v", m.Key, err)
	}
	return out
}

// TestContent opens every part: each decodes as declared, and the archive
// holds the variety it promises.
func TestContent(t *testing.T) {
	charsets, found := map[string]bool{}, map[string]bool{}
	for _, a := range archives() {
		for _, m := range a.build(t).Messages {
			walk(t, m, func(l leaf) {
				found[l.kind] = true
				found[l.head.Get("Content-Transfer-Encoding")] = true
				found["format="+l.params["format"]] = true
				if strings.Contains(l.head.Get("Content-Disposition"), "filename*0*=") {
					found["RFC 2231"] = true
				}
				magic(t, m, l)
				charset := l.params["charset"]
				if charset == "" {
					return
				}
				charsets[charset] = true
				r, err := reader(charset, bytes.NewReader(l.body))
				if charset == "us-ascii" || charset == "utf-8" {
					r, err = bytes.NewReader(l.body), nil
				}
				if err != nil {
					t.Errorf("%s: %v", m.Key, err)
					return
				}
				text, err := io.ReadAll(r)
				if err != nil || !utf8.Valid(text) || bytes.ContainsRune(text, utf8.RuneError) {
					t.Errorf("%s: not in %s (%v)", m.Key, charset, err)
				}
				if l.kind == "text/plain" && len(bytes.TrimSpace(text)) == 0 {
					found["empty body"] = true
				}
			})
		}
	}
	if len(charsets) < 8 {
		t.Errorf("only %d charsets: %v", len(charsets), charsets)
	}
	for _, what := range []string{
		"7bit", "8bit", "quoted-printable", "base64", "format=flowed", "RFC 2231", "empty body",
		"multipart/mixed", "multipart/alternative", "multipart/related", "multipart/signed", "message/rfc822",
		"text/html", "text/csv", "text/vcard", "text/calendar", "image/png", "image/gif", "application/pdf",
		"application/pgp-keys", "application/pgp-signature", "application/pkcs7-signature",
	} {
		if !found[what] {
			t.Errorf("no %s in the archives", what)
		}
	}
}

// magic checks that files are what their type says.
func magic(t *testing.T, m *gen.Message, l leaf) {
	t.Helper()
	for kind, head := range map[string]string{
		"image/png": "\x89PNG\r\n", "image/gif": "GIF8", "application/pdf": "%PDF-", "text/calendar": "BEGIN:VCALENDAR",
		"text/vcard": "BEGIN:VCARD", "application/pgp-signature": "-----BEGIN PGP SIGNATURE-----",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "PK\x03\x04",
	} {
		if l.kind == kind && !bytes.HasPrefix(l.body, []byte(head)) {
			t.Errorf("%s: %s begins %.20q", m.Key, kind, l.body)
		}
	}
}
