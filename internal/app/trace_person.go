package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/list/membership"
	"plenary/internal/list/notify"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// person tells where an address stands on each list; then, newest first, what
// became of each of the latest posts for it, of its own posts, and of the
// letters to it. of narrows to one message.
func (t *tracer) person(ctx context.Context, who address.Address, of string) error {
	rows, err := t.app.Store.MembershipsOf(ctx, who.Key())
	if err != nil {
		return err
	}
	for i := range rows {
		if s := &rows[i]; s.EndedSeq == 0 || i+1 == len(rows) || rows[i+1].ListID != s.ListID {
			t.standing(ctx, s)
		}
	}
	head := len(t.lines)
	if err := t.events(ctx, "", who.Key()); err != nil {
		return err
	}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].ListID == rows[0].ListID {
			n++
		}
		if err := t.fates(ctx, rows[:n], of); err != nil {
			return err
		}
		rows = rows[n:]
	}
	if of == "" {
		if err := t.letters(ctx, who); err != nil {
			return err
		}
	} else {
		t.lines = slices.DeleteFunc(t.lines, func(l TraceLine) bool { return l.What != whatStanding && l.Message != of })
	}
	slices.SortStableFunc(t.lines[head:], func(a, b TraceLine) int { return compare(b.At, a.At) })
	return nil
}

const whatStanding = "member.status"

// standing tells the state of a subscription, which explains most of the rest.
func (t *tracer) standing(ctx context.Context, s *model.Subscriber) {
	l := TraceLine{At: s.BeganAt, List: t.list(ctx, s.ListID), What: whatStanding, Who: s.Email}
	switch {
	case s.EndedSeq != 0:
		l.Text = s.Email + " is not on the list: was on it from " + stamp(s.BeganAt) + " to " + stamp(s.EndedAt)
		if s.EndReason != "" {
			l.Text += " (" + s.EndReason + ")"
		}
	case !s.Has(model.RoleSubscriber):
		l.Text = s.Email + " is on the list as " + membership.RoleNames(s.Roles) + " only and gets no posts, since " + stamp(s.BeganAt)
	default:
		l.Text = s.Email + " is on the list as " + membership.RoleNames(s.Roles) + " since " + stamp(s.BeganAt) + ", " + deliveryStatusText(s)
	}
	t.add(l)
}

// fates tells what became of a list's latest posts for a person with these rows
// on it.
func (t *tracer) fates(ctx context.Context, rows []model.Subscriber, of string) error {
	made, err := t.distributions(ctx, rows[0].ListID, of)
	if err != nil || len(made) == 0 {
		return err
	}
	var distributions, recipients []int64
	for i := range made {
		distributions = append(distributions, made[i].ID)
	}
	for i := range rows {
		recipients = append(recipients, rows[i].ID)
	}
	known, err := t.app.Store.DeliveriesTo(ctx, distributions, recipients)
	if err != nil {
		return err
	}
	back, err := t.app.Store.BouncesTo(ctx, distributions, recipients)
	if err != nil {
		return err
	}
	fate := map[int64]*model.Delivery{}
	for i := range known {
		fate[known[i].DistributionID] = &known[i]
	}
	for i := range made {
		d := &made[i]
		n, err := t.post(ctx, d.PostID)
		if err != nil {
			return err
		}
		l := TraceLine{At: d.CreatedAt, List: t.list(ctx, d.ListID), Who: rows[0].Email, Message: n.id, Subject: n.subject}
		if f := fate[d.ID]; f != nil {
			l.At, l.What, l.Code, l.Reply, l.Text = f.At, deliveryKinds[f.State], f.Code, f.Reply, deliveryText(f)
		} else {
			l.What, l.Text = t.absent(d, rows)
		}
		t.add(l)
		for _, b := range back {
			if b.DistributionID == d.ID {
				l.At, l.What, l.Text, l.Code, l.Reply = b.ReceivedAt, "delivery.bounced", bounceText, 0, ""
				t.add(l)
			}
		}
	}
	return nil
}

