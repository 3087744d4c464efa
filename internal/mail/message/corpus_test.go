package message

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// corpus gives the folder of real mail, or skips.
func corpus(t testing.TB, name string) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no go.mod above")
		}
		dir = up
	}
	dir = filepath.Join(dir, "..", "shared", "corpora", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus at ../shared/corpora/" + name)
	}
	return dir
}

// TestRealMessages holds every message of the MIME corpus against everything:
// with its own line ends, with CRLF and with LF, cut in half, and shifted.
func TestRealMessages(t *testing.T) {
	dir := corpus(t, "mime")
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var slowest time.Duration
	var slow string
	opaque, silent := 0, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		lf := bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		begun := time.Now()
		for form, msg := range map[string][]byte{"as it is": raw, "LF": lf, "CRLF": bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), "half": raw[:len(raw)/2], "body only": raw[len(raw)/3:]} {
			if err := checkAll(msg); err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
			}
		}
		if d := time.Since(begun); d > slowest {
			slowest, slow = d, name
		}
		r := Read(raw)
		s := Scan(raw)
		if s.Opaque {
			opaque++
		}
		if lost := lostWords(raw, s, r); lost != "" {
			t.Errorf("%s: lost %q", name, lost)
		}
		if r.Body+r.Quoted+r.Attached == "" && len(r.Files) == 0 && len(bytes.TrimSpace(raw[s.Root.BodyStart:])) > 0 {
			silent++
			t.Logf("%s: a body and nothing to read", name)
		}
	}
	t.Logf("%d messages, %d opaque, %d without anything to read; slowest: %s, %v for five forms", len(files), opaque, silent, slow, slowest)
}

// lostWords gives the first word of a plain, unencoded ASCII text part that the
// reading does not have anywhere.
func lostWords(raw []byte, s *Structure, r Reading) string {
	if s.Opaque || bytes.IndexByte(raw, 0) >= 0 {
		return ""
	}
	all := map[string]bool{}
	for _, text := range []string{r.Plain, r.Body, r.Quoted, r.Attached, r.HTML} {
		for _, w := range strings.Fields(text) {
			all[strings.Trim(w, ">")] = true
		}
	}
	own := map[string]bool{}
	for _, text := range []string{r.Body, r.Quoted, r.Attached} {
		for _, w := range strings.Fields(text) {
			own[strings.Trim(w, ">")] = true
		}
	}
	for _, w := range strings.Fields(r.Plain) {
		if w = strings.Trim(w, ">"); w != "" && !own[w] && !strings.Contains(w, ">") {
			return w
		}
	}
	todo := []*Part{s.Root}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], p.Children...)
		if p.Message != nil {
			todo = append(todo, p.Message)
		}
		if p.Type != "text" || p.Subtype != "plain" || strings.Contains(p.Encoding, "64") || strings.Contains(p.Encoding, "uu") || p.Encoding == "quoted-printable" ||
			strings.HasPrefix(strings.ToLower(p.Param("charset")), "utf-") || strings.HasPrefix(strings.ToLower(p.Param("charset")), "iso-2022") || p.Param("delsp") != "" {
			continue
		}
		for _, w := range strings.Fields(string(raw[p.BodyStart:p.End])) {
			if w = strings.Trim(w, ">"); w != "" && isPlainWord(w) && !all[w] {
				return w
			}
		}
	}
	return ""
}

func isPlainWord(w string) bool {
	for _, c := range []byte(w) {
		if c <= ' ' || c >= 0x7F || c == '>' {
			return false
		}
	}
	return true
}

// eachArchived calls f with every message of a gzipped mbox file.
func eachArchived(t testing.TB, file string, f func(raw []byte)) {
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	unzip, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(unzip, 1<<20)
	var msg []byte
	begun, empty := false, true
	for {
		line, err := r.ReadBytes('\n')
		if empty && bytes.HasPrefix(line, []byte("From ")) {
			if begun {
				f(msg)
			}
			msg, begun = nil, true
		} else if begun {
			msg = append(msg, line...)
		}
		empty = len(bytes.TrimRight(line, "\r\n")) == 0
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if begun {
		f(msg)
	}
}

// TestRealArchives reads three whole lists.
func TestRealArchives(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t, "archives"), "*.mbox.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			n, dated, named, subject, from := 0, 0, 0, 0, 0
			eachArchived(t, file, func(raw []byte) {
				n++
				if err := checkAll(raw); err != nil {
					t.Errorf("message %d: %v", n, err)
				}
				s := Scan(raw)
				if s.Opaque {
					t.Errorf("message %d: %s", n, s.Why)
				}
				r := s.Read(raw)
				if lost := lostWords(raw, s, r); lost != "" {
					t.Errorf("message %d: lost %q", n, lost)
				}
				h := ParseHeader(raw)
				if _, ok := h.Date(); ok {
					dated++
				}
				if h.MessageID() != "" {
					named++
				}
				if h.Text("Subject") != "" {
					subject++
				}
				if len(h.Addresses("From")) > 0 {
					from++
				}
			})
			t.Logf("%d messages: %d with a date, %d with an id, %d with a subject, %d with an author's address", n, dated, named, subject, from)
			if dated < n*99/100 || named < n*99/100 {
				t.Errorf("of %d messages only %d have a date and %d an id", n, dated, named)
			}
		})
	}
}
