package smtpout

import (
	"bytes"
	"context"

	"plenary/internal/outbound/queue"
)

// Keep stores a letter that would have been sent. Data is the caller's to keep.
type Keep func(ctx context.Context, reversePath, recipient string, data []byte) error

// Catcher keeps letters instead of sending them, for demonstrations and trials.
type Catcher struct {
	Keep Keep
}

// Connect is a queue.Connector; it never fails.
func (c *Catcher) Connect(context.Context) (queue.Courier, error) { return c, nil }

// Run is queue.Courier. A letter that cannot be kept is a temporary failure.
func (c *Catcher) Run(ctx context.Context, units <-chan *queue.Unit, outcomes chan<- queue.Outcome) error {
	for u := range units {
		for i := range u.Len() {
			l := u.Letter(i)
			r := queue.Result{State: queue.OK, Code: 250, Reply: "2.0.0 caught"}
			if l.Unfit != "" {
				r = queue.Result{State: queue.Temporary, Reply: l.Unfit}
			} else if err := c.Keep(ctx, l.ReversePath, l.Recipient, bytes.Join(l.Segments, nil)); err != nil {
				r = queue.Result{State: queue.Temporary, Reply: "not caught: " + err.Error()}
			}
			outcomes <- queue.Outcome{Unit: u, Index: i, Result: r}
		}
	}
	return nil
}
