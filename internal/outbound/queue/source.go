package queue

import (
	"context"
	"sync/atomic"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// source is a distribution opened for sending.
type source struct {
	d        *model.Distribution // Cursor and State are the feeder's, the rest is constant
	prepared Prepared
	sparing  Sparing  // nil when the composer leaves nobody out
	author   string   // identity of the post's author
	anyway   bool     // see Insistent
	signers  *signers // make its letters; nil: whoever sends them

	size  atomic.Int64 // octets of its first copy; 0: none was made yet
	large atomic.Bool  // it was said that it is larger than a peer takes

	// Guarded by lanes.mu.
	jobs   int  // in hand
	queued int  // copies in hand and not handed out
	more   bool // there are ranges to lease
	fates  fates
	served int // the turn of its lane at which it was served last

	idleSince time.Time // the feeder's
}

const (
	keepOpen     = 5 * time.Second // a distribution without jobs stays open so long
	composeRetry = 5 * time.Second // after a composer failed for the moment
)

// open prepares a distribution, or gives the one that is open already. A nil
// source means not now; a distribution that cannot be composed is paused.
func (f *feeder) open(ctx context.Context, d *model.Distribution) (*source, error) {
	if s := f.sources[d.ID]; s != nil {
		s.idleSince = time.Time{}
		return s, nil
	}
	if until, ok := f.notBefore[d.ID]; ok {
		if f.e.Now().Before(until) {
			return nil, nil
		}
		delete(f.notBefore, d.ID)
	}
	copied, theirs := *d, *d
	p, err := f.e.Composer.Open(ctx, &theirs)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if fault.Is(err, fault.Temporary) || fault.Is(err, fault.StorageFull) {
			f.notBefore[d.ID] = f.e.Now().Add(composeRetry)
			f.e.Log.Warn("a distribution cannot be opened now", "distribution", d.ID, "err", err)
			return nil, nil
		}
		f.e.Log.Error("a distribution cannot be composed and is paused", "distribution", d.ID, "list", d.ListID, "err", err)
		return nil, f.e.Store.PauseDistribution(ctx, d.ID, "it cannot be composed: "+fault.Text(err))
	}
	s := &source{d: &copied, prepared: p}
	s.sparing, _ = p.(Sparing)
	if i, ok := p.(Insistent); ok {
		s.anyway = i.Anyway()
	}
	if c, ok := p.(Costly); ok && c.Costly() {
		s.signers = f.e.signers
		moreProcessors()
	}
	if d.PostID != 0 {
		if s.author, err = f.e.Store.PostAuthorKey(ctx, d.PostID); err != nil {
			return nil, err
		}
	}
	f.sources[d.ID] = s
	return s, nil
}

// closeIdle forgets distributions that have had no jobs for a while.
func (f *feeder) closeIdle() {
	now := f.e.Now()
	for id, s := range f.sources {
		f.e.lanes.mu.Lock()
		busy := s.jobs > 0
		f.e.lanes.mu.Unlock()
		switch {
		case busy:
			s.idleSince = time.Time{}
		case s.idleSince.IsZero():
			s.idleSince = now
		case now.Sub(s.idleSince) > keepOpen:
			delete(f.sources, id)
			f.e.tell(s)
		}
	}
	for id, until := range f.notBefore {
		if now.After(until) {
			delete(f.notBefore, id)
		}
	}
}

// spare says why a subscriber gets no copy, in words for the trace; empty: he
// does. It looks at him as he is now: who left after the post was made is
// skipped when his turn comes.
func (s *source) spare(sub *model.Subscriber) string {
	if why := Spared(sub, s.d.Lane, s.author); why != "" || s.sparing == nil {
		return why
	}
	return s.sparing.Spare(recipient(sub))
}

// Spared is what can be said of that without the post: of a lane, by the author
// with this address key.
func Spared(sub *model.Subscriber, lane model.Lane, author string) string {
	switch {
	case sub.EndedSeq != 0:
		return "left the list"
	case sub.DeliveryStatus == model.DeliveryOffByBounces:
		return "delivery is off because of bounces"
	case sub.DeliveryStatus == model.DeliveryOffByModerator:
		return "delivery is off, set by those who run the list"
	case sub.DeliveryStatus != model.DeliveryEnabled:
		return "delivery is off"
	case sub.Mode != model.ModeEach && lane == model.LanePost:
		return "gets digests instead of single posts"
	case sub.Options&model.OptNoCopyOfOwn != 0 && author != "" && sub.EmailKey == author:
		return "wants no copy of own posts"
	}
	return ""
}

func recipient(sub *model.Subscriber) Recipient {
	return Recipient{ID: sub.ID, Address: sub.Email, Key: sub.EmailKey, Options: sub.Options}
}
