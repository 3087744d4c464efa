package app

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/store"
)

// How much of a long story is told.
const maxTraced = 500

// TraceLine is one line of the story of a message or a person.
type TraceLine struct {
	At     model.Instant
	List   string
	What   string // "post.accepted", "delivery.sent" ...
	Who    string // who did it, or whom it concerns
	Detail string
}

// Trace tells what happened to a message (by its Message-ID without brackets)
// or to a person (by address), in the order of time.
func (a *App) Trace(ctx context.Context, what string) ([]TraceLine, error) {
	t := tracer{app: a, names: map[int64]string{}}
	var err error
	if who, parseErr := address.Parse(what); parseErr == nil {
		err = t.person(ctx, who)
	}
	if err == nil {
		err = t.message(ctx, what)
	}
	sort.SliceStable(t.lines, func(i, j int) bool { return t.lines[i].At < t.lines[j].At })
	return t.lines, err
}

// tracer gathers the lines.
type tracer struct {
	app   *App
	names map[int64]string
	lines []TraceLine
}

func (t *tracer) list(ctx context.Context, id int64) string {
	if name, ok := t.names[id]; ok || id == 0 {
		return name
	}
	if l, err := t.app.Store.GetList(ctx, id); err == nil {
		t.names[id] = l.Address()
	}
	return t.names[id]
}

func (t *tracer) events(ctx context.Context, messageKey, emailKey string) error {
	events, err := t.app.Store.EventsOf(ctx, messageKey, emailKey)
	for _, e := range events {
		t.lines = append(t.lines, TraceLine{e.At, t.list(ctx, e.ListID), e.Kind, e.Actor, e.Detail})
	}
	return err
}

// message tells its events and, for each list it went to, what became of the
// copies: the failures one by one, the rest as a sum.
func (t *tracer) message(ctx context.Context, id string) error {
	if err := t.events(ctx, posting.EventKey(id), ""); err != nil {
		return err
	}
	lists, err := t.app.Store.Lists(ctx)
	if err != nil {
		return err
	}
	for i := range lists {
		post, err := t.app.Store.FindPostByKey(ctx, lists[i].ID, model.KeyMessageID, archive.MessageKey(id))
		if err != nil {
			return err
		}
		if post == 0 {
			continue
		}
		if err := t.copies(ctx, &lists[i], post); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) copies(ctx context.Context, l *model.List, post model.PostID) error {
	made, err := t.app.Store.DistributionsOf(ctx, post)
	if err != nil {
		return err
	}
	for _, d := range made {
		q, err := t.app.Store.QueueEntryOf(ctx, d.ID)
		if err != nil {
			return err
		}
		t.lines = append(t.lines, TraceLine{d.CreatedAt, l.Address(), "distribution", fmt.Sprint(d.ID),
			fmt.Sprintf("%d recipients: sent %d, to be tried again %d, failed %d, skipped %d", q.Audience, q.Sent, q.Retry, q.Failed, q.Skipped)})
		troubled, err := t.app.Store.DeliveriesLike(ctx, store.DeliveryFilter{DistributionID: d.ID, Troubled: true, Limit: maxTraced})
		if err != nil {
			return err
		}
		t.deliveries(ctx, troubled)
	}
	return nil
}

// person tells the events of an address, its subscriptions, and the latest
// deliveries to it.
func (t *tracer) person(ctx context.Context, who address.Address) error {
	if err := t.events(ctx, "", who.Key()); err != nil {
		return err
	}
	subs, err := t.app.Store.SubscriptionsOf(ctx, []string{who.Key()})
	if err != nil {
		return err
	}
	for i := range subs {
		s := &subs[i]
		rows, err := t.app.Store.DeliveriesLike(ctx, store.DeliveryFilter{RecipientID: s.ID, ListID: s.ListID, Limit: maxTraced})
		if err != nil {
			return err
		}
		t.deliveries(ctx, rows)
	}
	letters, err := t.app.Store.DeliveriesLike(ctx, store.DeliveryFilter{Letter: who.String(), Limit: maxTraced})
	t.deliveries(ctx, letters)
	return err
}

var deliveryNames = map[model.DeliveryState]string{ //nolint:gochecknoglobals // a constant table
	model.DeliverySent: "delivery.sent", model.DeliveryRetry: "delivery.retry", model.DeliveryFailed: "delivery.failed", model.DeliverySkipped: "delivery.skipped",
}

func (t *tracer) deliveries(ctx context.Context, rows []store.TracedDelivery) {
	for _, d := range rows {
		detail := strings.TrimSpace(fmt.Sprintf("%d %s", d.Code, d.Reply))
		if d.Code == 0 {
			detail = d.Reply
		}
		if d.State == model.DeliveryRetry {
			detail += "; next try " + d.NextAt.Time().Format("2006-01-02 15:04:05")
		}
		t.lines = append(t.lines, TraceLine{d.At, t.list(ctx, d.ListID), deliveryNames[d.State], d.Email, detail})
	}
}
