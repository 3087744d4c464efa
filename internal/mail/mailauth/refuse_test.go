package mailauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
)

func TestNothingIsLeftUnsignedInSilence(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pieces := []Piece{{Personal: true}, {Data: []byte(letter)}}
	for name, c := range map[string]struct {
		pieces []Piece
		keys   []Key
		o      Options
	}{
		"no key":             {pieces, nil, Options{}},
		"no signer":          {pieces, []Key{{Domain: "example.org", Selector: "s"}}, Options{}},
		"odd key":            {pieces, []Key{{"example.org", "s", ec}}, Options{}},
		"domain":             {pieces, []Key{{"example.org; x=1", "s", edKey}}, Options{}},
		"domain with dot":    {pieces, []Key{{"example.org.", "s", edKey}}, Options{}},
		"selector":           {pieces, []Key{{"example.org", "s\r\nX: y", edKey}}, Options{}},
		"no selector":        {pieces, []Key{{"example.org", "", edKey}}, Options{}},
		"long name":          {pieces, []Key{{strings.Repeat("example.", 30) + "org", "selector", edKey}}, Options{}},
		"too many keys":      {pieces, append(append(both(), both()...), both()...), Options{}},
		"expiry alone":       {pieces, edOnly(), Options{Expire: time.Hour}},
		"expired":            {pieces, edOnly(), Options{Time: when, Expire: -time.Hour}},
		"personal name":      {pieces, edOnly(), Options{Personal: []string{"List Unsubscribe"}}},
		"name twice":         {pieces, edOnly(), Options{Personal: []string{"list-unsubscribe", "List-Unsubscribe"}}},
		"hole in a field":    {[]Piece{{Data: []byte("To: ")}, {Personal: true}, {Data: []byte("\r\n" + letter)}}, edOnly(), Options{}},
		"hole in a fold":     {[]Piece{{Data: []byte("To: a\r\n")}, {Personal: true}, {Data: []byte(" b\r\n" + letter)}}, edOnly(), Options{}},
		"hole after a CR":    {[]Piece{{Data: []byte("To: a\r\n\r")}, {Personal: true}, {Data: []byte("\n")}}, edOnly(), Options{}},
		"begins with a fold": {[]Piece{{Data: []byte("\tb\r\n" + letter)}}, edOnly(), Options{}},
		"hole before a fold": {[]Piece{{Personal: true}, {Data: []byte(" b\r\n" + letter)}}, edOnly(), Options{}},
	} {
		if _, err := Prepare(c.pieces, c.keys, c.o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := Prepare(pieces, edOnly(), Options{Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	const one = "List-Unsubscribe: <x>\r\n"
	for name, holes := range map[string][][]byte{
		"too few":      {},
		"too many":     {nil, nil},
		"other field":  {[]byte("Subject: x\r\n")},
		"no field":     {[]byte("x\r\n")},
		"twice":        {[]byte(one + one)},
		"no end":       {[]byte(one[:len(one)-2])},
		"blank line":   {[]byte(one + "\r\n")},
		"continuation": {[]byte(" " + one)},
	} {
		if _, err := p.Sign(holes...); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err = Prepare(pieces, []Key{{"example.org", "s", &counting{Signer: edKey, fail: errors.New("no")}}}, Options{Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	if sig, err := p.Sign([]byte(one)); !fault.Is(err, fault.Internal) || sig != nil {
		t.Errorf("a key that fails: %q, %v", sig, err)
	}
}

func TestRecords(t *testing.T) {
	for _, k := range both() {
		r, err := Record(k.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		parts := Strings(r)
		for _, p := range parts {
			if len(p) > 255 {
				t.Errorf("a string of %d octets", len(p))
			}
		}
		if strings.Join(parts, "") != r {
			t.Error("the strings are not the record")
		}
		for text, want := range map[string]bool{
			r:                                        true,
			strings.Replace(r, "p=", "t=s; p = ", 1): true,
			r[:60] + " " + r[60:]:                    true,
			strings.TrimPrefix(r, "v=DKIM1; "):       true,
			strings.Replace(r, "v=DKIM1", "v=DKIM2", 1): false,
			strings.Replace(r, "k=", "k=x", 1):          false,
			r[:strings.Index(r, "p=")+2]:                false,
			r[:strings.Index(r, "p=")]:                  false,
			"":                                          false,
		} {
			if got := Publishes(text, k.Signer.Public()); got != want {
				t.Errorf("%v for %q", got, text)
			}
		}
		if Publishes(r, both()[0].Signer.Public()) && Publishes(r, edKey.Public()) {
			t.Error("a record publishes two keys")
		}
	}
	if _, err := Record("no key"); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
