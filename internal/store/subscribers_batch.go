package store

import (
	"context"
	"strings"

	"plenary/internal/model"
)

// Rows of one multi-row INSERT of subscribers.
const subscribeRows = 32

// SubscribeAll puts many plain subscribers on a list in one transaction, each
// with a trace line made from event. Addresses that have a current row stay as
// they are; those of them who do not receive posts so far are given back in
// rest, for Subscribe. An address may stand in subs once.
func (s *Store) SubscribeAll(ctx context.Context, listID int64, subs []model.Subscriber, event model.Event) (fresh int, rest []model.Subscriber, err error) {
	if len(subs) == 0 {
		return 0, nil, nil
	}
	err = s.write(ctx, func(t *tx) error {
		fresh, rest = 0, nil
		seq, err := t.bumpSeq(listID)
		if err != nil {
			return err
		}
		now := model.At(s.Now())
		for from := 0; from < len(subs); from += subscribeRows {
			batch := subs[from:min(from+subscribeRows, len(subs))]
			var args []any
			for i := range batch {
				b := &batch[i]
				args = append(args, listID, b.Email, b.EmailKey, b.Name, model.RoleSubscriber, b.DeliveryStatus, b.Mode, b.Moderation,
					b.Options, b.Language, b.Consent, seq, 0, now, 0, "")
			}
			var keys []string
			err := t.Raw(`INSERT INTO subscribers (list_id, email, email_key, name, roles, delivery_status, mode, moderation, options,
				language, consent, began_seq, ended_seq, began_at, ended_at, end_reason) VALUES `+tuples(len(batch), 16)+`
				ON CONFLICT (list_id, email_key) WHERE ended_seq = 0 DO NOTHING RETURNING email_key`, args...).Scan(&keys).Error
			if err != nil {
				return err
			}
			fresh += len(keys)
			if err := t.traceAll(listID, keys, event, now); err != nil {
				return err
			}
			if len(keys) == len(batch) {
				continue
			}
			old, err := t.notReceiving(listID, batch)
			if err != nil {
				return err
			}
			rest = append(rest, old...)
		}
		return nil
	})
	return fresh, rest, err
}

// tuples writes n placeholder tuples of the given width.
func tuples(n, width int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", width), ", ") + ")"
	return strings.TrimSuffix(strings.Repeat(one+", ", n), ", ")
}

func (t *tx) traceAll(listID int64, keys []string, e model.Event, now model.Instant) error {
	if len(keys) == 0 {
		return nil
	}
	var args []any
	for _, k := range keys {
		args = append(args, now, listID, e.Kind, e.Actor, "", k, e.Detail)
	}
	return t.Exec("INSERT INTO events (at, list_id, kind, actor, message_key, email_key, detail) VALUES "+tuples(len(keys), 7), args...).Error
}

// notReceiving gives those of batch whose current row is of a person who only
// runs the list.
func (t *tx) notReceiving(listID int64, batch []model.Subscriber) ([]model.Subscriber, error) {
	keys := make([]string, 0, len(batch))
	for i := range batch {
		keys = append(keys, batch[i].EmailKey)
	}
	var found []string
	err := t.Raw("SELECT email_key FROM subscribers WHERE list_id = ? AND ended_seq = 0 AND (roles & 1) = 0 AND email_key IN ?", listID, keys).Scan(&found).Error
	var out []model.Subscriber
	for i := range batch {
		for _, k := range found {
			if batch[i].EmailKey == k {
				out = append(out, batch[i])
			}
		}
	}
	return out, err
}
