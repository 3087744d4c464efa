package sample_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"plenary/internal/sample"
	"plenary/internal/sample/gen"
)

// update writes the archives anew: go test ./internal/sample -update
var update = flag.Bool("update", false, "write archive.mbox and announce.mbox from source")

// archive is one of the two, as committed and as its source gives it.
type archive struct {
	folder, file string
	list         gen.List
	mbox         []byte
}

func archives() []archive {
	return []archive{
		{"talk", "archive.mbox", gen.List{Address: sample.TalkAddress, Name: sample.TalkName}, sample.Talk()},
		{"news", "announce.mbox", gen.List{Address: sample.NewsAddress, Name: sample.NewsName}, sample.Announce()},
	}
}

func (a archive) build(t *testing.T) *gen.Result {
	t.Helper()
	r, err := gen.Build(os.DirFS("source"), a.folder, a.list)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGenerated holds the committed archives against their source.
func TestGenerated(t *testing.T) {
	for _, a := range archives() {
		want := a.build(t).Mbox
		if again := a.build(t).Mbox; !bytes.Equal(want, again) {
			t.Errorf("%s: two runs differ", a.file)
		}
		if *update {
			if err := os.WriteFile(a.file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s written; run the test again", a.file)
			continue
		}
		if !bytes.Equal(want, a.mbox) {
			t.Errorf("%s is not what source gives; run this test with -update", a.file)
		}
	}
}

// TestSize keeps the repository small.
func TestSize(t *testing.T) {
	const limit = 1_200_000
	total := int64(0)
	err := filepath.WalkDir(".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > limit {
		t.Errorf("the sample takes %d octets, at most %d are wanted", total, limit)
	}
	for _, a := range archives() {
		if bytes.IndexByte(a.mbox, '\r') >= 0 {
			t.Errorf("%s: line ends must be LF", a.file)
		}
		for i, line := range bytes.Split(a.mbox, []byte("\n")) {
			if len(line) > 998 {
				t.Errorf("%s:%d: %d octets in a line, RFC 5322 2.1.1 allows 998", a.file, i+1, len(line))
			}
		}
	}
}

// TestMadeUp allows addresses and links only in the domains set aside for
// examples (RFC 2606), so that nobody real is ever written to.
func TestMadeUp(t *testing.T) {
	host := regexp.MustCompile(`(?:@|https?://)([\pL\pN.-]+)`)
	fine := regexp.MustCompile(`(?:^|\.)(?:example\.(?:org|com|net)|example)\.?$`)
	known := map[string]bool{ // not hosts but the source's own language
		"html": true,
	}
	err := filepath.WalkDir("source", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 || filepath.Ext(name) == ".pdf" || filepath.Ext(name) == ".p7s" {
			return nil // a picture, a document, a signature
		}
		for _, m := range host.FindAllSubmatch(text, -1) {
			if h := string(m[1]); !known[h] && !fine.MatchString(h) {
				t.Errorf("%s: %s is not an example domain", name, h)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
