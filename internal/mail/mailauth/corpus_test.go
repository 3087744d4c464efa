package mailauth

import (
	"bytes"
	"path/filepath"
	"testing"

	"plenary/internal/testkit/real"
)

func toCRLF(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// eachMessage gives every message of the torture set and of the real archives.
func eachMessage(t *testing.T, yield func(name string, raw []byte)) {
	t.Helper()
	for name, raw := range real.Torture(t) {
		yield(name, raw)
	}
	for _, path := range real.Archives(t) {
		for _, raw := range real.Mbox(t, path) {
			yield(filepath.Base(path), raw)
		}
	}
}

// repaired is a message as the first server makes it, when its header does not
// end as it should: with an empty line before the first line that is no field.
func repaired(raw []byte) []byte {
	for at := 0; at < len(raw); {
		line := raw[at:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line = line[:n+1]
		}
		if isEmpty(line) {
			return raw
		}
		if name, _ := fieldOf(line); name == "" && (at == 0 || line[0] != ' ' && line[0] != '\t') {
			return append(append(bytes.Clone(raw[:at]), "\r\n"...), raw[at:]...)
		}
		at += len(line)
	}
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		return append(bytes.Clone(raw), "\r\n\r\n"...)
	}
	return append(bytes.Clone(raw), "\r\n"...)
}

// TestRealMail signs every message we have, as a copy with personal words in
// header and body, and asks another implementation. One bit changed in the body
// or in a signed field must show.
func TestRealMail(t *testing.T) {
	n, odd, damaged := 0, 0, 0
	front := []byte("Received: by lists.example.org; Mon, 23 Nov 2026 21:20:00 +0100\r\nList-Id: <talk.lists.example.org>\r\n")
	eachMessage(t, func(name string, raw []byte) {
		n++
		keys := edOnly()
		if n%25 == 0 {
			keys = both()
		}
		if len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t') {
			raw = append([]byte("X-First-Line:\r\n"), raw...) // else the list's last field would go on in it
		}
		pieces := []Piece{{Data: front}, {Personal: true}, {Data: raw}, {Personal: true}}
		if fixed := repaired(append(bytes.Clone(front), raw...)); len(fixed) != len(front)+len(raw) {
			odd++
			if bytes.HasPrefix(fixed[len(front):], []byte("\r\n")) {
				return // nothing of it is a header
			}
		}
		foot := []byte("\r\n-- \r\nLeave: https://lists.example.org/unsubscribe/t1\r\n")
		if body := repaired(raw); bytes.HasSuffix(body, []byte("\r\n\r\n")) && len(body) != len(raw) {
			foot = nil // a header without a body: the footer would be part of it
		}
		p, err := Prepare(pieces, keys, Options{Time: when, Personal: unsubscribe})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		sig, err := p.Sign(leave("t1"), foot)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		good := repaired(whole(sig, pieces, leave("t1"), foot))
		if err := verify(good, len(keys)); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if n%4 != 0 {
			return
		}
		bad := bytes.Clone(good)
		bad[len(bad)-4] ^= 1
		if foot != nil && verify(bad, len(keys)) == nil {
			t.Errorf("%s: a change at the end does not show", name)
		}
		bad = bytes.Replace(good, []byte("unsubscribe/t1"), []byte("unsubscribe/t3"), 1)
		if verify(bad, len(keys)) == nil {
			t.Errorf("%s: another token does not show", name)
		}
		damaged++
	})
	t.Logf("%d messages, %d with a damaged header, %d shown to notice a change", n, odd, damaged)
}

// TestPiecesDoNotMatter: however a message is cut into pieces, it is signed the
// same.
func TestPiecesDoNotMatter(t *testing.T) {
	n := 0
	eachMessage(t, func(name string, raw []byte) {
		if n++; n%20 != 0 || len(raw) > 16<<10 {
			return
		}
		want := signed(t, []Piece{{Data: raw}})
		for _, step := range []int{1, 7, 100} {
			var pieces []Piece
			for at := 0; at < len(raw); at += step {
				pieces = append(pieces, Piece{Data: raw[at:min(at+step, len(raw))]}, Piece{})
			}
			if got := signed(t, pieces); !bytes.Equal(got, want) {
				t.Fatalf("%s: in pieces of %d it is signed otherwise", name, step)
			}
		}
	})
}

func signed(t *testing.T, pieces []Piece, holes ...[]byte) []byte {
	t.Helper()
	p, err := Prepare(pieces, edOnly(), Options{Time: when, Personal: unsubscribe})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := p.Sign(holes...)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
