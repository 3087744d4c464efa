package app

import (
	"context"

	"plenary/internal/list/moderation"
	"plenary/internal/model"
)

// moderators lets people decide held posts in their mail program.
type moderators struct{ app *App }

// Moderates implements imapd.Moderation: owners decide as moderators do.
func (m moderators) Moderates(ctx context.Context, who model.Actor) ([]model.List, error) {
	subs, err := m.app.Store.SubscriptionsOf(ctx, who.Keys)
	if err != nil {
		return nil, err
	}
	mine := map[int64]bool{}
	for i := range subs {
		if subs[i].Has(model.RoleModerator | model.RoleOwner) {
			mine[subs[i].ListID] = true
		}
	}
	if len(mine) == 0 {
		return nil, nil
	}
	all, err := m.app.Store.Lists(ctx)
	lists := all[:0]
	for i := range all {
		if mine[all[i].ID] {
			lists = append(lists, all[i])
		}
	}
	return lists, err
}

// Pending implements imapd.Moderation.
func (m moderators) Pending(ctx context.Context, list *model.List, limit int) ([]model.Held, model.UID, error) {
	return m.app.Store.PendingHeld(ctx, list.ID, limit)
}

// HeldBytes implements imapd.Moderation.
func (m moderators) HeldBytes(ctx context.Context, h *model.Held) ([]byte, error) {
	return m.app.Store.Bytes(ctx, h.BytesID)
}

// Decide implements imapd.Moderation.
func (m moderators) Decide(ctx context.Context, heldID int64, action model.Action, by string) error {
	return m.app.Moderation.Decide(ctx, moderation.Decision{HeldID: heldID, Action: action, By: by})
}
