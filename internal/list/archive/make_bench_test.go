package archive_test

import (
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

func BenchmarkMake(b *testing.B) {
	for _, file := range []string{"linux-man-2000.mbox.gz", "usrp-users-1500.mbox.gz"} {
		raws, received := real.Messages(b, real.Corpus(b, "archives", file), 1500)
		l := &model.List{ID: 1}
		b.Run(file, func(b *testing.B) {
			octets := 0
			for i := range b.N {
				n := i % len(raws)
				octets += len(archive.Make(l, raws[n], nil, model.At(received[n]), true).Bytes)
			}
			b.ReportMetric(float64(octets)/float64(b.N), "octets/msg")
		})
	}
}
