package queue_test

import (
	"context"
	"fmt"
	"testing"

	"plenary/internal/model"
)

func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{1, 16, 64, 200, 512} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := sqliteRig(b)
			id := int64(0)
			chunk := model.Chunk{DistributionID: 1, Owner: "a"}
			r.exec("INSERT INTO chunks (distribution_id, first_id, last_id, owner, lease_until) VALUES (1, 0, 0, 'a', 0)")
			sent := make([]model.SentCopy, n)
			for b.Loop() {
				for i := range sent {
					id++
					sent[i] = model.SentCopy{RecipientID: id, Code: 250, Reply: "2.0.0 taken", At: 17}
				}
				if err := r.s.RecordDeliveries(context.Background(), []model.RangeOutcomes{{Chunk: chunk, Sent: sent}}, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
