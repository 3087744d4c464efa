package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

const (
	maxPeople    = 50             // who gets one mail to a list's owners
	repeatWindow = 24 * time.Hour // in which the same message is a client's repetition
)

// eventForwarded is the trace line of mail passed on to people.
const eventForwarded = "mail.forwarded"

// OwnerStore finds the people who run lists and queues mail to them.
type OwnerStore interface {
	Lists(ctx context.Context) ([]model.List, error)
	SubscribersOf(ctx context.Context, listID int64, role model.Role, afterID int64, limit int) ([]model.Subscriber, error)
	SaveLetter(ctx context.Context, d *model.Distribution, data []byte) error
	SaveEvent(ctx context.Context, e *model.Event) error
	EventsOf(ctx context.Context, messageKey, emailKey string) ([]model.Event, error)
}

// Owners passes mail for the people who run a list, or the site, on to them. The
// message goes on as it came but for results of sender checks in our name, behind
// a trace field and a mark that stops it when it comes back. It leaves with the null reverse-path: a failure would be news
// for nobody but the owner who cannot be reached, and its report could only come
// back here.
type Owners struct {
	Store      OwnerStore
	Postmaster string           // addresses, with commas between; empty: the owners of the domain's lists
	Hostname   string           // our name in Received; empty: the domain
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: silent
}

// Forward passes a message on to the owners of a list.
func (w *Owners) Forward(ctx context.Context, list *model.List, raw []byte) error {
	t := target{role: RoleOwner, list: list, address: address.Address{Local: list.Local + "-owner", Domain: list.Domain}}
	return w.pass(ctx, t, &posting.Offer{Raw: raw, At: w.now()})
}

func (w *Owners) now() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}

// people finds who reads an address: the owners or the moderators of the list,
// those of the other kind when there are none, the postmaster at last.
func (w *Owners) people(ctx context.Context, t target) ([]address.Address, error) {
	if t.list == nil {
		return w.postmasters(ctx, t.address.Domain)
	}
	roles := []model.Role{model.RoleOwner, model.RoleModerator}
	if t.role == RoleModerators {
		roles[0], roles[1] = roles[1], roles[0]
	}
	for _, role := range roles {
		staff, err := w.Store.SubscribersOf(ctx, t.list.ID, role, 0, maxPeople)
		if err != nil {
			return nil, err
		}
		if people := distinct(emails(staff)); len(people) > 0 {
			return people, nil
		}
	}
	return distinct(strings.Split(w.Postmaster, ",")), nil
}

// postmasters finds who reads postmaster@ of a domain (RFC 5321 4.5.1 demands
// that somebody does).
func (w *Owners) postmasters(ctx context.Context, domain string) ([]address.Address, error) {
	if people := distinct(strings.Split(w.Postmaster, ",")); len(people) > 0 {
		return people, nil
	}
	lists, err := w.Store.Lists(ctx)
	if err != nil {
		return nil, err
	}
	var here, all []string
	for i := range lists {
		if len(all) >= maxPeople {
			break
		}
		staff, err := w.Store.SubscribersOf(ctx, lists[i].ID, model.RoleOwner, 0, maxPeople)
		if err != nil {
			return nil, err
		}
		all = append(all, emails(staff)...)
		if lists[i].Domain == domain {
			here = append(here, emails(staff)...)
		}
	}
	if people := distinct(here); len(people) > 0 {
		return people, nil
	}
	return distinct(all), nil // of a host name that has no lists itself
}

func emails(staff []model.Subscriber) []string {
	var out []string
	for _, s := range staff {
		out = append(out, s.Email)
	}
	return out
}

// distinct reads addresses, each person once, at most maxPeople.
func distinct(emails []string) []address.Address {
	var out []address.Address
	seen := map[string]bool{}
	for _, e := range emails {
		a, err := address.Parse(e)
		if err != nil || seen[a.Key()] || len(out) == maxPeople {
			continue
		}
		seen[a.Key()] = true
		out = append(out, a)
	}
	return out
}

// pass queues a message to the people behind an address. A message that went
// this way before is refused when it bears our mark, and changes nothing when a
// client only repeats it.
func (w *Owners) pass(ctx context.Context, t target, o *posting.Offer) error {
	own := strings.ToLower(t.address.String())
	h := message.ParseHeader(o.Raw)
	for _, mark := range h.All("X-Loop") {
		if strings.EqualFold(strings.TrimSpace(mark), own) {
			return fault.New(fault.Forbidden, "This message was passed on by %s before and goes in circles.", t.address)
		}
	}
	people, err := w.people(ctx, t)
	if err != nil {
		return err
	}
	if len(people) == 0 {
		return fault.New(fault.NotFound, "Nobody reads mail to %s.", t.address)
	}
	event := &model.Event{At: model.At(w.now()), Kind: eventForwarded, Actor: "rule", Detail: own, MessageKey: posting.EventKey(h.MessageID())}
	if event.MessageKey == "" {
		sum := sha256.Sum256(o.Raw)
		event.MessageKey = "unnamed." + hex.EncodeToString(sum[:16])
	}
	if from := h.Addresses("From"); len(from) > 0 {
		event.EmailKey = from[0].Address.Key()
	}
	if again, err := w.passed(ctx, event); err != nil || again {
		return err
	}
	data := append(posting.Trace(t.address, w.Hostname, o), "X-Loop: "+own+"\r\n"...)
	raw := posting.Vetted(o.Raw, w.Hostname)
	if len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t') {
		data = append(data, "X-Original-Line:\r\n"...) // else its first line would continue ours
	}
	data = append(data, raw...)
	for _, p := range people {
		d := &model.Distribution{Kind: model.DistributeLetter, Lane: model.LaneNotice, Recipient: p.String(), CreatedAt: event.At}
		if t.list != nil {
			d.ListID, event.ListID = t.list.ID, t.list.ID
		}
		if err := w.Store.SaveLetter(ctx, d, data); err != nil {
			return err
		}
	}
	if w.Log != nil {
		w.Log.Info("mail passed on", "to", own, "people", len(people), "message", event.MessageKey)
	}
	return w.Store.SaveEvent(ctx, event)
}

// passed tells whether this message went to this address within a day.
func (w *Owners) passed(ctx context.Context, e *model.Event) (bool, error) {
	before, err := w.Store.EventsOf(ctx, e.MessageKey, "")
	for _, b := range before {
		if b.Kind == e.Kind && b.Detail == e.Detail && b.At.Add(repeatWindow) > e.At {
			return true, err
		}
	}
	return false, err
}
