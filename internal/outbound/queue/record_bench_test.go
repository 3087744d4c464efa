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
			rows := make([]model.Delivery, n)
			for b.Loop() {
				for i := range rows {
					id++
					rows[i] = model.Delivery{DistributionID: 1, RecipientID: id, State: model.DeliverySent, Attempts: 1, Code: 250, Reply: "2.0.0 taken", At: 17}
				}
				if err := r.s.RecordDeliveries(context.Background(), rows, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
