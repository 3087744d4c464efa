package store

import (
	"context"
	"database/sql"
	"errors"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// bumpSeq moves the list's subscription sequence and gives the new value. Its
// row lock orders all changes of membership and all new distributions of a list.
func (t *tx) bumpSeq(listID int64) (seq int64, err error) {
	err = t.Raw("UPDATE list_counters SET seq = seq + 1 WHERE list_id = ? RETURNING seq", listID).Row().Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, "there is no such list")
	}
	return seq, err
}

// Subscribe puts sub on its list and reports whether that made a new row. Where
// the address has a current row, its roles are joined with the given ones, an
// empty name is filled, and sub becomes that row. Someone who was only owner or
// moderator and begins to receive posts gets a new BeganSeq: distributions made
// before do not reach him.
func (s *Store) Subscribe(ctx context.Context, sub *model.Subscriber) (fresh bool, err error) {
	var out model.Subscriber
	err = s.write(ctx, func(t *tx) error {
		seq, err := t.bumpSeq(sub.ListID)
		if err != nil {
			return err
		}
		now := model.At(s.Now())
		current, err := first[model.Subscriber](s.forUpdate(t.DB).
			Where("list_id = ? AND email_key = ? AND ended_seq = 0", sub.ListID, sub.EmailKey))
		if err != nil {
			return err
		}
		if fresh = current == nil; fresh {
			out = *sub
			out.ID, out.BeganSeq, out.EndedSeq, out.BeganAt, out.EndedAt, out.EndReason = 0, seq, 0, now, 0, ""
			return t.Create(&out).Error
		}
		out = *current
		if sub.Has(model.RoleSubscriber) && !out.Has(model.RoleSubscriber) {
			out.BeganSeq, out.BeganAt, out.Consent = seq, now, sub.Consent
		}
		out.Roles |= sub.Roles
		if out.Name == "" {
			out.Name = sub.Name
		}
		return t.Model(&out).Select("roles", "name", "consent", "began_seq", "began_at").Updates(&out).Error
	})
	if err == nil {
		*sub = out
	}
	return fresh, err
}

// Unsubscribe ends the address's current row, all its roles included, and gives
// it as it ended; nil when there is none.
func (s *Store) Unsubscribe(ctx context.Context, listID int64, emailKey, reason string) (*model.Subscriber, error) {
	var gone *model.Subscriber
	err := s.write(ctx, func(t *tx) error {
		seq, err := t.bumpSeq(listID)
		if err != nil {
			return err
		}
		gone, err = first[model.Subscriber](s.forUpdate(t.DB).
			Where("list_id = ? AND email_key = ? AND ended_seq = 0", listID, emailKey))
		if err != nil || gone == nil {
			return err
		}
		gone.EndedSeq, gone.EndedAt, gone.EndReason = seq, model.At(s.Now()), reason
		t.signal(TopicList(listID)) // whoever reads the archive may have to stop
		return t.Model(gone).Select("ended_seq", "ended_at", "end_reason").Updates(gone).Error
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// FindSubscriber finds the address's current row; nil when there is none.
func (s *Store) FindSubscriber(ctx context.Context, listID int64, emailKey string) (*model.Subscriber, error) {
	var v model.Subscriber
	err := s.hot(ctx).row("SELECT id, list_id, email, email_key, name, roles, delivery_status, mode, moderation, options, language, consent, "+
		"began_seq, ended_seq, began_at, ended_at, end_reason FROM subscribers WHERE list_id = ? AND email_key = ? AND ended_seq = 0", listID, emailKey).
		Scan(&v.ID, &v.ListID, &v.Email, &v.EmailKey, &v.Name, &v.Roles, &v.DeliveryStatus, &v.Mode, &v.Moderation, &v.Options, &v.Language, &v.Consent,
			&v.BeganSeq, &v.EndedSeq, &v.BeganAt, &v.EndedAt, &v.EndReason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err)
	}
	return &v, nil
}

// GetSubscriber gives a row, ended or not, or NotFound.
func (s *Store) GetSubscriber(ctx context.Context, id int64) (*model.Subscriber, error) {
	sub, err := first[model.Subscriber](s.read(ctx).Where("id = ?", id))
	if err == nil && sub == nil {
		return nil, fault.New(fault.NotFound, "there is no such subscriber")
	}
	return sub, s.fault(err)
}

// SubscribersOf gives up to limit current rows of a list that have any of the
// roles, in the order of their ids, from the one after afterID.
func (s *Store) SubscribersOf(ctx context.Context, listID int64, role model.Role, afterID int64, limit int) ([]model.Subscriber, error) {
	var rows []model.Subscriber
	err := s.read(ctx).Where("list_id = ? AND id > ? AND ended_seq = 0 AND (roles & ?) <> 0", listID, afterID, int64(role)).
		Order("id").Limit(limit).Find(&rows).Error
	return rows, s.fault(err)
}

// SubscriptionsOf gives the current rows of these addresses on all lists, by
// list.
func (s *Store) SubscriptionsOf(ctx context.Context, emailKeys []string) ([]model.Subscriber, error) {
	var rows []model.Subscriber
	if len(emailKeys) == 0 {
		return nil, nil
	}
	err := s.read(ctx).Where("email_key IN ? AND ended_seq = 0", emailKeys).Order("list_id, id").Find(&rows).Error
	return rows, s.fault(err)
}

// SaveSubscriber stores what a person may change on a current row: name, roles,
// delivery, options, moderation, language. NotFound when the row has ended.
func (s *Store) SaveSubscriber(ctx context.Context, sub *model.Subscriber) error {
	return s.write(ctx, func(t *tx) error {
		had, err := first[model.Subscriber](t.Where("id = ? AND ended_seq = 0", sub.ID))
		if err != nil {
			return err
		}
		if had == nil {
			return fault.New(fault.NotFound, "there is no such subscriber any more")
		}
		if had.Roles != sub.Roles {
			t.signal(TopicList(had.ListID)) // whoever reads or moderates may have to stop
		}
		res := t.Model(&model.Subscriber{}).Where("id = ? AND ended_seq = 0", sub.ID).
			Select("name", "roles", "delivery_status", "mode", "moderation", "options", "language").Updates(sub)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such subscriber any more")
		}
		return res.Error
	})
}

// CountSubscribers counts who receives or could receive posts; owners and
// moderators who are not subscribed do not count.
func (s *Store) CountSubscribers(ctx context.Context, listID int64) (int64, error) {
	var n int64
	err := s.read(ctx).Model(&model.Subscriber{}).
		Where("list_id = ? AND ended_seq = 0 AND (roles & ?) <> 0", listID, int64(model.RoleSubscriber)).Count(&n).Error
	return n, s.fault(err)
}
