package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"plenary/internal/outbound/queue"
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

// plainLetters are copies that need nothing.
type plainLetters struct{}

func (plainLetters) Letter(r queue.Recipient) queue.Letter {
	return queue.Letter{Recipient: r.Address, Segments: [][]byte{[]byte("Subject: x\r\n\r\nx\r\n")}}
}

// TestLookAhead: a unit that was taken early comes after the one in work, and
// goes back with it when the connection ends.
func TestLookAhead(t *testing.T) {
	units, outcomes := make(chan *queue.Unit, 3), make(chan queue.Outcome, 10)
	var all []*queue.Unit
	for range 3 {
		u := queue.NewUnit(plainLetters{}, queue.Recipient{Address: "a@x"}, queue.Recipient{Address: "b@x"}, queue.Recipient{Address: "c@x"})
		units <- u
		all = append(all, u)
	}
	f := &feed{c: &conn{seen: newSegments()}, units: units, outcomes: outcomes}
	for i := range 4 {
		it := f.next(false)
		if it == nil || it.unit != all[i/3] || it.index != i%3 {
			t.Fatalf("letter %d is %+v", i, it)
		}
		f.lookAhead()
		if want := []int{2, 1, 1, 1}[i]; len(units) != want {
			t.Fatalf("after letter %d %d units are left, want %d", i, len(units), want)
		}
	}
	f.next(false)
	f.lookAhead()
	f.returnRest()
	for _, want := range []queue.Outcome{{Unit: all[1], Index: 2}, {Unit: all[2]}, {Unit: all[2], Index: 1}, {Unit: all[2], Index: 2}} {
		if got := <-outcomes; got != want {
			t.Errorf("%+v came back, want %+v", got, want)
		}
	}
	if len(outcomes) != 0 {
		t.Errorf("%d more came back", len(outcomes))
	}
}
