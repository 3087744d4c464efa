package queue

import (
	"context"
	"errors"

	"plenary/internal/model"
)

// letters leases house letters.
func (f *feeder) letters(ctx context.Context, l model.Lane) (int, error) {
	if f.e.lanes.load(l, aLetter) >= maxLetters {
		return 0, nil
	}
	lease := f.e.lease()
	ds, err := f.e.Store.LeaseLetters(ctx, l, lease, leaseBatch)
	if err != nil {
		return 0, err
	}
	for i := range ds {
		chunk := &model.Chunk{DistributionID: ds[i].ID, Owner: lease.Owner, LeaseUntil: lease.LeaseUntil}
		err = errors.Join(err, f.letter(ctx, &ds[i], chunk))
	}
	return len(ds), err
}

func (f *feeder) letter(ctx context.Context, d *model.Distribution, chunk *model.Chunk) error {
	src, err := f.open(ctx, d)
	if err != nil || src == nil {
		return f.refuse(ctx, chunk, err)
	}
	j := &job{source: src, chunk: chunk, left: 1, until: f.e.handOutUntil(chunk.LeaseUntil)}
	if age := f.e.Now().Sub(d.CreatedAt.Time()); age > f.e.lifetime(d.Lane) {
		f.e.lanes.add(j)
		return f.skip(ctx, j, []model.Delivery{{DistributionID: d.ID, State: model.DeliveryFailed, Reply: "it waited too long to be sent"}})
	}
	f.e.cut(j, []target{{Recipient: Recipient{Address: d.Recipient}}})
	f.e.lanes.add(j)
	return nil
}

// refuse shortens a lease that cannot be used now: the range is looked at again
// soon, but not at once.
func (f *feeder) refuse(ctx context.Context, chunk *model.Chunk, err error) error {
	_, rerr := f.e.Store.RenewChunks(ctx, f.e.Node, model.At(f.e.Now().Add(composeRetry)), []model.Chunk{*chunk})
	return errors.Join(err, rerr)
}

// abandoned takes over ranges whose lease ended: another node died, or this one
// gave them back.
func (f *feeder) abandoned(ctx context.Context, l model.Lane) (n int, err error) {
	for f.e.lanes.load(l, aRange) < f.e.lanes.most && f.e.lanes.load(l, aLetter) < 2*maxLetters {
		d, chunk, subs, err := f.e.Store.TakeOver(ctx, l, f.e.lease(), model.At(f.e.Now()))
		if err != nil || chunk == nil {
			return n, err
		}
		if f.e.lanes.holds(chunk, f.e.handOutUntil(chunk.LeaseUntil)) {
			continue
		}
		if d.Kind == model.DistributeLetter {
			err = f.letter(ctx, d, chunk)
		} else if src, oerr := f.open(ctx, d); oerr != nil || src == nil {
			return n, f.refuse(ctx, chunk, oerr)
		} else {
			err = f.leased(ctx, src, chunk, subs)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// retries claims copies whose next try is due, a batch of each distribution.
func (f *feeder) retries(ctx context.Context, l model.Lane) (n int, err error) {
	if f.e.lanes.load(l, aRetry) >= f.e.lanes.most {
		return 0, nil
	}
	ds, err := f.e.Store.RetryDistributions(ctx, l, model.At(f.e.Now()), f.retryTurn[l], manyAtOnce)
	if err != nil {
		return 0, err
	}
	if len(ds) < manyAtOnce {
		f.retryTurn[l] = 0 // the next look starts over
	} else {
		f.retryTurn[l] = ds[len(ds)-1].ID
	}
	for i := range ds {
		src, err := f.open(ctx, &ds[i])
		if err != nil {
			return n, err
		}
		if src == nil || !f.wants(src) {
			continue
		}
		k, err := f.retry(ctx, src)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// wants reports whether copies of a distribution that were tried before are to come
// into our hands. While a relay rests and none works, one batch is enough to try it
// with: more would pile up.
func (f *feeder) wants(src *source) bool {
	switch resting := f.e.out.resting.Load() > 0; {
	case resting && len(f.e.lanes.claimed(src)) == 0:
		return true
	case f.e.out.stuck():
		return false
	}
	return !f.full(src)
}

// full reports whether a distribution has enough in hand.
func (f *feeder) full(src *source) bool {
	enough := lowWater
	if f.e.out.stuck() {
		enough = 1
	}
	f.e.lanes.mu.Lock()
	defer f.e.lanes.mu.Unlock()
	return src.queued >= enough
}

func (f *feeder) retry(ctx context.Context, src *source) (int, error) {
	lease := f.e.lease()
	lease.DistributionID = src.d.ID
	rows, subs, err := f.e.Store.ClaimRetries(ctx, lease, model.At(f.e.Now()), retryBatch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return f.claimedRows(ctx, src, lease, rows, subs)
}
