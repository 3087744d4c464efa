package queue_test

import (
	"context"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// TestSiteOfDeferredCopies: the status names the site that has put copies off, and
// a retry finds them by the name of its host.
func TestSiteOfDeferredCopies(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"451 4.3.0 later", "550 5.7.1 not from here"} {
		t.Run(reply[:3], func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			r := sqliteRig(t)
			n := newInternet(t)
			n.host("127.0.0.65", sink.Options{RefuseData: reply}, "host.example", "d0.example")
			const people = 8
			r.people(r.list.ID, 1, people, "'d0.example'")
			stop := run(t, r.direct(n.router(fast, smtpout.Timeouts{}), func(o *queue.Options) { o.Retry = []time.Duration{time.Hour} }))
			r.distribute(r.list.ID, model.LanePost)
			eventually(t, "all are tried", func() bool {
				return r.number("SELECT count(*) FROM deliveries WHERE state = 2 AND attempts = 1") == people
			})
			eventually(t, "the status names the site", func() bool {
				st, err := r.s.QueueStatus(ctx, 10)
				return err == nil && len(st.Sites) == 1 && st.Sites[0].Name == "host.example" && st.Sites[0].Waiting == people
			})
			stop()
			if k, err := r.s.RetryNow(ctx, store.QueueScope{Destination: "mx.host.example"}); err != nil || k != people {
				t.Errorf("%d copies are tried again, %v", k, err)
			}
		})
	}
}
