// Package bounce takes what comes back: mail to the return addresses of copies. What a
// receiving server refuses for good in the SMTP dialogue stands in the same table: the
// store writes it with the fate of the copy (store/bounces.go).
//
// A return address names its delivery by a VERP id with a MAC, so who failed is
// known without reading the mail, and an invented address is refused before any
// mail is taken. What comes is stored byte for byte with the delivery it names
// and answered by nothing: an answer to a bounce is how loops begin.
package bounce

import (
	"context"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/token"
)

// Store keeps bounces.
type Store interface {
	SaveBounce(ctx context.Context, b *model.Bounce, raw []byte) error
}

// Deps is what the service stands on.
type Deps struct {
	Store  Store
	Tokens *token.Keyring
	Now    func() time.Time // nil: time.Now
}

// Service stores bounces. It is safe for use by many goroutines.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
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
	List *model.List // whose address it was; nil: the domain's
	ID   string      // VERP id, or empty
	Raw  []byte
}

// Record stores a report; it is durable when Record returns. An id that is not
// ours is NotFound and nothing is stored.
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
	return s.Store.SaveBounce(ctx, b, r.Raw)
}
