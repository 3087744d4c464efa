package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

// TraceLine is one event of the story of a message or a person.
type TraceLine struct {
	At      model.Instant
	List    string // address; empty when it concerns no list
	What    string // "post.accepted", "delivery.sent" ...
	Who     string // who did it, or the recipient
	Message string // Message-ID without brackets
	Subject string
	Code    int    // of the recipient's mail server
	Reply   string // its text, or why there was no copy
	Text    string // the event in words
}

// TraceQuery says whose story is asked for.
type TraceQuery struct {
	What  string // a Message-ID, in brackets or not, or an address
	Of    string // a Message-ID: only the person's part in that message
	Limit int    // posts of each list, recipients of a message
}

// Trace tells what happened to a message, in the order of time, or to a person:
// where she stands on each list first, then the newest event first. What looks
// like both is asked as both.
func (a *App) Trace(ctx context.Context, q TraceQuery) ([]TraceLine, error) {
	t := tracer{app: a, limit: q.Limit, lists: map[int64]*model.List{}, posts: map[model.PostID]postName{}}
	what := strings.TrimSpace(q.What)
	id := strings.Trim(what, "<> ")
	if who, err := address.Parse(what); err == nil && !strings.HasPrefix(what, "<") {
		if err := t.person(ctx, who, strings.Trim(q.Of, "<> ")); err != nil {
			return nil, err
		}
	}
	about := t.lines
	t.lines = nil
	if q.Of == "" {
		if err := t.message(ctx, id); err != nil {
			return nil, err
		}
		slices.SortStableFunc(t.lines, func(a, b TraceLine) int { return compare(a.At, b.At) })
	}
	return append(about, t.lines...), nil
}

func compare(a, b model.Instant) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// tracer gathers the lines.
type tracer struct {
	app   *App
	limit int
	lists map[int64]*model.List
	posts map[model.PostID]postName
	lines []TraceLine
}

type postName struct{ id, subject string }

func (t *tracer) add(l TraceLine) { t.lines = append(t.lines, l) }

// list names a list; a list that was removed has no name.
func (t *tracer) list(ctx context.Context, id int64) string {
	l, known := t.lists[id]
	if !known && id != 0 {
		l, _ = t.app.Store.GetList(ctx, id)
		t.lists[id] = l
	}
	if l == nil {
		return ""
	}
	return l.Address()
}

// post names a post by its Message-ID and subject.
func (t *tracer) post(ctx context.Context, id model.PostID) (postName, error) {
	if n, known := t.posts[id]; known {
		return n, nil
	}
	posts, err := t.app.Store.FindPosts(ctx, []model.PostID{id})
	if err != nil || len(posts) == 0 {
		return postName{}, err
	}
	n := postName{subject: posts[0].Subject}
	err = t.app.Store.PostHeaders(ctx, id.List(), id.UID(), id.UID(), func(_ model.UID, hdr []byte) error {
		n.id = posting.EventKey(message.ParseHeader(hdr).MessageID())
		return nil
	})
	t.posts[id] = n
	return n, err
}

// events tells the trace's lines of a message, or of a person.
func (t *tracer) events(ctx context.Context, messageKey, emailKey string) error {
	events, err := t.app.Store.EventsOf(ctx, messageKey, emailKey)
	for i := range events {
		e := &events[i]
		l := TraceLine{At: e.At, List: t.list(ctx, e.ListID), What: e.Kind, Who: e.Actor, Message: e.MessageKey, Text: eventText(e)}
		if emailKey != "" && e.MessageKey != "" && l.List != "" {
			id, err := t.app.Store.FindPostByKey(ctx, e.ListID, model.KeyMessageID, archive.MessageKey(e.MessageKey))
			if err != nil {
				return err
			}
			n, err := t.post(ctx, id)
			if err != nil {
				return err
			}
			l.Subject = n.subject
		}
		t.add(l)
	}
	return err
}

// message tells its events and, for each list that has it, what became of the
// copies.
func (t *tracer) message(ctx context.Context, id string) error {
	if err := t.events(ctx, posting.EventKey(id), ""); err != nil {
		return err
	}
	lists, err := t.app.Store.Lists(ctx)
	if err != nil {
		return err
	}
	for i := range lists {
		l := &lists[i]
		post, err := t.app.Store.FindPostByKey(ctx, l.ID, model.KeyMessageID, archive.MessageKey(id))
		if err != nil {
			return err
		}
		if post == 0 {
			continue
		}
		if err := t.archived(ctx, l, post, id); err != nil {
			return err
		}
	}
	return nil
}

// archived tells of a post in a list's archive, and of its copies.
func (t *tracer) archived(ctx context.Context, l *model.List, id model.PostID, messageID string) error {
	p, err := t.app.Store.GetPost(ctx, id)
	if err != nil {
		return err
	}
	line := TraceLine{At: p.ReceivedAt, List: l.Address(), What: "post.archived", Message: messageID, Subject: p.Subject,
		Text: fmt.Sprintf("is in the archive as UID %d, %q from %s", id.UID(), p.Subject, p.Author)}
	if p.Flags&model.PostImported != 0 {
		line.What, line.Text = "post.imported", line.Text+"; it was imported, so nobody was sent a copy"
	}
	t.add(line)
	made, err := t.app.Store.DistributionsOf(ctx, id)
	for i := range made {
		if err := t.copies(ctx, l, &made[i], messageID); err != nil {
			return err
		}
	}
	return err
}

// copies tells how a distribution went: as a sum, and then its recipients, the
// troubled ones first, until there are too many to read.
func (t *tracer) copies(ctx context.Context, l *model.List, d *model.Distribution, messageID string) error {
	q, err := t.app.Store.QueueEntryOf(ctx, d.ID)
	if err != nil {
		return err
	}
	why, err := t.app.Store.SkipReasons(ctx, d.ID)
	if err != nil {
		return err
	}
	t.add(TraceLine{At: d.CreatedAt, List: l.Address(), What: "distribution", Who: fmt.Sprint(d.ID), Message: messageID, Text: distributionText(q, why)})
	rows, err := t.app.Store.TracedDeliveries(ctx, d.ID, t.limit)
	if err != nil {
		return err
	}
	ids := make([]int64, 0, len(rows))
	names := map[int64]string{}
	for i := range rows {
		r := &rows[i]
		ids, names[r.RecipientID] = append(ids, r.RecipientID), r.Email
		t.add(TraceLine{At: r.At, List: l.Address(), What: deliveryKinds[r.State], Who: r.Email, Message: messageID, Code: r.Code, Reply: r.Reply,
			Text: r.Email + ": " + deliveryText(&r.Delivery)})
	}
	if more := q.Sent + q.Retry + q.Failed + q.Skipped - int64(len(rows)); more > 0 {
		last := d.CreatedAt
		for i := range rows {
			last = max(last, rows[i].At)
		}
		t.add(TraceLine{At: last, List: l.Address(), What: "distribution.more", Who: fmt.Sprint(d.ID), Message: messageID,
			Text: fmt.Sprintf("%d more recipients are counted above; --limit shows more of them", more)})
	}
	back, err := t.app.Store.BouncesTo(ctx, []int64{d.ID}, ids)
	for _, b := range back {
		t.add(TraceLine{At: b.ReceivedAt, List: l.Address(), What: "delivery.bounced", Who: names[b.RecipientID], Message: messageID,
			Text: names[b.RecipientID] + ": " + bounceText})
	}
	return err
}
