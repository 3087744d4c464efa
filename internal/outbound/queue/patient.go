package queue

import (
	"context"
	"time"

	"plenary/internal/model"
)

// storePatience bounds one call of the store: a database that is cut off may
// never answer, and then the next try needs a new connection. A call that is
// given up may still have been done; each can be repeated.
const storePatience = 30 * time.Second

// patient is a store whose calls end. The feeder bounds its own.
type patient struct{ Store }

// RecordDeliveries implements Store.
func (p patient) RecordDeliveries(ctx context.Context, ranges []model.RangeOutcomes, rows []model.Delivery, ended []model.Chunk) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.RecordDeliveries(ctx, ranges, rows, ended)
}

// RenewChunks implements Store.
func (p patient) RenewChunks(ctx context.Context, owner string, until model.Instant, chunks []model.Chunk) ([]model.Chunk, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.RenewChunks(ctx, owner, until, chunks)
}

// ReleaseChunks implements Store.
func (p patient) ReleaseChunks(ctx context.Context, owner string, chunks []model.Chunk) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.ReleaseChunks(ctx, owner, chunks)
}

// RenewClaims implements Store.
func (p patient) RenewClaims(ctx context.Context, owner string, until model.Instant, rows []model.Delivery) ([]model.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.RenewClaims(ctx, owner, until, rows)
}

// ReleaseClaims implements Store.
func (p patient) ReleaseClaims(ctx context.Context, owner string, rows []model.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.ReleaseClaims(ctx, owner, rows)
}

// Halted implements Store.
func (p patient) Halted(ctx context.Context, ids []int64) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Halted(ctx, ids)
}

// Recipients implements Store.
func (p patient) Recipients(ctx context.Context, ids []int64) ([]model.Subscriber, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Recipients(ctx, ids)
}
