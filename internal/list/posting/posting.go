// Package posting takes messages offered to a list from the door to the archive
// and the queue.
//
// Judge puts together what the rules may look at and asks them; it changes
// nothing. Settle makes the verdict true: an accepted post is archived and queued
// in one transaction, a held one is kept and its moderators are asked, a refused
// or dropped one leaves a line in the trace. Nothing is answered before it is
// committed, and everything may be done again: the same Message-ID on the same
// list changes nothing and is no error, so a client that lost our answer may
// simply repeat.
//
// Release lets a held post go the same way. Explain is Judge with all answers and
// the copy that would go out. Composer makes a stored post ready for the queue
// from the bytes in the archive and the settings as they were when it was
// accepted.
package posting

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/accept"
	"plenary/internal/list/notify"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
	"plenary/internal/token"
)

// How long and how much.
const (
	duplicateWindow = 28 * 24 * time.Hour // in which the same words count as sent twice
	defaultHeldDays = 7                   // for lists that do not say
	maxStaff        = 200                 // moderators asked about one post
	maxShown        = 500                 // octets of foreign text in rows and letters
	maxLinesShown   = 12                  // lines of a held post in the letter to the moderators
	maxTextShown    = 1000                // and octets
)

// The kinds of trace lines this package writes.
const (
	EventAccepted = "post.accepted"
	EventHeld     = "post.held"
	EventAsked    = "post.asked"   // the moderators were asked; Detail names the held post
	EventUnasked  = "post.unasked" // there was no moderator to ask; Detail names the held post
	EventRejected = "post.rejected"
	EventDropped  = "post.discarded"
	EventReleased = "post.released"
)

// Store keeps posts, held posts and the trace.
type Store interface {
	GetList(ctx context.Context, id int64) (*model.List, error)
	FindOffered(ctx context.Context, f model.Offering) (*model.Offered, error)
	SubscribersOf(ctx context.Context, listID int64, role model.Role, afterID int64, limit int) ([]model.Subscriber, error)
	SavePost(ctx context.Context, p *model.NewPost) (id model.PostID, dup bool, err error)
	SaveHeld(ctx context.Context, h *model.Held, raw []byte, event *model.Event) (dup bool, err error)
	RenewHeldToken(ctx context.Context, id int64, hash []byte) error
	Bytes(ctx context.Context, id int64) ([]byte, error)
	SaveEvent(ctx context.Context, e *model.Event) error
	EventsOf(ctx context.Context, messageKey, emailKey string) ([]model.Event, error)
}

// Letters writes the house letters.
type Letters interface {
	Send(ctx context.Context, l notify.Letter) error
}

// Deps is what the service stands on.
type Deps struct {
	Store   Store
	Tokens  *token.Keyring
	Letters Letters
	Rules   []accept.Rule    // nil: accept.Rules()
	BaseURL string           // of the web door, without a slash at the end; empty: none
	Host    string           // our name in Received fields; empty: the list's domain
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent
}

// Service judges and settles posts. It is safe for use by many goroutines.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Rules == nil {
		d.Rules = accept.Rules()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{d}
}

// EventKey is the name of a message in the trace: its Message-ID without angle
// brackets, fit for the database.
func EventKey(messageID string) string { return shown(messageID) }

// shown makes foreign text fit for a row: one line of valid UTF-8, not too long.
func shown(s string) string {
	s = word.Line(s)
	if len(s) <= maxShown {
		return s
	}
	end := maxShown
	for s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end]
}

// detail is what a trace line about a post says.
type detail struct {
	ReversePath string         `json:"reversePath"`
	Peer        string         `json:"peer,omitempty"`
	Reasons     []model.Reason `json:"reasons,omitempty"`
	Held        int64          `json:"held,omitempty"`
}

func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
}
