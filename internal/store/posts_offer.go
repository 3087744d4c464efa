package store

import (
	"context"

	"plenary/internal/model"
)

// FindOffered gives what a list knows of a post it is offered: whether it has
// one with this Message-ID or had this body, the author's current row, nil for an
// outsider, the bans that hold and the version of its settings. One look, because
// one comes with each post, and beside a writer each look reads pages anew.
func (s *Store) FindOffered(ctx context.Context, f model.Offering) (*model.Offered, error) {
	var o model.Offered
	var v model.Subscriber
	var bans bool
	err := s.hot(ctx).row("SELECT COALESCE((SELECT version FROM lists WHERE id = ?), 0),"+
		" EXISTS (SELECT 1 FROM post_keys WHERE list_id = ? AND kind = ? AND key = ?),"+
		" EXISTS (SELECT 1 FROM post_keys WHERE list_id = ? AND kind = ? AND key = ? AND at >= ?),"+
		" EXISTS (SELECT 1 FROM bans WHERE list_id IN (0, ?)),"+
		" COALESCE(s.id, 0), COALESCE(s.list_id, 0), COALESCE(s.email, ''), COALESCE(s.email_key, ''), COALESCE(s.name, ''), COALESCE(s.roles, 0),"+
		" COALESCE(s.delivery_status, 0), COALESCE(s.mode, 0), COALESCE(s.moderation, 0), COALESCE(s.options, 0), COALESCE(s.language, ''),"+
		" COALESCE(s.consent, ''), COALESCE(s.began_seq, 0), COALESCE(s.ended_seq, 0), COALESCE(s.began_at, 0), COALESCE(s.ended_at, 0),"+
		" COALESCE(s.end_reason, '') FROM (SELECT 1 AS one) AS x LEFT JOIN subscribers s ON s.list_id = ? AND s.email_key = ? AND s.ended_seq = 0",
		f.ListID, f.ListID, model.KeyMessageID, blob(f.MessageKey), f.ListID, model.KeyBody, blob(f.BodyKey), f.Since, f.ListID, f.ListID, f.AuthorKey).
		Scan(&o.Version, &o.Duplicate, &o.SeenBody, &bans, &v.ID, &v.ListID, &v.Email, &v.EmailKey, &v.Name, &v.Roles, &v.DeliveryStatus, &v.Mode, &v.Moderation, &v.Options,
			&v.Language, &v.Consent, &v.BeganSeq, &v.EndedSeq, &v.BeganAt, &v.EndedAt, &v.EndReason)
	if err != nil {
		return nil, s.fault(err)
	}
	if v.ID != 0 && f.AuthorKey != "" {
		o.Subscriber = &v
	}
	if bans {
		o.Bans, err = s.Bans(ctx, f.ListID)
	}
	return &o, err
}
