package archive_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/testkit/real"
)

// BenchmarkPairsOrTriples prints what an index of single characters, of pairs
// (ours) and of triples (FTS5's trigram) takes for the text of real posts, and for
// what real mails have of Chinese, Japanese, Korean and Thai.
func BenchmarkPairsOrTriples(b *testing.B) {
	var posts, cjk []string
	for _, name := range realArchives {
		raws, _ := real.Messages(b, real.Corpus(b, "archives", name+".mbox.gz"), 1000)
		for _, raw := range raws {
			posts = append(posts, message.Read(raw).Body)
		}
	}
	_ = filepath.WalkDir(real.Corpus(b, "mime"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, ".expected") {
			return err
		}
		raw, err := os.ReadFile(path)
		var run strings.Builder
		for _, r := range message.Read(raw).Body {
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai) {
				run.WriteRune(r)
			} else if run.Len() > 0 && !strings.HasSuffix(run.String(), " ") {
				run.WriteByte(' ')
			}
		}
		if run.Len() > 30 {
			cjk = append(cjk, run.String())
		}
		return err
	})
	singles := func(s string) string {
		var out strings.Builder
		for _, r := range s {
			out.WriteString(string(r) + " ")
		}
		return out.String()
	}
	for b.Loop() {
		for what, texts := range map[string][]string{"posts": posts, "cjk": cjk} {
			octets := 0
			for _, t := range texts {
				octets += len(t)
			}
			for how, f := range map[string]func(string) string{"pairs": archive.IndexWords, "triples": func(s string) string { return s }, "singles": singles} {
				if how == "singles" && what == "posts" {
					continue
				}
				b.ReportMetric(100*float64(indexSize(b, texts, f, how == "triples"))/float64(octets), what+"-"+how+"-%-of-text")
			}
			b.ReportMetric(float64(len(texts)), what+"-texts")
		}
	}
}

func indexSize(b *testing.B, texts []string, f func(string) string, trigram bool) (octets int64) {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "x.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tokens := "ascii"
	if trigram {
		tokens = "trigram"
	}
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	do := func(q string, args ...any) {
		if _, err := tx.Exec(q, args...); err != nil {
			b.Fatal(err)
		}
	}
	do("CREATE VIRTUAL TABLE f USING fts5 (x, content = '', tokenize = '" + tokens + "')")
	for _, t := range texts {
		do("INSERT INTO f (x) VALUES (?)", f(t))
	}
	do("INSERT INTO f (f) VALUES ('optimize')")
	if err := tx.QueryRow("SELECT sum(length(block)) FROM f_data").Scan(&octets); err != nil {
		b.Fatal(err)
	}
	_ = tx.Rollback()
	return octets
}
