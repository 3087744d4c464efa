package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"math"
	"strings"
	"testing"
	"time"
)

func ring() *Keyring { return New([]byte("an example secret of at least 32 octets")) }

func TestRandomIsCheckedByScope(t *testing.T) {
	k := ring()
	tok, hash := k.Random("join")
	if len(tok) != 26 || strings.ToLower(tok) != tok {
		t.Fatalf("token %q", tok)
	}
	got, ok := k.Check("join", tok)
	if !ok || !bytes.Equal(got, hash) || len(hash) != 32 {
		t.Fatalf("own token not recognised: %v %x %x", ok, got, hash)
	}
	if _, ok := k.Check("erase", tok); ok {
		t.Error("token good for another scope")
	}
	if _, ok := New([]byte("another secret")).Check("join", tok); ok {
		t.Error("token good under another secret")
	}
	other, _ := k.Random("join")
	if other == tok {
		t.Error("two random tokens are equal")
	}
}

func TestRandomIsTolerantOfCopying(t *testing.T) {
	k := ring()
	for range 200 {
		tok, hash := k.Random("join")
		for _, spelt := range []string{strings.ToUpper(tok), strings.ReplaceAll(tok, "0", "O"), strings.ReplaceAll(tok, "0", "o"),
			strings.ReplaceAll(tok, "1", "l"), strings.ReplaceAll(tok, "1", "I"), strings.ReplaceAll(tok, "1", "L")} {
			if got, ok := k.Check("join", spelt); !ok || !bytes.Equal(got, hash) {
				t.Fatalf("%q not taken for %q", spelt, tok)
			}
		}
	}
}

func TestCheckRefusesEveryChange(t *testing.T) {
	k := ring()
	tok, _ := k.Random("join")
	for i := range tok {
		for _, c := range "0z5" {
			bad := tok[:i] + string(c) + tok[i+1:]
			if bad == tok {
				continue
			}
			if _, ok := k.Check("join", bad); ok {
				t.Errorf("changed token %q accepted", bad)
			}
		}
	}
	for _, bad := range []string{"", "0", tok[1:], tok + "0", tok[:25] + "u", " " + tok, strings.Repeat("0", 26), strings.Repeat("z", 5000)} {
		if _, ok := k.Check("join", bad); ok {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestOneClick(t *testing.T) {
	k := ring()
	at := time.Date(2026, 11, 23, 17, 6, 5, 0, time.UTC)
	for _, n := range [][2]int64{{1, 1}, {7, 123456789}, {math.MaxInt64, math.MaxInt64}, {0, 0}} {
		s := k.OneClick(n[0], n[1], at)
		list, sub, when, ok := k.ParseOneClick(strings.ToUpper(s))
		if !ok || list != n[0] || sub != n[1] || !when.Equal(at) {
			t.Errorf("%v: got %d %d %v %v", n, list, sub, when, ok)
		}
		if _, ok := k.Check("unsubscribe", s); ok {
			t.Error("one-click token taken for a random one")
		}
		if _, _, ok := k.ParseVerp(s); ok {
			t.Error("one-click token taken for a VERP id")
		}
		if _, _, _, ok := k.ParseOneClick(s[1:]); ok {
			t.Error("cut token accepted")
		}
	}
}

func TestVerpIsShort(t *testing.T) {
	k := ring()
	for _, c := range []struct {
		d, r int64
		max  int
	}{{1, 1, 12}, {200_000, 1_000_000, 18}, {10_000_000, 500_000_000, 24}, {math.MaxInt64, math.MaxInt64, 40}} {
		s := k.Verp(c.d, c.r)
		if len(s) > c.max {
			t.Errorf("Verp(%d, %d) has %d characters, at most %d wanted", c.d, c.r, len(s), c.max)
		}
		for _, spelt := range []string{s, strings.ToUpper(s)} {
			if d, r, ok := k.ParseVerp(spelt); !ok || d != c.d || r != c.r {
				t.Errorf("ParseVerp(%q) = %d %d %v", spelt, d, r, ok)
			}
		}
	}
}

func TestEmptySecretIsNotPredictable(t *testing.T) {
	tok := New(nil).Verp(1, 2)
	if _, _, ok := New(nil).ParseVerp(tok); ok {
		t.Error("two rings without a secret share one")
	}
}

func TestBase32RoundTrip(t *testing.T) {
	for n := range 40 {
		raw := bytes.Repeat([]byte{0xA7, 0x00, 0xFF}, 14)[:n]
		got, ok := decode(encode(raw))
		if !ok || !bytes.Equal(got, raw) {
			t.Errorf("%d octets: %x %v", n, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	k := ring()
	tok, _ := k.Random("join")
	for _, s := range []string{"", tok, k.Verp(5, 6), k.OneClick(1, 2, time.Unix(3, 0)), "oil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, r, ok := k.ParseVerp(s); ok && !strings.EqualFold(k.Verp(d, r), fold(s)) {
			t.Errorf("%q read as %d %d", s, d, r)
		}
		k.Check("join", s)
		k.ParseOneClick(s)
	})
}

// fold undoes the spellings that Check and ParseVerp forgive.
func fold(s string) string {
	return strings.NewReplacer("o", "0", "O", "0", "i", "1", "I", "1", "l", "1", "L", "1").Replace(s)
}

func BenchmarkVerp(b *testing.B) {
	k := ring()
	for i := 0; b.Loop(); i++ {
		k.Verp(12345, int64(i))
	}
}

// TestHMAC holds our HMAC against the standard library's.
func TestHMAC(t *testing.T) {
	k := ring()
	derived := hmac.New(sha256.New, []byte("an example secret of at least 32 octets"))
	derived.Write([]byte("plenary token key 1"))
	key := derived.Sum(nil)
	for n := range 300 {
		text := bytes.Repeat([]byte{byte(n)}, n)
		want := hmac.New(sha256.New, key)
		want.Write(text)
		if got := k.hmac(func(b []byte) []byte { return append(b, text...) }); !bytes.Equal(got[:], want.Sum(nil)) {
			t.Fatalf("the MAC of %d octets is %x", n, got)
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	k, at := ring(), time.Now()
	b.ReportAllocs()
	for i := range b.N {
		_ = k.Verp(17, int64(i))
		_ = k.OneClick(3, int64(i), at)
	}
}
