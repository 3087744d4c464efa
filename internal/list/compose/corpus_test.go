package compose

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plenary/internal/mail/message"
	"plenary/internal/testkit/real"
)

// eachMessage gives every message of the torture set and each third of the real
// archives, which is plenty.
func eachMessage(t *testing.T, yield func(name string, raw []byte)) {
	t.Helper()
	for name, raw := range real.Torture(t) {
		yield(name, raw)
	}
	for _, path := range real.Archives(t) {
		n := 0
		for _, raw := range real.Mbox(t, path) {
			if n++; n%3 == 0 {
				yield(filepath.Base(path), raw)
			}
		}
	}
}

var everything = Options{Local: "talk", Domain: "example.org", Title: "Talk", Tag: "[talk-tag]", BaseURL: "https://lists.example.org",
	Footer: "The footer of the list. Größe: {list}. Leave: {unsubscribe}\n"}

// otherFields are the fields of a header that no step may touch, in order.
func otherFields(raw []byte, alsoLeft func(string) bool) []byte {
	h := message.ParseHeader(raw)
	var out []byte
	for i, f := range h.Fields() {
		if removed(f.Name) || alsoLeft(f.Name) || i == 0 && isSeparator(h.Raw(f)) {
			continue
		}
		out = append(out, bytes.TrimPrefix(h.Raw(f), []byte("X-Original-Line:\r\n"))...)
	}
	return ended(out)
}

// unnamed gives lines of the header that are no field back as they came.
func unnamed(copied []byte) []byte { return namedLine.ReplaceAll(copied, []byte("$1")) }

var namedLine = regexp.MustCompile("(?m)^" + originalLine + "\r\n (\\S)")

// TestNothingElseChanges: over all real mail, what no step names goes out bit
// for bit.
func TestNothingElseChanges(t *testing.T) {
	n := 0
	plain := Options{Local: "talk", Domain: "example.org", Title: "Talk", BaseURL: "https://lists.example.org"}
	none := func(string) bool { return false }
	eachMessage(t, func(name string, raw []byte) {
		n++
		h := message.ParseHeader(raw)
		got := []byte(whole(Prepare(nil, raw, plain).For(bob).Segments))
		front := len(whole(Prepare(nil, nil, plain).For(bob).Segments)) - 2 + len(guard(raw)) // 2: the line break an empty message is given
		rest := got[front:]
		want := otherFields(raw, none)
		if len(h.Fields()) < message.MaxFields && !bytes.HasPrefix(unnamed(rest), want) {
			t.Errorf("%s: header fields changed", name)
		}
		if body := ended(raw[h.Len():]); !bytes.HasSuffix(got, body) {
			t.Errorf("%s: the body changed", name)
		}
	})
	t.Logf("%d messages", n)
}

func ended(body []byte) []byte {
	if len(body) > 0 && body[len(body)-1] != '\n' {
		return append(bytes.Clone(body), "\r\n"...)
	}
	return body
}

// TestDecorationBreaksNothing: with a tag and a footer, over all real mail, every
// part of the message is still there bit for bit, signed mail is as it was, and
// the footer can be read.
func TestDecorationBreaksNothing(t *testing.T) {
	counts := map[string]int{}
	changed := func(name string) bool {
		return strings.EqualFold(name, "subject") || len(name) > 8 && strings.EqualFold(name[:8], "content-") || strings.EqualFold(name, "mime-version")
	}
	eachMessage(t, func(name string, raw []byte) {
		h, s := message.ParseHeader(raw), message.Scan(raw)
		got := []byte(whole(Prepare(nil, raw, everything).For(bob).Segments))
		if len(h.Fields()) < message.MaxFields && !bytes.Equal(bytes.TrimLeft(otherFields(unnamed(got), changed), " "), bytes.TrimLeft(otherFields(raw, changed), " ")) {
			t.Errorf("%s: header fields changed", name)
		}
		body := raw[h.Len():]
		switch {
		case s.Opaque:
			counts["opaque"]++
			if !bytes.HasSuffix(got, ended(body)) {
				t.Errorf("%s: an opaque message was changed", name)
			}
		case !decorates(s.Root):
			counts["untouchable"]++
			if !bytes.HasSuffix(got, ended(body)) {
				t.Errorf("%s: a signed or encrypted message was changed", name)
			}
		case bytes.Contains(got, bytes.TrimRight(body, "\r\n")):
			counts["body whole"]++
			footerReads(t, name, got)
		default:
			counts["part added"]++
			for todo := []*message.Part{s.Root}; len(todo) > 0; {
				p := todo[0]
				todo = append(todo[1:], p.Children...)
				if len(p.Children) == 0 && !bytes.Contains(got, raw[p.HeaderStart:p.End]) {
					t.Errorf("%s: part %v changed", name, p.Path)
				}
			}
			footerReads(t, name, got)
		}
	})
	t.Logf("%v", counts)
}

// footerReads looks for the footer with another reader than the writer.
func footerReads(t *testing.T, name string, got []byte) {
	t.Helper()
	if len(message.ParseHeader(got).Fields()) >= message.MaxFields {
		return
	}
	r := message.Read(got)
	text := r.Plain + r.Body + r.Quoted
	if !strings.Contains(text, "The footer of the list. Größe: talk@example.org.") ||
		!strings.Contains(text, "https://lists.example.org/unsubscribe/t0ken") {
		t.Errorf("%s: the footer cannot be read", name)
	}
}
