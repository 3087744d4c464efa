package real

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Torture gives every message of the MIME corpus by its file's name, with the line
// ends SMTP wants; the test is skipped where the corpus is absent.
func Torture(t testing.TB) iter.Seq2[string, []byte] {
	t.Helper()
	dir := Corpus(t, "mime")
	return func(yield func(string, []byte) bool) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.Contains(e.Name(), ".expected") || e.IsDir() {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if !yield(e.Name(), crlf(raw)) {
				return
			}
		}
	}
}

// Archives are the paths of the real archives; the test is skipped where they are
// absent.
func Archives(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Corpus(t, "archives"), "*.mbox.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in the corpus: %v", err)
	}
	return paths
}

// Mbox gives the messages of an mbox, packed by gzip or not, each with the instant
// of its separator and the line ends SMTP wants. A line is a separator when it has
// an instant in the form of asctime, with a zone or in UTC.
func Mbox(t testing.TB, path string) iter.Seq2[time.Time, []byte] {
	return func(yield func(time.Time, []byte) bool) {
		t.Helper()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var text io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if text, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		var when time.Time
		var raw []byte
		for lines := bufio.NewReader(text); ; {
			line, err := lines.ReadBytes('\n')
			if at, ok := separator(line); ok {
				if raw != nil && !yield(when, crlf(raw)) {
					return
				}
				when, raw = at, []byte{}
			} else if raw != nil {
				raw = append(raw, line...)
			}
			switch {
			case errors.Is(err, io.EOF):
				if raw != nil {
					yield(when, crlf(raw))
				}
				return
			case err != nil:
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
}

// Messages are the first n messages of an mbox, all with n = 0, and their instants.
func Messages(t testing.TB, path string, n int) (raws [][]byte, received []time.Time) {
	t.Helper()
	for when, raw := range Mbox(t, path) {
		raws, received = append(raws, raw), append(received, when)
		if len(raws) == n {
			break
		}
	}
	return raws, received
}

// separator reads the line that begins a message in an mbox (RFC 4155).
func separator(line []byte) (time.Time, bool) {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return time.Time{}, false
	}
	f := strings.Fields(string(line))
	for n := 1; n+5 <= len(f); n++ {
		if n+6 <= len(f) {
			if when, err := time.Parse("Mon Jan 2 15:04:05 2006 -0700", strings.Join(f[n:n+6], " ")); err == nil {
				return when, true
			}
		}
		if when, err := time.Parse("Mon Jan 2 15:04:05 2006", strings.Join(f[n:n+5], " ")); err == nil {
			return when, true
		}
	}
	return time.Time{}, false
}

func crlf(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}
