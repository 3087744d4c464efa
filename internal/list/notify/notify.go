// Package notify writes the house letters: confirmations, welcomes, notices to
// moderators and authors, replies to commands.
//
// One letter is one file, templates/mail/<kind>.txt: a Subject line, an empty
// line, the text. kinds.go lists them with what is true of all letters of a
// kind. Send fills the template, builds an RFC 5322 message and hands it to the
// store as a distribution of its own, so that a letter has the same durable way
// out as a post.
//
// All letters leave with the null reverse-path and Auto-Submitted (RFC 3834), so
// that no machine answers them, and everything that comes from strangers is
// reduced to plain text before it goes near a header or the page. Letters that a
// stranger can cause are counted: at most ten a day for one address, whoever
// asks. The letters by which an address joins or leaves a list are counted apart, or a
// stranger could use up the ten and keep it off the list, or on it: of each
// three go out a day for a list, and each of them still works days later. Of those that
// ask whether to join there are twenty a day in all, so that many lists are no cannon. So
// whoever writes in the name of a subscriber of n lists can cause thirty and three
// times n letters, and one about commands that were not answered. The letters that say that
// an address is on a list already, or is not on it, are among the ten, and counted with those
// that ask: who is told that no more go learns nothing of who is on a list. What is written is plain text in UTF-8, 7bit or quoted-printable: it
// passes every relay unchanged.
//
// A letter that wants an answer carries a token three times: in the address
// replies go to, at the end of the subject, and in its Message-ID. Any one of
// them is enough for list/command to know what is answered.
package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"text/template"
	"time"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// Scopes of the random tokens that letters carry. They stand here because who
// writes such a letter and who reads the answer both need them.
const (
	ScopeJoin    = "join"    // to the address itself: join a list
	ScopeLeave   = "leave"   // to the address itself: leave a list
	ScopeApprove = "approve" // to moderators: agree to a join
	ScopeHeld    = "held"    // to moderators: decide a held post
)

// Limits.
const (
	maxAutoReplies = 10      // counted letters to one address in a day
	maxApart       = 3       // letters counted apart, to one address from one list in a day
	maxAsking      = 30      // posts that one moderator of a list is asked about by letter in an hour
	maxJoins       = 20      // letters that ask one address in a day whether it wants to join, of all lists
	maxAttach      = 1 << 20 // octets of a post attached whole; of a larger one the header is
	maxHeaderShown = 32 << 10
	maxSubject     = 80        // characters of a foreign subject in a letter to its author
	maxText        = 256 << 10 // octets of one letter's text
)

// Store keeps letters until they are sent.
type Store interface {
	SaveLetter(ctx context.Context, d *model.Distribution, data []byte) error
	CountAutoReply(ctx context.Context, budget string, day int64, limit int) (allowed bool, err error)
}

// Deps is what the service stands on.
type Deps struct {
	Store Store
	// ArchiveURL gives the address of a list's archive for people, or "". May
	// be nil.
	ArchiveURL func(*model.List) string
	Now        func() time.Time // nil: time.Now
	Rand       io.Reader        // nil: crypto/rand
	Log        *slog.Logger     // nil: silent
}

// Service writes letters. It is safe for use by many goroutines.
type Service struct {
	Deps
	texts *template.Template
}

// New reads the templates. The error names a template that is broken.
func New(d Deps) (*Service, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.ArchiveURL == nil {
		d.ArchiveURL = func(*model.List) string { return "" }
	}
	texts, err := parseTexts()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "a letter's template is broken")
	}
	return &Service{Deps: d, texts: texts}, nil
}

// Letter is one letter to one recipient.
type Letter struct {
	Kind Kind
	To   address.Address
	List *model.List // whose letter it is; nil: the server's, of Domain
	// Domain is where the server's own letters come from, in A-labels. Unused
	// when List is set.
	Domain string
	// Token is what an answer carries, for kinds that want one.
	Token string
	// InReplyTo is the Message-ID, without brackets, of the message answered.
	InReplyTo string
	// Thread is a Message-ID, without brackets, that several letters about one
	// matter refer to, so that mail clients show them together.
	Thread string
	Data   Data
	// Attach is a whole message; a large one is cut to its header.
	Attach []byte
	// HeaderOnly cuts it in any case: the message is built so that a mail program
	// that opens it may choke.
	HeaderOnly bool
	// Unsent: it is counted as if it went, and does not go.
	Unsent bool
}

// Data is what a template may say. Texts of strangers are allowed: Send reduces
// each to plain text, one line where no other is said.
type Data struct {
	Email    string    // the address the letter is about
	Name     string    // the person's display name
	Until    time.Time // when the request or the token ends
	Author   string    // of the post in question
	Subject  string    // of the post in question
	Size     int64     // of the post in question, octets
	Reasons  []string  // why it is held or was refused
	Decision string    // "released", "rejected", "discarded"
	By       string    // who decided
	Comment  string    // a moderator's words; may have several lines
	Text     string    // ready text, several lines: what became of each command
	Help     bool      // add the card of commands
	Alone    bool      // the list has nobody who decides
	Taken    bool      // requests to join or to leave that stood beside were taken
	Unsaid   bool      // it would have been refused, but could not be in the dialogue
}

// Send writes the letter and commits it to the queue. A counted letter beyond
// the allowance of its recipient is not written, or one that says so in its place; that
// is no error.
func (s *Service) Send(ctx context.Context, l Letter) error {
	_, err := s.Ask(ctx, l)
	return err
}

// Ask is Send that tells when the address had its share of such letters. Among the
// letters that may answer one request it is the same, whichever went.
func (s *Service) Ask(ctx context.Context, l Letter) (spent bool, err error) {
	f, ok := find(l.Kind)
	if !ok {
		return false, fault.New(fault.Internal, "there is no letter %q", string(l.Kind))
	}
	if l.To.IsZero() {
		return false, fault.New(fault.Internal, "a letter %q has no recipient", string(l.Kind))
	}
	msg, err := s.write(f, l)
	if err != nil {
		return false, err
	}
	now := s.Now()
	allowed, told, err := s.allowed(ctx, f, l)
	if err != nil || allowed && l.Unsent {
		return false, err
	}
	if !allowed {
		s.Log.Info("letter not sent: the address had its share", "letter", string(l.Kind), "to", l.To.String())
		if f.Instead == "" {
			return told, nil
		}
		return told, s.Send(ctx, Letter{Kind: f.Instead, To: l.To, List: l.List, Domain: l.Domain, Data: Data{Email: l.Data.Email}})
	}
	d := &model.Distribution{Kind: model.DistributeLetter, Lane: f.Lane, Recipient: l.To.String(), CreatedAt: model.At(now)}
	if l.List != nil {
		d.ListID = l.List.ID
	}
	return false, s.Store.SaveLetter(ctx, d, msg)
}

// write renders the letter and builds the message.
func (s *Service) write(f form, l Letter) ([]byte, error) {
	now := s.Now()
	subject, text, err := s.render(f, l)
	if err != nil {
		return nil, err
	}
	unique := make([]byte, 12)
	if _, err := io.ReadFull(s.Rand, unique); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	m := &draft{letter: l, form: f, subject: subject, text: text, now: now, unique: fmt.Sprintf("%x", unique)}
	return m.bytes(), nil
}

// HeldThread is the thread of all letters about one held post: both the request
// to the moderators and the later decision name it. It tells nothing about the
// token.
func HeldThread(list *model.List, h *model.Held) string {
	return fmt.Sprintf("held.%x@%s", h.TokenHash[:min(len(h.TokenHash), 10)], list.Domain)
}
