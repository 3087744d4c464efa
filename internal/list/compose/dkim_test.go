package compose

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// TestAuthorsSignatureHolds: with neither tag nor footer a copy still bears a
// valid signature of the author's site; with a footer it does not, which is why
// it is off unless an owner wants it.
func TestAuthorsSignatureHolds(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	lookup := func(string) ([]string, error) {
		return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}, nil
	}
	for name, body := range map[string]string{
		"plain":     "Subject: Opening hours\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSaturdays?  \r\n\r\n\r\n",
		"multipart": "Subject: =?utf-8?Q?=C3=96ffnungszeiten?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nA\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>A\r\n--b--\r\n",
	} {
		raw := "From: Ann <ann@example.net>\r\nTo: talk@example.org\r\nReply-To: ann@home.example\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\nMessage-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n" + body
		var signed bytes.Buffer
		err := dkim.Sign(&signed, strings.NewReader(raw), &dkim.SignOptions{Domain: "example.net", Selector: "s", Signer: key,
			HeaderCanonicalization: dkim.CanonicalizationSimple, BodyCanonicalization: dkim.CanonicalizationSimple,
			HeaderKeys: []string{"From", "From", "To", "Reply-To", "Date", "Message-ID", "Subject", "Subject", "Sender", "MIME-Version", "Content-Type"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			o    Options
			want bool
		}{
			{Options{Local: "talk", Domain: "example.org", Title: "Talk", BaseURL: "https://lists.example.org"}, true},
			{Options{Local: "talk", Domain: "example.org", Footer: "Bye"}, false},
			{Options{Local: "talk", Domain: "example.org", Tag: "[talk]"}, false},
		} {
			copied := whole(Prepare(nil, signed.Bytes(), c.o).For(bob).Segments)
			v, err := dkim.VerifyWithOptions(strings.NewReader(copied), &dkim.VerifyOptions{LookupTXT: lookup})
			if err != nil || len(v) != 1 {
				t.Fatalf("%v, %v", v, err)
			}
			if (v[0].Err == nil) != c.want {
				t.Errorf("%s with tag %q and footer %q: %v", name, c.o.Tag, c.o.Footer, v[0].Err)
			}
		}
	}
}

func FuzzPrepare(f *testing.F) {
	f.Add([]byte("From: a@b\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nA\r\n--b--\r\n"), "foot {unsubscribe}", "[t]")
	f.Add([]byte(" x\r\nSubject"), "Fuß", "ü")
	f.Fuzz(func(t *testing.T, raw []byte, footer, tag string) {
		o := Options{Local: "talk", Domain: "example.org", Footer: footer, Tag: tag, BaseURL: "https://lists.example.org"}
		_ = Prepare(nil, raw, o).For(bob)
		o.Footer, o.Tag = "", ""
		got := whole(Prepare(nil, raw, o).For(bob).Segments)
		if i := bytes.Index(raw, []byte("\n\r\n")); i >= 0 && !strings.HasSuffix(got, string(ended(raw[i:]))) {
			t.Errorf("the body changed: %q", got)
		}
	})
}
