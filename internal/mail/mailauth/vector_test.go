package mailauth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// TestVectorOfRFC8463 makes the Ed25519 signature of RFC 8463 A.3 from its key,
// with this package's canonical forms.
func TestVectorOfRFC8463(t *testing.T) {
	const (
		seed    = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
		public  = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
		bodySum = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
		want    = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
		own     = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n" +
			" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n" +
			" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b="
		header = "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n" +
			"Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n" +
			"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
		text = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
	)
	raw, err := base64.StdEncoding.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(raw)
	if r, err := Record(key.Public()); err != nil || r != "v=DKIM1; k=ed25519; p="+public {
		t.Errorf("%q, %v", r, err)
	}
	m, err := split(constant(header, text))
	if err != nil {
		t.Fatal(err)
	}
	b := newBody()
	for _, p := range m.body {
		b.write(p.Data)
	}
	if got := base64.StdEncoding.EncodeToString(b.sum()); got != bodySum {
		t.Errorf("the body's hash is %s", got)
	}
	var data []byte
	for _, name := range []string{"from", "to", "subject", "date", "message-id"} {
		data = appendField(data, name, m.fields[name][0].value)
	}
	data = append(data, strings.TrimSuffix(string(appendField(nil, "dkim-signature", []byte(own))), "\r\n")...)
	sum := sha256.Sum256(data)
	sig, err := key.Sign(nil, sum[:], crypto.Hash(0))
	if got := base64.StdEncoding.EncodeToString(sig); err != nil || got != want {
		t.Errorf("the signature is %s, %v", got, err)
	}
}

func TestCanonicalForms(t *testing.T) {
	// RFC 6376 3.4.5.
	m, err := split(constant("A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(appendField(appendField(nil, "a", m.fields["a"][0].value), "b", m.fields["b"][0].value)); got != "a:X\r\nb:Y Z\r\n" {
		t.Errorf("%q", got)
	}
	want := sha256.Sum256([]byte(" C\r\nD E\r\n"))
	b := newBody()
	b.write(m.body[0].Data)
	if got := b.sum(); string(got) != string(want[:]) {
		t.Errorf("%x", got)
	}
	// RFC 6376 3.4.4: an empty body is hashed as nothing.
	if got := base64.StdEncoding.EncodeToString(newBody().sum()); got != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		t.Error(got)
	}
}
