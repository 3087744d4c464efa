package mailauth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"plenary/internal/fault"
)

// The keys of the tests: one signs fast, the other is the usual kind.
var (
	edKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	when = time.Date(2026, 11, 23, 20, 20, 0, 0, time.UTC)
)

func edOnly() []Key { return []Key{{Domain: "example.org", Selector: "e1", Signer: edKey}} }

func both() []Key {
	return append([]Key{{Domain: "lists.example.org", Selector: "2026q4", Signer: rsaKey()}}, edOnly()...)
}

// lookup is a DNS that knows the keys.
func lookup(name string) ([]string, error) {
	for _, k := range both() {
		if name == RecordName(k.Domain, k.Selector) {
			r, err := Record(k.Signer.Public())
			return []string{strings.Join(Strings(r), "")}, err
		}
	}
	return nil, fmt.Errorf("no %s", name)
}

// verify asks another implementation whether all n signatures of a message hold.
func verify(raw []byte, n int) error {
	v, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: lookup})
	if err != nil {
		return err
	}
	for _, one := range v {
		if !strings.HasSuffix(one.Domain, "example.org") {
			continue // somebody else's
		}
		if n--; one.Err != nil {
			return fmt.Errorf("%s: %w", one.Domain, one.Err)
		}
	}
	if n != 0 {
		return fmt.Errorf("%d signatures missing", n)
	}
	return nil
}

// whole is a copy: signature, pieces, holes filled.
func whole(signature []byte, pieces []Piece, holes ...[]byte) []byte {
	out := bytes.Clone(signature)
	for _, p := range pieces {
		if p.Personal {
			out, holes = append(out, holes[0]...), holes[1:]
			continue
		}
		out = append(out, p.Data...)
	}
	return out
}

var unsubscribe = []string{"List-Unsubscribe-Post", "List-Unsubscribe"}

func leave(token string) []byte {
	return []byte("List-Unsubscribe: <https://lists.example.org/unsubscribe/" + token + ">,\r\n <mailto:talk-leave@lists.example.org>\r\n" +
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
}

const letter = "From: Ann <ann@example.net>\r\nTo: talk@lists.example.org\r\nDate: Mon, 23 Nov 2026 21:20:00 +0100\r\n" +
	"Message-ID: <1@example.net>\r\nSubject: Opening\r\n   hours \t \r\nMIME-Version: 1.0\r\n\r\nSaturdays?  \r\n\r\n \t\r\n\tOr  never \r\n\r\n\r\n"

func constant(parts ...string) []Piece {
	var out []Piece
	for _, p := range parts {
		out = append(out, Piece{Data: []byte(p)})
	}
	return out
}

func TestSignaturesHold(t *testing.T) {
	const head = "From: a@example.net\r\nSubject: x\r\n"
	for name, raw := range map[string]string{
		"usual":              letter,
		"empty body":         head + "\r\n",
		"no body, no end":    head,
		"blank body":         head + "\r\n\r\n\r\n",
		"white body":         head + "\r\n \t \r\n  \r\n",
		"white space at end": head + "\r\ntext  ",
		"no last line end":   head + "\r\ntext",
		"empty lines first":  head + "\r\n\r\n\r\ntext\r\n",
		"long line":          head + "\r\n" + strings.Repeat("x y  ", 5000) + "\r\n",
		"many empty lines":   head + "\r\na" + strings.Repeat("\r\n", 5000) + "b" + strings.Repeat(" \r\n", 5000),
		"8-bit":              "From: J\xf6rg <j@example.net>\r\nSubject: Gr\xc3\xb6\xc3\x9fe\r\n\r\n\xff\xfe\x00 \xe9\r\n",
		"repeated":           "Subject: one\r\nFrom: a@example.net\r\nSubject: two\r\nFrom: b@example.net\r\nSUBJECT:three\r\n\r\nx\r\n",
		"folded oddly":       "From:\r\n\ta@example.net\r\n \r\nSubject:\r\n x\r\n\ty  \r\n   \r\nTo:\r\n\r\nx\r\n",
		"space before colon": "From : a@example.net\r\nSubject\t : x\r\n\r\nx\r\n",
		"no fields":          "\r\nx\r\n",
		"no from":            "Subject: x\r\n\r\nx\r\n",
		"nothing":            "",
		"empty values":       "From:\r\nTo:\r\nSubject: \r\n\r\n",
		"colons":             "From: a:b:c ; : <a@example.net>\r\nReferences: <x:y@z>\r\n\r\n::\r\n",
		"an old signature":   "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from; bh=eA==; b=eA==\r\n" + head + "\r\nx\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Prepare(constant(raw), both(), Options{Time: when, Personal: unsubscribe})
			if err != nil {
				t.Fatal(err)
			}
			sig, err := p.Sign()
			if err != nil {
				t.Fatal(err)
			}
			copied := append(bytes.Clone(sig), raw...)
			if !strings.Contains(raw, "\r\n\r\n") && raw != "\r\nx\r\n" {
				copied = append(copied, "\r\n"...) // a server adds it
			}
			if err := verify(copied, 2); err != nil {
				t.Errorf("%v\n%q", err, copied)
			}
			for _, line := range strings.Split(string(sig), "\r\n") {
				if len(line) > foldAt+2 {
					t.Errorf("a line of %d octets: %q", len(line), line)
				}
			}
		})
	}
}

