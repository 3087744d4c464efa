package settings

import (
	"context"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// The kinds of events about a list. Their address key is that of the list, so
// that its story is found by its address, also when it is gone.
const (
	EventCreated = "list.created"
	EventChanged = "list.changed"
	EventRemoved = "list.removed"
)

// Store keeps the lists there are, and the trace.
type Store interface {
	FindList(ctx context.Context, local, domain string) (*model.List, error)
	CreateList(ctx context.Context, l *model.List) error
	SaveList(ctx context.Context, l *model.List) error
	RemoveList(ctx context.Context, id int64, events ...*model.Event) error
	SaveEvent(ctx context.Context, e *model.Event) error
	// Together makes one transaction of all that fn does with its context.
	Together(ctx context.Context, fn func(ctx context.Context) error) error
}

// Change sets settings of a list, all or none, and stores it; its errors are
// those of Set, and Conflict when somebody else was quicker. The trace says what
// became different, and who wanted it. When nothing does, nothing is written.
func Change(ctx context.Context, s Store, l *model.List, values []model.Pair, by string) error {
	wanted := *l
	for _, v := range values {
		if err := Set(&wanted, v.Key, v.Value); err != nil {
			return err
		}
	}
	changed := differences(l, &wanted)
	if len(changed) == 0 {
		return nil
	}
	var saved model.List
	err := s.Together(ctx, func(ctx context.Context) error {
		saved = wanted
		if err := s.SaveList(ctx, &saved); err != nil {
			return err
		}
		e := event(EventChanged, l, by)
		e.Detail = model.ChangedText(changed)
		return s.SaveEvent(ctx, e)
	})
	if err == nil {
		*l = saved
	}
	return err
}

// Remove removes a list with its people and its archive. The trace keeps that it
// was there, and who removed it.
func Remove(ctx context.Context, s Store, l *model.List, by string) error {
	return s.RemoveList(ctx, l.ID, event(EventRemoved, l, by))
}

// differences gives the settings that are not the same on two lists.
func differences(was, is *model.List) []model.Changed {
	var out []model.Changed
	for _, s := range table() {
		if before, now := s.Get(was), s.Get(is); before != now {
			out = append(out, model.Changed{Key: s.Key, Was: before, Is: now})
		}
	}
	return out
}

func event(kind string, l *model.List, by string) *model.Event {
	return &model.Event{ListID: l.ID, Kind: kind, Actor: by, EmailKey: address.Address{Local: l.Local, Domain: l.Domain}.Key()}
}
