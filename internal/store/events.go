package store

import (
	"context"

	"plenary/internal/model"
)

// maxEvents bounds what one trace shows; the newest are kept.
const maxEvents = 1000

// SaveEvent writes one line of the trace; a zero At becomes now.
func (s *Store) SaveEvent(ctx context.Context, e *model.Event) error {
	return s.write(ctx, func(t *tx) error { return t.saveEvent(e) })
}

// saveEvent writes lines in the transaction; nil writes nothing. Events do not
// change, because a transaction may run twice.
func (t *tx) saveEvent(events ...*model.Event) error {
	args := make([]any, 0, 7*len(events))
	for _, e := range events {
		if e == nil {
			continue
		}
		at := e.At
		if at.IsZero() {
			at = model.Instant(t.s.now())
		}
		args = append(args, at, e.ListID, e.Kind, e.Actor, e.MessageKey, e.EmailKey, e.Detail)
	}
	return t.insertMany("INSERT INTO events (at, list_id, kind, actor, message_key, email_key, detail) VALUES ",
		"(?, ?, ?, ?, ?, ?, ?)", "", args)
}

// EventsOf gives the trace of a message, or of a person, or of one person's
// part in one message when both are named; oldest first, the newest thousand.
func (s *Store) EventsOf(ctx context.Context, messageKey, emailKey string) ([]model.Event, error) {
	if messageKey == "" && emailKey == "" {
		return nil, nil
	}
	q := s.read(ctx)
	if messageKey != "" {
		q = q.Where("message_key = ?", messageKey)
	}
	if emailKey != "" {
		q = q.Where("email_key = ?", emailKey)
	}
	var out []model.Event
	err := q.Order("id DESC").Limit(maxEvents).Find(&out).Error
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, s.fault(err)
}
