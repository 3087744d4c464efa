package posting

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/accept"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// hold keeps a post for the moderators and asks them. The row is committed
// first; should we die before the letters are, the client has had no answer and
// offers the message again, and then the missing letters are written.
func (s *Service) hold(ctx context.Context, j *Judged) (id int64, dup bool, err error) {
	secret, hash := s.Tokens.Random(notify.ScopeHeld)
	h, err := s.newHeld(j, hash)
	if err != nil {
		return 0, false, err
	}
	event, err := s.event(j, EventHeld)
	if err != nil {
		return 0, false, err
	}
	raw := append(bytes.Clone(s.trace(j.List, j.offer)), j.offer.Raw...)
	if dup, err = s.Store.SaveHeld(ctx, h, raw, event); err != nil {
		return 0, false, err
	}
	if dup {
		asked, err := s.asked(ctx, h)
		if err != nil || asked {
			return h.ID, true, err
		}
		if err := s.Store.RenewHeldToken(ctx, h.ID, hash); err != nil {
			return 0, false, err
		}
		h.TokenHash = hash
	}
	kind, err := s.ask(ctx, j, h, secret)
	if err != nil {
		return 0, false, err
	}
	return h.ID, dup, s.Store.SaveEvent(ctx, &model.Event{At: model.At(s.Now()), ListID: j.List.ID, Kind: kind,
		Actor: "rule", MessageKey: h.MessageKey, EmailKey: h.AuthorKey, Detail: strconv.FormatInt(h.ID, 10)})
}

func (s *Service) newHeld(j *Judged, hash []byte) (*model.Held, error) {
	reasons, err := encode(j.Verdict.Reasons)
	if err != nil {
		return nil, err
	}
	trace, err := encode(j.Verdict.Trace)
	if err != nil {
		return nil, err
	}
	days := j.List.HeldDays
	if days <= 0 {
		days = defaultHeldDays
	}
	author := j.Author.Name
	if author == "" {
		author = j.Author.Address.Unicode()
	}
	return &model.Held{ListID: j.List.ID, MessageKey: EventKey(j.MessageID), ReversePath: shown(j.offer.ReversePath),
		Author: shown(author), AuthorKey: j.Author.Address.Key(), Subject: shown(j.offer.header.Text("Subject")),
		Size: int64(len(j.offer.Raw)), Reasons: reasons, Trace: trace, TokenHash: hash, CreatedAt: model.At(j.offer.At),
		ExpiresAt: model.At(j.offer.At.Add(time.Duration(days) * 24 * time.Hour))}, nil
}

// asked tells whether the letters about a held post were written.
func (s *Service) asked(ctx context.Context, h *model.Held) (bool, error) {
	events, err := s.Store.EventsOf(ctx, h.MessageKey, "")
	for _, e := range events {
		if (e.Kind == EventAsked || e.Kind == EventUnasked) && e.ListID == h.ListID && e.Detail == strconv.FormatInt(h.ID, 10) {
			return true, err
		}
	}
	return false, err
}

// ask writes to the moderators, with the post attached, and to its author. It gives
// the event to note: whether there was anybody to ask.
func (s *Service) ask(ctx context.Context, j *Judged, h *model.Held, secret string) (event string, err error) {
	data := notify.Data{Author: j.author(), Subject: h.Subject, Size: h.Size, Until: h.ExpiresAt.Time()}
	for _, r := range j.Verdict.Reasons {
		data.Reasons = append(data.Reasons, r.Text)
	}
	data.Text = beginning(j.offer.structure.Read(j.offer.Raw).Body)
	staff, err := s.Store.SubscribersOf(ctx, j.List.ID, model.RoleModerator|model.RoleOwner, 0, maxStaff)
	if err != nil {
		return "", err
	}
	event = EventAsked
	if len(staff) == 0 {
		event, data.Alone = EventUnasked, true
		s.Log.Warn("a post is held and the list has nobody to ask", "list", j.List.Address(), "held", h.ID)
	}
	for _, m := range staff {
		to, err := address.Parse(m.Email)
		if err != nil {
			s.Log.Error("a moderator's address cannot be written to", "list", j.List.Address(), "address", m.Email)
			continue
		}
		data.Email = to.Unicode()
		err = s.Letters.Send(ctx, notify.Letter{Kind: notify.HeldModerator, To: to, List: j.List, Token: secret,
			Thread: notify.HeldThread(j.List, h), Data: data, Attach: j.offer.Raw,
			HeaderOnly: j.offer.structure.Why != "" || len(j.offer.header.Fields()) >= message.MaxFields})
		if err != nil {
			return "", err
		}
	}
	if to, ok := j.writer(); ok {
		data.Reasons, data.Text, data.Unsaid = nil, "", j.unsaid
		reasons := j.Verdict.Reasons
		if to.Key() != j.Author.Address.Key() {
			reasons = accept.Impersonal(s.Rules, reasons)
		}
		for _, r := range reasons {
			data.Reasons = append(data.Reasons, r.Text)
		}
		return event, s.Letters.Send(ctx, notify.Letter{Kind: notify.HeldAuthor, To: to, List: j.List, InReplyTo: j.MessageID, Data: data})
	}
	return event, nil
}

