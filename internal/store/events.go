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

// saveEvent writes the line in the transaction; nil writes nothing. The event
// is copied, because a transaction may run twice.
func (t *tx) saveEvent(e *model.Event) error {
	if e == nil {
		return nil
	}
	at := e.At
	if at.IsZero() {
		at = model.Instant(t.s.now())
	}
	return t.Exec(`INSERT INTO events (at, list_id, kind, actor, message_key, email_key, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, at, e.ListID, e.Kind, e.Actor, e.MessageKey, e.EmailKey, e.Detail).Error
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