// TestCopies: copies with holes in header and body verify, each with its own
// signature, whichever of the personal fields they have.
func TestCopies(t *testing.T) {
	pieces := []Piece{{Data: []byte("Received: by x\r\nList-Id: <talk.lists.example.org>\r\n")}, {Personal: true}, {Data: []byte(letter)},
		{Data: []byte("Leave: ")}, {Personal: true}, {Data: []byte("  \r\nor not ")}, {Personal: true}, {Data: []byte(" \r\n\r\n")}}
	p, err := Prepare(pieces, both(), Options{Time: when, Expire: 30 * 24 * time.Hour, Personal: unsubscribe})
	if err != nil || p.Holes() != 3 {
		t.Fatal(err, p.Holes())
	}
	seen := map[string]bool{}
	for i, holes := range [][][]byte{
		{leave("t1"), []byte("https://x.example/t1"), []byte("now")},
		{leave("t2"), []byte("https://x.example/t2\r\n"), nil},
		{leave("t3"), []byte("\r\n\r\n"), []byte("\r\n \r\n")},
		{leave("t4"), []byte(" \t"), []byte("\r\n.")},
		{[]byte("List-Unsubscribe: <mailto:x@example.org>\r\n"), nil, nil},
		{[]byte("list-unsubscribe-POST : a\r\n\tb\r\n"), nil, nil},
		{nil, nil, nil},
	} {
		sig, err := p.Sign(holes...)
		if err != nil {
			t.Fatal(i, err)
		}
		if seen[string(sig)] {
			t.Errorf("copy %d has the signature of another", i)
		}
		seen[string(sig)] = true
		if err := verify(whole(sig, pieces, holes...), 2); err != nil {
			t.Errorf("copy %d: %v", i, err)
		}
		if again, _ := p.Sign(holes...); !bytes.Equal(again, sig) {
			t.Errorf("copy %d is signed otherwise the second time", i)
		}
	}
}

