package queue

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"plenary/internal/model"
)

// fates are counts of what became of copies, for the log.
type fates struct {
	sent, deferred, failed, skipped, waiting int
	reply                                    string // the last that was no success
	at                                       model.Instant
}

// count adds a record. waiting says that it had no try.
func (f *fates) count(d *model.Delivery, waiting bool) {
	switch {
	case d.State == model.DeliverySent:
		f.sent++
		return
	case d.State == model.DeliverySkipped:
		f.skipped++
		return
	case waiting:
		f.waiting++
	case d.State == model.DeliveryFailed:
		f.failed++
	default:
		f.deferred++
	}
	if f.reply = d.Reply; d.Code != 0 {
		f.reply = strconv.Itoa(d.Code) + " " + d.Reply
	}
}

func (f *fates) add(o *fates) {
	f.sent += o.sent
	f.deferred += o.deferred
	f.failed += o.failed
	f.skipped += o.skipped
	f.waiting += o.waiting
	if o.reply != "" {
		f.reply = o.reply
	}
	f.at = o.at
}

func (f *fates) any() bool { return f.sent+f.deferred+f.failed+f.skipped+f.waiting > 0 }

// tell logs what became of a distribution's copies at this node since it was
// opened: a line for each burst of work, whatever the number of recipients. Each
// of them is in the database; `plenary trace` tells them.
func (e *Engine) tell(s *source) {
	e.lanes.mu.Lock()
	f := s.fates
	s.fates = fates{}
	e.lanes.mu.Unlock()
	if !f.any() {
		return
	}
	level := slog.LevelInfo
	if f.sent == 0 && f.deferred+f.failed > 0 {
		level = slog.LevelWarn
	}
	args := []any{"distribution", s.d.ID}
	if s.d.Kind == model.DistributeLetter {
		args = append(args, "to", s.d.Recipient)
	} else {
		args = append(args, "list", e.listName(s.d.ListID))
	}
	args = append(args, "sent", f.sent)
	for _, n := range []struct {
		name string
		n    int
	}{{"deferred", f.deferred}, {"failed", f.failed}, {"skipped", f.skipped}, {"waiting", f.waiting}} {
		if n.n > 0 || s.d.Kind != model.DistributeLetter && n.name != "waiting" {
			args = append(args, n.name, n.n)
		}
	}
	if f.reply != "" {
		args = append(args, "reply", f.reply)
	}
	e.Log.Log(context.Background(), level, "copies were sent", append(args, "age", f.at.Time().Sub(s.d.CreatedAt.Time()).Round(time.Millisecond).String())...)
}

// listName is a list's address, or its number when it is gone.
func (e *Engine) listName(id int64) string {
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	if l, err := e.Store.GetList(ctx, id); err == nil {
		return l.Address()
	}
	return strconv.FormatInt(id, 10)
}

// tellStops logs what people have paused, or let go on, since the last look.
func (e *Engine) tellStops(old, now *model.QueueStops) {
	if old != nil && old.All == now.All && slices.Equal(old.Lists, now.Lists) && slices.Equal(old.Paused, now.Paused) {
		return
	}
	was, is := e.stopNames(old), e.stopNames(now)
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if !was[name] {
			e.Log.Warn("sending is paused until plenary queue resume", "what", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if !is[name] {
			e.Log.Info("sending goes on", "what", name)
		}
	}
}

func (e *Engine) stopNames(s *model.QueueStops) map[string]bool {
	names := map[string]bool{}
	if s == nil {
		return names
	}
	if s.All {
		names["everything"] = true
	}
	for _, id := range s.Lists {
		names["list "+e.listName(id)] = true
	}
	for _, to := range s.Paused {
		names["to "+to] = true
	}
	return names
}