// distributions gives the latest of a list, or those of one message.
func (t *tracer) distributions(ctx context.Context, listID int64, of string) ([]model.Distribution, error) {
	if of == "" {
		return t.app.Store.LatestDistributions(ctx, listID, t.limit)
	}
	id, err := t.app.Store.FindPostByKey(ctx, listID, model.KeyMessageID, archive.MessageKey(of))
	if err != nil || id == 0 {
		return nil, err
	}
	return t.app.Store.DistributionsOf(ctx, id)
}

// How long the fates of copies are kept, in days; see store.Prune.
const (
	keptFates   = 365
	keptLetters = 30
)

// absent says why there is no record of a copy.
func (t *tracer) absent(d *model.Distribution, rows []model.Subscriber) (what, text string) {
	var before, after *model.Subscriber // the rows that ended before, and began after
	for i := range rows {
		s := &rows[i]
		switch {
		case s.BeganSeq > d.Seq:
			if after == nil {
				after = s
			}
		case s.EndedSeq != 0 && s.EndedSeq <= d.Seq:
			before = s
		case !s.Has(model.RoleSubscriber):
			return "delivery.absent", "not sent: on the list as " + membership.RoleNames(s.Roles) + " only, without a subscription"
		default:
			return t.undecided(d)
		}
	}
	switch {
	case before != nil:
		text = "not sent: had left on " + stamp(before.EndedAt)
		if before.EndReason != "" {
			text += " (" + before.EndReason + ")"
		}
		return "delivery.left", text
	case after != nil:
		return "delivery.joined-later", "not sent: joined on " + stamp(after.BeganAt) + ", after this post"
	}
	return "delivery.absent", "not sent: was not on the list"
}

// undecided says where the copy of somebody who was meant is.
func (t *tracer) undecided(d *model.Distribution) (what, text string) {
	kept := keptFates
	if d.Kind == model.DistributeLetter {
		kept = keptLetters
	}
	switch {
	case d.State == model.DistributionCancelled:
		return "delivery.cancelled", "not sent: the distribution was cancelled"
	case d.State == model.DistributionPaused:
		return "delivery.paused", "not sent yet: the distribution is paused; plenary queue status says why"
	case d.DoneAt == 0:
		return "delivery.waiting", "not sent yet: waits in the queue; plenary queue status shows it"
	case time.Since(d.DoneAt.Time()) > time.Duration(kept)*24*time.Hour:
		return "delivery.forgotten", fmt.Sprintf("its turn was on %s; what became of a copy is kept for %d days", stamp(d.DoneAt), kept)
	}
	return "delivery.absent", "not sent: had no subscription when its turn came"
}

// withoutToken blanks what a letter's reader may do by answering it: the trace is
// passed on to people.
func withoutToken(subject, messageID string) (string, string) {
	token := notify.TokenOf(messageID)
	if token == "" {
		return subject, messageID
	}
	return strings.ReplaceAll(subject, token, "..."), strings.ReplaceAll(messageID, token, "...")
}

// letters tells of the house letters to an address.
func (t *tracer) letters(ctx context.Context, who address.Address) error {
	made, err := t.app.Store.LettersTo(ctx, who.String(), t.limit)
	if err != nil || len(made) == 0 {
		return err
	}
	var ids []int64
	for i := range made {
		ids = append(ids, made[i].ID)
	}
	known, err := t.app.Store.DeliveriesTo(ctx, ids, []int64{0})
	if err != nil {
		return err
	}
	fate := map[int64]*model.Delivery{}
	for i := range known {
		fate[known[i].DistributionID] = &known[i]
	}
	for i := range made {
		d := &made[i]
		l := TraceLine{At: d.CreatedAt, List: t.list(ctx, d.ListID), Who: d.Recipient}
		if data, err := t.app.Store.Bytes(ctx, d.BytesID); err == nil {
			h := message.ParseHeader(data)
			l.Subject, l.Message = withoutToken(h.Text("Subject"), h.MessageID())
		}
		if f := fate[d.ID]; f != nil {
			l.At, l.What, l.Code, l.Reply, l.Text = f.At, deliveryKinds[f.State], f.Code, f.Reply, "letter of ours "+deliveryText(f)
		} else {
			l.What, l.Text = t.undecided(d)
			l.Text = "letter of ours " + l.Text
		}
		t.add(l)
	}
	return nil
}
