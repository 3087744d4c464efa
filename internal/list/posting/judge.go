package posting

import (
	"context"
	"net/netip"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/accept"
	"plenary/internal/list/archive"
	"plenary/internal/list/compose"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// Offer is a message on its way to one or several lists. Raw has CRLF line ends
// and does not change.
type Offer struct {
	Raw         []byte
	ReversePath string // empty: the null reverse-path
	Helo        string // what the peer called itself
	Addr        netip.Addr
	Protocol    string // RFC 3848
	Account     string // address of the authenticated account, or empty
	At          time.Time

	header    message.Header
	structure *message.Structure
	text      *message.Reading
}

// parsed reads the message at the first call; an Offer is used by one goroutine.
func (o *Offer) parsed() *Offer {
	if o.structure == nil {
		o.header, o.structure = message.ParseHeader(o.Raw), message.Scan(o.Raw)
		text := o.structure.Read(o.Raw)
		o.text = &text
	}
	return o
}

// Judged is an offer with the verdict of one list. Nothing has happened yet.
type Judged struct {
	Verdict model.Verdict
	// Duplicate: the list has this Message-ID already; nothing more will happen
	// and no rule was asked.
	Duplicate bool
	List      *model.List
	Author    address.Mailbox
	// MessageID of the post, its own or the one it will be given.
	MessageID string

	offer     *Offer
	version   int64  // of the list when it was asked what it knows
	trusted   bool   // the peer proved to speak for the author
	automatic string // which sign says that a machine sent it; empty: none
	unsaid    bool   // it is held in the place of a refusal that could not be said
}

// ErrChanged is Judge's answer when the list is not as it was given any more. It
// is Temporary.
var ErrChanged = fault.New(fault.Temporary, "The list is just being changed; please send the message again later.")

// Judge asks the rules of a list about an offer. Errors are faults; Temporary
// when the database cannot answer. The list may have been read a while ago: the
// look at what it knows of the post tells whether it is still so, and costs less
// than a look at the list would.
func (s *Service) Judge(ctx context.Context, l *model.List, o *Offer) (*Judged, error) {
	j, c, err := s.open(ctx, l, o)
	if err == nil && j.version != l.Version {
		return nil, ErrChanged
	}
	if err != nil || j.Duplicate {
		return j, err
	}
	j.Verdict, err = accept.Judge(ctx, s.Rules, c)
	return j, err
}

// open makes the case of an offer.
func (s *Service) open(ctx context.Context, l *model.List, o *Offer) (*Judged, *accept.Case, error) {
	o.parsed()
	j := &Judged{List: l, offer: o, MessageID: compose.MessageID(l, o.header, o.Raw, o.At)}
	if from := o.header.Addresses("From"); len(from) > 0 {
		j.Author = from[0]
	}
	key := j.Author.Address.Key()
	if account, err := address.Parse(o.Account); err == nil {
		j.trusted = key != "" && account.Key() == key
	}
	j.automatic, _ = message.IsAutomatic(o.header, o.ReversePath)
	known, err := s.Store.FindOffered(ctx, model.Offering{ListID: l.ID, MessageKey: archive.MessageKey(j.MessageID), AuthorKey: key,
		BodyKey: archive.BodyKey(key, *o.text), Since: model.At(o.At.Add(-duplicateWindow))})
	if err != nil {
		return nil, nil, err
	}
	j.version, j.Duplicate = known.Version, known.Duplicate
	c := &accept.Case{List: l, Raw: o.Raw, Header: o.header, Structure: o.structure, Size: int64(len(o.Raw)),
		ReversePath: o.ReversePath, Author: j.Author, Subscriber: known.Subscriber, Bans: known.Bans, SeenBody: known.SeenBody,
		Authenticated: j.trusted, Text: o.text}
	return j, c, nil
}

// Unsaid makes of a refusal what happens when it cannot be said in the SMTP
// dialogue, because another recipient of the same transaction took the message:
// it is held, or dropped when machines go in circles.
func (s *Service) Unsaid(j *Judged) *Judged {
	other := *j
	other.Verdict = accept.Unsaid(s.Rules, j.Verdict)
	other.unsaid = j.Verdict.Action == model.Reject
	return &other
}

// Trusted reports whether the peer proved to speak for the author's address, so
// that a letter to the author cannot hit a stranger.
func (j *Judged) Trusted() bool { return j.trusted }
