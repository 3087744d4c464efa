package posting

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"plenary/internal/fault"
	"plenary/internal/list/accept"
	"plenary/internal/list/archive"
	"plenary/internal/list/compose"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// Result is what became of a post.
type Result struct {
	Action    model.Action // Accept, Hold, Reject, Discard
	Duplicate bool         // it was here before; nothing was done
	PostID    model.PostID // for Accept
	HeldID    int64        // for Hold
	Kind      fault.Kind   // for Reject: how a door answers
	Text      string       // for Reject: one sentence for the author
}

// Settle makes a verdict true. Accept and Hold are committed when it returns. It
// may be called again for the same message: nothing is done twice.
func (s *Service) Settle(ctx context.Context, j *Judged) (Result, error) {
	if j.Duplicate {
		return Result{Action: model.Accept, Duplicate: true}, nil
	}
	r := Result{Action: j.Verdict.Action}
	var err error
	switch j.Verdict.Action {
	case model.Accept:
		r.PostID, r.Duplicate, err = s.accept(ctx, j)
	case model.Hold:
		r.HeldID, r.Duplicate, err = s.hold(ctx, j)
	case model.Reject:
		r.Kind, r.Text = accept.Kind(s.Rules, j.Verdict), j.reason()
		err = s.note(ctx, j, EventRejected)
	case model.Discard:
		err = s.note(ctx, j, EventDropped)
	default:
		err = fault.New(fault.Internal, "a verdict cannot be %s", j.Verdict.Action)
	}
	if err != nil {
		return Result{}, err
	}
	s.Log.Info("post "+r.Action.String(), "list", j.List.Address(), "author", j.Author.Address.Key(), "message", j.MessageID,
		"reason", j.reason(), "duplicate", r.Duplicate)
	return r, nil
}

// reason is the first reason of the verdict.
func (j *Judged) reason() string {
	if len(j.Verdict.Reasons) == 0 {
		return ""
	}
	return j.Verdict.Reasons[0].Text
}

// note writes the trace line of a decision that stores nothing else.
func (s *Service) note(ctx context.Context, j *Judged, kind string) error {
	e, err := s.event(j, kind)
	if err != nil {
		return err
	}
	return s.Store.SaveEvent(ctx, e)
}

func (s *Service) event(j *Judged, kind string) (*model.Event, error) {
	d := detail{ReversePath: shown(j.offer.ReversePath), Reasons: j.Verdict.Reasons}
	if j.offer.Addr.IsValid() {
		d.Peer = j.offer.Addr.String()
	}
	text, err := encode(d)
	return &model.Event{At: model.At(s.Now()), ListID: j.List.ID, Kind: kind, Actor: "rule",
		MessageKey: EventKey(j.MessageID), EmailKey: j.Author.Address.Key(), Detail: text}, err
}

// accept archives and queues a post.
func (s *Service) accept(ctx context.Context, j *Judged) (model.PostID, bool, error) {
	event, err := s.event(j, EventAccepted)
	if err != nil {
		return 0, false, err
	}
	p, err := s.newPost(j.List, j.offer, s.trace(j.List, j.offer))
	if err != nil {
		return 0, false, err
	}
	p.Event = event
	return s.Store.SavePost(ctx, p)
}

// trace is the Received field of an offer to a list.
func (s *Service) trace(l *model.List, o *Offer) []byte {
	return Trace(address.Address{Local: l.Local, Domain: l.Domain}, s.Host, o)
}

// Trace is the Received field of an offer that came for one of our addresses;
// host is our name.
func Trace(to address.Address, host string, o *Offer) []byte {
	return compose.Trace(to, compose.Arrival{Helo: o.Helo, Addr: o.Addr, Protocol: o.Protocol, Host: host, At: o.At})
}

// Vetted is a message as it may be passed on to people: without the results of
// sender checks that somebody wrote in our name.
func Vetted(raw []byte, host string) []byte { return compose.WithoutForgedResults(raw, host) }

// own makes the fields the archive puts in front, and the settings copies are
// made with.
func (s *Service) own(l *model.List, o *Offer, trace []byte) ([]byte, compose.Options) {
	id := compose.MessageID(l, o.parsed().header, o.Raw, o.At)
	link := compose.PostURL(l, s.BaseURL, Permalink(id))
	info := compose.ArchiveInfo{Trace: trace, ReceivedAt: o.At, BaseURL: s.BaseURL, ArchivedAt: link}
	options := compose.Snapshot(l, s.BaseURL, link)
	options.Host = s.Host
	return compose.Archived(l, o.Raw, info), options
}

// Permalink is how the web names a post, in Archived-At among others: the
// hexadecimal form of archive.MessageKey of its Message-ID.
func Permalink(messageID string) string { return hex.EncodeToString(archive.MessageKey(messageID)) }

// newPost makes a message ready to be stored and sent.
func (s *Service) newPost(l *model.List, o *Offer, trace []byte) (*model.NewPost, error) {
	own, options := s.own(l, o, trace)
	text, err := json.Marshal(options)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "something went wrong on our side, please try again later")
	}
	now := model.At(s.Now())
	p := archive.MakeRead(l, archive.Source{Raw: o.Raw, Own: own, Text: o.text, ReceivedAt: now})
	p.Distribution = &model.Distribution{ListID: l.ID, Kind: model.DistributePost, Lane: lane(l), Options: string(text), CreatedAt: now}
	return p, nil
}

// lane is the priority of a list's posts.
func lane(l *model.List) model.Lane {
	if l.Kind == model.Newsletter {
		return model.LaneLetters
	}
	return model.LanePost
}
