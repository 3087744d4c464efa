package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

// FuzzExport: whatever the bytes of two messages are, the export of them read
// again gives the same bytes and dates, in whichever pieces it is read.
func FuzzExport(f *testing.F) {
	for _, s := range []string{"A: 1\r\n\r\nx\r\n", "A: 1\r\n\r\nno end", "A: 1\n\nbare\r\n", "A\r", "\r\n", "\n", "\r\r\n\r", "\x00\xff\r\n\x00", "From me\r\n>From you\r\n>>From us",
		"A: 1\r\n\r\n\r\nFrom mboxrd@z+b Mon Mar  2 10:00:00 2026\r\nB: 2\r\n\r\n\r\n", "From mboxrd@z Mon Mar  2 10:00:00 2026\n\n"} {
		f.Add([]byte(s), []byte("B: 2\r\n\r\ny\r\n"))
		f.Add([]byte("B: 2\r\n\r\ny"), []byte(s))
	}
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) == 0 || len(b) == 0 {
			return
		}
		var file bytes.Buffer
		out := bufio.NewWriter(&file)
		for _, m := range [][]byte{a, b} {
			if err := writeMessage(out, m, at); err != nil {
				t.Fatal(err)
			}
		}
		_ = out.Flush()
		for _, read := range []func(io.Reader, int64, int64) Reader{readMbox, readMboxrd} {
			r := read(bytes.NewReader(file.Bytes()), 0, 1<<20)
			for i, want := range [][]byte{a, b} {
				m, err := r.Next()
				if err != nil || !bytes.Equal(m.Raw, want) || !m.ReceivedAt.Equal(at) {
					t.Fatalf("message %d: %q of %q, want %q (%v)", i, m.Raw, file.String(), want, err)
				}
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
	})
}
