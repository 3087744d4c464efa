package mailauth

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"
)

// post is a message of some size.
func post(size int) []Piece {
	line := []byte("The quick brown fox jumps over the lazy dog, and the library is open.\r\n")
	body := bytes.Repeat(line, size/len(line)+1)[:size]
	return []Piece{{Data: []byte("Received: by x\r\nList-Id: <talk.lists.example.org>\r\n")}, {Personal: true}, {Data: append([]byte(letter), body...)}}
}

// BenchmarkCopy measures signatures of copies with a personal List-Unsubscribe
// against the bare arithmetic of the key, in one goroutine, turn about, by the
// medians, so that a disturbed machine disturbs both. "ratio" is copies a second
// to bare signatures a second; with RSA-2048 it is to stay above 0.95.
func BenchmarkCopy(b *testing.B) {
	for _, c := range []struct {
		name string
		key  crypto.Signer
		opts crypto.SignerOpts
		size int
		foot bool
	}{
		{"rsa2048/3kB", rsaKey(), crypto.SHA256, 3000, false},
		{"rsa2048/3kB+footer", rsaKey(), crypto.SHA256, 3000, true},
		{"rsa2048/200kB+footer", rsaKey(), crypto.SHA256, 200_000, true},
		{"ed25519/3kB", edKey, crypto.Hash(0), 3000, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			pieces := post(c.size)
			if c.foot {
				pieces = append(pieces, Piece{Data: []byte("Leave: ")}, Piece{Personal: true}, Piece{Data: []byte("\r\n")})
			}
			p, err := Prepare(pieces, []Key{{"lists.example.org", "2026q4", c.key}}, Options{Time: when, Personal: unsubscribe})
			if err != nil {
				b.Fatal(err)
			}
			var bare, copies []time.Duration
			for b.Loop() {
				n := len(bare)
				sum := sha256.Sum256([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
				holes := [][]byte{leave(fmt.Sprint("token", n))}
				if c.foot {
					holes = append(holes, holes[0][20:60])
				}
				start := time.Now()
				if _, err := c.key.Sign(rand.Reader, sum[:], c.opts); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if _, err := p.Sign(holes...); err != nil {
					b.Fatal(err)
				}
				end := time.Now()
				bare, copies = append(bare, middle.Sub(start)), append(copies, end.Sub(middle))
			}
			slices.Sort(bare)
			slices.Sort(copies)
			one, other := bare[len(bare)/2], copies[len(copies)/2]
			b.ReportMetric(1/one.Seconds(), "bare/s")
			b.ReportMetric(1/other.Seconds(), "copies/s")
			b.ReportMetric(one.Seconds()/other.Seconds(), "ratio")
		})
	}
}

// BenchmarkPrepare is what a post costs once.
func BenchmarkPrepare(b *testing.B) {
	for _, size := range []int{3000, 10_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			pieces := post(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Prepare(pieces, edOnly(), Options{Time: when, Personal: unsubscribe}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