// beginning is what a moderator reads of the author's words before she opens the
// post, on a phone perhaps.
func beginning(body string) string {
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if len(lines) > maxLinesShown {
		lines = append(lines[:maxLinesShown], "…")
	}
	text := strings.Join(lines, "\n")
	if len(text) > maxTextShown {
		text = strings.ToValidUTF8(text[:maxTextShown], "") + " …"
	}
	return text
}

// author names the author in a letter.
func (j *Judged) author() string {
	if j.Author.Address.IsZero() {
		return "unknown"
	}
	return shown(j.Author.Name + " <" + j.Author.Address.Unicode() + ">")
}

// writer is whom a note about the post may be sent to: nobody when a machine
// sent it. It is the author when she proved who she is or the envelope names her,
// or an address beside hers; else the envelope's address, which RFC 3834 4 prefers because it cannot be
// a stranger's without the stranger's server having sent it. Whether the author is
// on the list must not matter, or who named her would learn it by the letter that
// comes or does not.
func (j *Judged) writer() (address.Address, bool) {
	if j.automatic != "" {
		return address.Address{}, false
	}
	author := j.Author.Address
	if !author.IsZero() && (j.trusted || notify.SpeaksFor(j.offer.ReversePath, author)) {
		return author, true
	}
	envelope, err := address.Parse(j.offer.ReversePath)
	return envelope, err == nil
}

// Refuse tells the author by letter that one of several lists did not take the
// post. It is for authors who proved who they are.
func (s *Service) Refuse(ctx context.Context, j *Judged) error {
	e, err := s.event(j, EventRejected)
	if err != nil {
		return err
	}
	if err := s.Store.SaveEvent(ctx, e); err != nil {
		return err
	}
	data := notify.Data{Author: j.author(), Subject: shown(j.offer.header.Text("Subject")), Size: int64(len(j.offer.Raw))}
	for _, r := range j.Verdict.Reasons {
		data.Reasons = append(data.Reasons, r.Text)
	}
	return s.Letters.Send(ctx, notify.Letter{Kind: notify.Refused, To: j.Author.Address, List: j.List, InReplyTo: j.MessageID, Data: data})
}

// Release lets a held post go out to the list at the word of by. The decision is
// part of the transaction that stores the post; a post that was decided meanwhile
// is a Conflict. A list that has the message by another way keeps that one.
func (s *Service) Release(ctx context.Context, h *model.Held, by string) error {
	if h.State != model.HeldPending {
		return fault.New(fault.Conflict, "this post was decided already: it was %s", h.State)
	}
	l, err := s.Store.GetList(ctx, h.ListID)
	if err != nil {
		return err
	}
	data, err := s.Store.Bytes(ctx, h.BytesID)
	if err != nil {
		return err
	}
	trace, raw := Original(data)
	p, err := s.newPost(l, &Offer{Raw: raw, At: h.CreatedAt.Time()}, trace)
	if err != nil {
		return err
	}
	p.HeldID, p.DecidedBy = h.ID, by
	text, err := encode(detail{ReversePath: h.ReversePath, Held: h.ID})
	if err != nil {
		return err
	}
	p.Event = &model.Event{At: model.At(s.Now()), ListID: l.ID, Kind: EventReleased, Actor: by, MessageKey: h.MessageKey,
		EmailKey: h.AuthorKey, Detail: text}
	_, dup, err := s.Store.SavePost(ctx, p)
	if err == nil {
		s.Log.Info("post released", "list", l.Address(), "by", by, "message", h.MessageKey, "duplicate", dup)
	}
	return err
}

// traceEnd ends every Received field of ours, and stands nowhere else in one: an
// end by the rules of header fields could be moved by a message that begins with
// white space.
var traceEnd = []byte(" +0000\r\n")

// Original parts the bytes of a held post: the Received field we put in front
// when we took it, and the message as it was received.
func Original(held []byte) (trace, raw []byte) {
	if end := bytes.Index(held, traceEnd); end >= 0 && bytes.HasPrefix(held, []byte("Received: ")) {
		end += len(traceEnd)
		return held[:end], held[end:]
	}
	return nil, held
}
