package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzReply: whatever a peer says is a reply, an end or garbage, within bounds.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "250\n", "354", "2 0", "250-\xff\r\n250 \x00\r\n", strings.Repeat("250-x\r\n", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(data), maxReplyLine)
		for {
			r, err := readReply(br, nil, nil)
			if err != nil {
				if !errors.Is(err, errGarbage) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%v", err)
				}
				return
			}
			if r.code < 200 || r.code > 599 || len(r.text) > 2*maxReplyLine {
				t.Fatalf("%d with %d octets", r.code, len(r.text))
			}
		}
	})
}

// FuzzSegments: however a message is cut, what is sent by DATA is the message
// with its dots doubled.
func FuzzSegments(f *testing.F) {
	f.Add([]byte(".a\r\n..\r\nb\r\n.\r\n"), 3, 5)
	f.Add([]byte("a\r\n.b"), 3, 4)
	f.Fuzz(func(t *testing.T, data []byte, a, b int) {
		a, b = min(max(a, 0), len(data)), min(max(b, 0), len(data))
		if a > b {
			a, b = b, a
		}
		it := &item{}
		it.letter.Segments = [][]byte{data[:a], data[a:b], data[b:]}
		c := &conn{seen: newSegments()}
		v := c.seen.survey(&it.letter)
		if v.size != len(data) {
			t.Fatalf("%d of %d octets", v.size, len(data))
		}
		text := string(data)
		left := strings.ReplaceAll(text, "\r\n", "")
		if bare := strings.ContainsAny(left, "\r\n"); bare != v.bare {
			t.Fatalf("%q: bare is %v", text, v.bare)
		}
		if v.bare || len(data) > writeBlock/2 {
			return
		}
		if err := c.body(it); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:]
		if text != "" && !strings.HasSuffix(text, "\r\n") {
			want += "\r\n"
		}
		if got := string(c.buf); got != want+".\r\n" {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