// TestDamageShows: what a reader sees cannot be changed, removed or added.
func TestDamageShows(t *testing.T) {
	pieces := []Piece{{Personal: true}, {Data: []byte("List-Id: <talk.example>\r\n" + letter)}}
	p, err := Prepare(pieces, both(), Options{Time: when, Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := p.Sign(leave("t1"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(whole(sig, pieces, leave("t1")))
	if err := verify([]byte(good), 2); err != nil {
		t.Fatal(err)
	}
	head, body := good[:strings.Index(good, "\r\n\r\n")+2], good[strings.Index(good, "\r\n\r\n")+2:]
	for name, damaged := range map[string]string{
		"body word":     head + strings.Replace(body, "never", "ever", 1),
		"body line":     head + body + "more\r\n",
		"body joined":   head + strings.Replace(body, "Or  never", "Ornever", 1),
		"subject":       strings.Replace(head, "Opening", "Closing", 1) + body,
		"token":         strings.Replace(head, "unsubscribe/t1", "unsubscribe/t2", 1) + body,
		"no one-click":  strings.Replace(head, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1) + body,
		"other post":    strings.Replace(head, "=One-Click", "=Two-Click", 1) + body,
		"time":          strings.Replace(head, "t="+fmt.Sprint(when.Unix()), "t="+fmt.Sprint(when.Unix()+1), 1) + body,
		"no list id":    strings.Replace(head, "List-Id: <talk.example>\r\n", "", 1) + body,
		"new sender":    strings.Replace(head, "ann@example.net>\r\nTo", "bob@example.net>\r\nTo", 1) + body,
		"header length": strings.Replace(head, "h=from:from:", "h=from:", 1) + body,
	} {
		if damaged == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if verify([]byte(damaged), 2) == nil {
			t.Errorf("%s: the signatures still hold", name)
		}
	}
	for _, s := range signedFields {
		if err := verify([]byte(s.name+": added@example.net\r\n"+good), 2); (err != nil) != s.over {
			t.Errorf("with one more %s: %v", s.name, err)
		}
	}
	// What servers change on the way does no harm.
	for name, changed := range map[string]string{
		"trace":   "Return-Path: <x@example.org>\r\nReceived: from a by b\r\n" + good,
		"folding": strings.Replace(good, "\r\n   hours \t ", " hours", 1),
		"ends":    good + "\r\n\r\n",
		"spaces":  head + strings.Replace(body, "Or  never ", "Or never\t\t", 1),
		"case":    strings.Replace(good, "\r\nSubject:", "\r\nSUBJECT:", 1),
	} {
		if err := verify([]byte(changed), 2); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFieldsBelowTheHole: a field of a personal name that came with the message
// is signed too.
func TestFieldsBelowTheHole(t *testing.T) {
	pieces := []Piece{{Data: []byte("X: y\r\n")}, {Personal: true}, {Data: []byte("List-Unsubscribe: <mailto:old@example.net>\r\nList-Unsubscribe: <mailto:older@example.net>\r\n" + letter)}}
	for _, names := range [][]string{unsubscribe, {"List-Unsubscribe", "List-Unsubscribe-Post"}} {
		p, err := Prepare(pieces, both(), Options{Personal: names})
		if err != nil {
			t.Fatal(err)
		}
		sig, err := p.Sign(leave("t1"))
		if err != nil {
			t.Fatal(err)
		}
		got := whole(sig, pieces, leave("t1"))
		if err := verify(got, 2); err != nil {
			t.Error(err)
		}
		if verify(bytes.Replace(got, []byte("older@"), []byte("oldest@"), 1), 2) == nil {
			t.Error("the field below is not signed")
		}
	}
	pieces = append(constant("List-Unsubscribe: <mailto:own@example.net>\r\n"), pieces...)
	if _, err := Prepare(pieces, both(), Options{Personal: unsubscribe}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a field above the hole: %v", err)
	}
}

// counting counts what it signs.
type counting struct {
	crypto.Signer
	n    atomic.Int64
	fail error
}

func (c *counting) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	c.n.Add(1)
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Signer.Sign(r, digest, o)
}

// TestEqualCopiesShare: without a hole one signature is made however many ask at
// once; with holes that are filled alike, too.
func TestEqualCopiesShare(t *testing.T) {
	key := &counting{Signer: edKey}
	keys := []Key{{Domain: "example.org", Selector: "e1", Signer: key}}
	p, err := Prepare(constant(letter), keys, Options{Time: when})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if sig, err := p.Sign(); err != nil || verify(append(bytes.Clone(sig), letter...), 1) != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := key.n.Load(); n != 1 {
		t.Errorf("%d signatures without a hole", n)
	}
	key.n.Store(0)
	p, err = Prepare([]Piece{{Personal: true}, {Data: []byte(letter)}, {Personal: true}}, keys, Options{Time: when, Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := p.Sign(leave("same"), []byte("foot")); err != nil {
			t.Fatal(i, err)
		}
	}
	if n := key.n.Load(); n != 1 {
		t.Errorf("%d signatures for equal copies", n)
	}
}

// TestManyAtOnce: one Prepared, many goroutines, each copy with its own words.
func TestManyAtOnce(t *testing.T) {
	pieces := []Piece{{Personal: true}, {Data: []byte(letter)}, {Personal: true}}
	p, err := Prepare(pieces, edOnly(), Options{Time: when, Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				holes := [][]byte{leave(fmt.Sprint(g, "-", i%3)), fmt.Append(nil, "foot ", g, i%3)}
				sig, err := p.Sign(holes...)
				if err == nil {
					err = verify(whole(sig, pieces, holes...), 1)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
