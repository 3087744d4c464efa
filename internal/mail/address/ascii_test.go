package address

import "testing"

func TestNamesInASCII(t *testing.T) {
	for name, want := range map[string]string{"talk": "talk", "läsning": "xn--lsning-bua", "日本語": "xn--wgv71a119e", "l.äs": "l.xn--s-zfa",
		"xn--talk": "xn--talk", "ääääääääääääääääääääääääääääääääääääääääääääääääää": "ääääääääääääääääääääääääääääääääääääääääääääääääää"} {
		got := ASCIIName(name)
		if got != want || UnicodeName(got) != name {
			t.Errorf("%s: %s, and back %s", name, got, UnicodeName(got))
		}
	}
	for _, other := range []string{"xn--", "xn--zzzzzzzz99", "xn--a", "xn", "talk-xn--"} {
		if got := UnicodeName(other); got != other {
			t.Errorf("%q is read as %q", other, got)
		}
	}
}
