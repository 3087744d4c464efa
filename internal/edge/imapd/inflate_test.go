package imapd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/flate"
)

// packedSample is commands as a client packs them, with flushes here and there.
func packedSample(t testing.TB, r *rand.Rand) (clear, packed []byte) {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, []int{0, 1, 6, 9, flate.HuffmanOnly}[r.IntN(5)])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1 + r.IntN(3000) {
		line := fmt.Appendf(nil, "%d UID FETCH %d (BODY.PEEK[])\r\n", i, r.IntN(1000))
		if r.IntN(50) == 0 {
			line = make([]byte, r.IntN(2000))
			for k := range line {
				line[k] = byte(r.Uint32())
			}
		}
		clear = append(clear, line...)
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
		if r.IntN(100) == 0 {
			_ = w.Flush()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return clear, buf.Bytes()
}

// TestInflate unpacks streams of every kind, whole and cut off anywhere: all
// that is there is given, however it comes in.
func TestInflate(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 4))
		clear, packed := packedSample(t, r)
		for _, in := range []io.Reader{bytes.NewReader(packed), iotest.OneByteReader(bytes.NewReader(packed)), iotest.HalfReader(bytes.NewReader(packed))} {
			got, err := io.ReadAll(newInflater(in))
			if err != nil || !bytes.Equal(got, clear) {
				t.Fatalf("seed %d: %v, %d of %d octets", seed, err, len(got), len(clear))
			}
		}
		cut := packed[:r.IntN(len(packed))]
		got, _ := io.ReadAll(newInflater(bytes.NewReader(cut)))
		want, _ := io.ReadAll(flate.NewReader(bytes.NewReader(cut)))
		if !bytes.HasPrefix(clear, got) || len(got) < len(want) {
			t.Fatalf("seed %d: %d octets of a cut stream, others get %d", seed, len(got), len(want))
		}
	}
}

// FuzzInflate compares with another reader: what one takes, the other takes, to
// the same octets.
func FuzzInflate(f *testing.F) {
	for seed := range uint64(4) {
		_, packed := packedSample(f, rand.New(rand.NewPCG(seed, 5)))
		f.Add(packed[:min(len(packed), 2000)])
	}
	f.Add([]byte{0x4b, 0x4c, 0x04, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 { // within the ratio
			return
		}
		got, err := io.ReadAll(newInflater(bytes.NewReader(b)))
		if errors.Is(err, errBomb) {
			return
		}
		want, other := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
		if other == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%v, %d octets, others get %d", err, len(got), len(want))
		}
		if !bytes.HasPrefix(got, want) && !bytes.HasPrefix(want, got) {
			t.Fatal("something else")
		}
	})
}
