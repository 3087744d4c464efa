package transfer_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"plenary/internal/store"
	"plenary/internal/testkit/real"
	"plenary/internal/testkit/stores"
)

func benchmarkImport(b *testing.B, s *store.Store, file string) {
	path := file
	if os.Getenv("PLENARY_BENCH_MBOX") == "" {
		path = real.Corpus(b, "archives", file)
	}
	n := 0
	for i := range b.N {
		l := makeList(b, s, fmt.Sprint("l", i))
		rep, err := importer(s).Import(context.Background(), l, "mbox", path)
		if err != nil {
			b.Fatal(err)
		}
		n += rep.Added
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkImport takes the real archives, or the mbox that PLENARY_BENCH_MBOX
// names.
func BenchmarkImport(b *testing.B) {
	files := []string{"linux-man-2000.mbox.gz", "usrp-users-1500.mbox.gz", "pipermail-twisted-web-4758.mbox.gz"}
	if path := os.Getenv("PLENARY_BENCH_MBOX"); path != "" {
		files = []string{path}
	}
	for _, file := range files {
		b.Run("sqlite/"+file, func(b *testing.B) { benchmarkImport(b, stores.SQLite(b), file) })
		b.Run("postgres/"+file, func(b *testing.B) { benchmarkImport(b, stores.Postgres(b), file) })
	}
}
