package store_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// benchmarkSavePost stores posts one by one, durable each, from four writers.
func benchmarkSavePost(b *testing.B, s *store.Store) {
	ctx := context.Background()
	l := &model.List{Local: "talk", Domain: "lists.example.org"}
	if err := s.CreateList(ctx, l); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	runtime.GC()
	b.ResetTimer()
	for range 4 {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				var above []string
				if n%3 != 0 {
					above = []string{fmt.Sprintf("%d@x", n-n%3)}
				}
				p := newPost(l.ID, fmt.Sprintf("%d@x", n), above...)
				p.Distribution = &model.Distribution{Kind: model.DistributePost, Lane: model.LanePost, Options: "{}"}
				p.Event = &model.Event{ListID: l.ID, Kind: "post.accepted", MessageKey: "k"}
				if _, _, err := s.SavePost(ctx, p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}

func BenchmarkSavePost(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkSavePost(b, stores.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchmarkSavePost(b, stores.Postgres(b)) })
}
