package app

import (
	"context"

	"plenary/internal/edge/web"
	"plenary/internal/store"
)

// catcher shows the caught letters to the web door.
type catcher struct{ store *store.Store }

// Recipients implements web.Catcher.
func (c catcher) Recipients(ctx context.Context) ([]string, error) {
	return c.store.CaughtRecipients(ctx)
}

// Letters implements web.Catcher.
func (c catcher) Letters(ctx context.Context, recipient string, before int64, limit int) ([]web.Caught, error) {
	rows, err := c.store.CaughtPage(ctx, recipient, before, limit)
	out := make([]web.Caught, 0, len(rows))
	for i := range rows {
		out = append(out, caught(&rows[i]))
	}
	return out, err
}

// Letter implements web.Catcher.
func (c catcher) Letter(ctx context.Context, id int64) (*web.Caught, error) {
	row, err := c.store.GetCaught(ctx, id)
	if err != nil {
		return nil, err
	}
	l := caught(row)
	return &l, nil
}

func caught(c *store.Caught) web.Caught {
	return web.Caught{ID: c.ID, ReversePath: c.ReversePath, Recipient: c.Recipient, Data: c.Data, At: c.At.Time()}
}
