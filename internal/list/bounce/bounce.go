// Package bounce takes what comes back: mail to the return addresses of copies. What a
// receiving server refuses for good in the SMTP dialogue stands in the same table: the
// store writes it with the fate of the copy (store/bounces.go).
//
// A return address names its delivery by a VERP id with a MAC, so who failed is
// known without reading the mail, and an invented address is refused before any
// mail is taken. An address without an id takes reports only, which come with the null
// reverse-path (RFC 5321 4.5.5). What comes is stored with the delivery it names, a small
// report byte for byte and of a large one what tells who failed and why (keep.go), and
// answered by nothing: an answer to a bounce is how loops begin. Of one delivery, and of
// those that name none, a day's share is kept: anybody can write to such an address.
package bounce

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/token"
)

// Reports kept in a day.
const (
	maxOfOne   = 20  // that name the same delivery
	maxUnnamed = 200 // of a list, that name none
)

// Store keeps bounces, and counts what a stranger can cause.
type Store interface {
	SaveBounce(ctx context.Context, b *model.Bounce, raw []byte) error
	CountAutoReply(ctx context.Context, budget string, day int64, limit int) (allowed bool, err error)
}

// Deps is what the service stands on.
type Deps struct {
	Store  Store
	Tokens *token.Keyring
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: silent
}

// Service stores bounces. It is safe for use by many goroutines.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{d}
}

// Known reports whether an id is one of ours, without looking anything up. The
// empty id, of a return address that names no delivery, is.
func (s *Service) Known(id string) bool {
	if id == "" {
		return true
	}
	_, _, ok := s.Tokens.ParseVerp(id)
	return ok
}

// Report is a mail that came to a return address.
type Report struct {
	List        *model.List // whose address it was; nil: the domain's
	ID          string      // VERP id, or empty
	ReversePath string      // empty: the null reverse-path, as reports have it
	Raw         []byte
}

// Takes tells whether mail is taken that names no delivery: nil, or why not. Servers
// send reports with the null reverse-path; people who write here are told where somebody
// reads.
func (s *Service) Takes(r Report) error {
	if r.ID != "" || r.ReversePath == "" {
		return nil
	}
	people := "the postmaster"
	if r.List != nil {
		people = r.List.Sub("owner")
	}
	return fault.New(fault.NotFound, "Nobody reads this address, it takes reports of mail servers; please write to %s.", people)
}

// Record stores a report; it is durable when Record returns. An id that is not
// ours is NotFound and nothing is stored. Beyond the day's share it
// is only logged.
func (s *Service) Record(ctx context.Context, r Report) error {
	b := &model.Bounce{ReceivedAt: model.At(s.Now())}
	if r.List != nil {
		b.ListID = r.List.ID
	}
	if r.ID != "" {
		var ok bool
		if b.DistributionID, b.RecipientID, ok = s.Tokens.ParseVerp(r.ID); !ok {
			return fault.New(fault.NotFound, "this is not a return address of ours")
		}
	}
	if wanted, err := s.wanted(ctx, b); err != nil || !wanted {
		return err
	}
	return s.Store.SaveBounce(ctx, b, kept(r.Raw))
}

// wanted counts a report and tells whether it is still to be kept today.
func (s *Service) wanted(ctx context.Context, b *model.Bounce) (bool, error) {
	budget, limit := fmt.Sprintf("bounces-unnamed %d", b.ListID), maxUnnamed
	if b.DistributionID != 0 {
		budget, limit = fmt.Sprintf("bounces-of %d %d", b.DistributionID, b.RecipientID), maxOfOne
	}
	allowed, err := s.Store.CountAutoReply(ctx, budget, s.Now().Unix()/86400, limit)
	if err == nil && !allowed {
		s.Log.Warn("a report of mail that came back is not kept: there were too many today", "list", b.ListID, "distribution", b.DistributionID, "recipient", b.RecipientID)
	}
	return allowed, err
}
