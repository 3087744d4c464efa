package mailauth

import (
	"bytes"
	"testing"
)

// FuzzSign: whatever a message holds and however it is cut, a copy is signed in
// the same way, the signature holds for another implementation, and no hole can
// bring a field that is not announced.
func FuzzSign(f *testing.F) {
	f.Add([]byte(letter), []byte("https://x.example/t1 "), uint(20), true)
	f.Add([]byte("From x\r\nSubject : y\r\n z\r\n\r\n \r\n\r\n"), []byte("\r\n"), uint(3), true)
	f.Add([]byte("A:b\r\n\tc\r\n  \r\nno field\r\nD: e"), []byte(" a \r"), uint(1), false)
	f.Add([]byte("\n\r\n\r\r\na \t\rb"), []byte("List-Unsubscribe: x\r\n"), uint(9), true)
	f.Fuzz(func(t *testing.T, raw, hole []byte, cut uint, lines bool) {
		if lines {
			raw, hole = toCRLF(raw), toCRLF(hole)
		}
		if len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t') {
			raw = append([]byte("X-First-Line:\r\n"), raw...)
		}
		at := int(cut % uint(len(raw)+1)) //nolint:gosec // small
		want := signed(t, []Piece{{Data: raw}})
		got := signed(t, []Piece{{Data: raw[:at]}, {Data: raw[at:]}})
		if !bytes.Equal(got, want) {
			t.Errorf("cut at %d it is signed otherwise", at)
		}
		if lines {
			if err := verify(repaired(whole(want, []Piece{{Data: raw}})), 1); err != nil {
				t.Errorf("%v", err)
			}
		}
		pieces := []Piece{{Data: raw[:at]}, {Personal: true}, {Data: raw[at:]}}
		p, err := Prepare(pieces, edOnly(), Options{Personal: unsubscribe})
		if err != nil {
			return
		}
		sig, err := p.Sign(hole)
		copied := whole(sig, pieces, hole)
		if err != nil || !bytes.Equal(copied, toCRLF(copied)) { // never sent, and nobody agrees what it means
			return
		}
		if err := verify(repaired(copied), 1); err != nil {
			t.Errorf("with a hole at %d: %v", at, err)
		}
	})
}
