package imapd

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Fetch answers FETCH (RFC 9051 6.4.5). Go-imap has parsed the items; what is
// sent is rendered here, because its writer decodes and encodes each value
// again, flushes each message, and cannot send an envelope as it is stored.
func (s *session) Fetch(_ *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.mailbox()
	if err != nil {
		return err
	}
	if len(o.BodySection)+len(o.BinarySection)+len(o.BinarySectionSize) > maxItems {
		return no(imap.ResponseCodeLimit, "Too many items in one FETCH")
	}
	if sel.box == nil {
		return nil
	}
	c := s.front.cmd
	if c == nil { // only in tests
		c = &command{}
	}
	if sel.held && c.cond.modseq {
		return noModSeqs
	}
	f := &fetching{session: s, sel: sel, plan: planOf(o, c.args)}
	f.plan.modseq = c.cond.modseq
	f.plan.uid = f.plan.uid && (!c.cond.only || strings.HasPrefix(c.name, "UID "))
	spans := sel.spans(set)
	if c.cond.vanish {
		if err := s.tellVanished(sel, c); err != nil {
			return err
		}
	}
	if c.cond.changed {
		m, err := s.modseqsOf(sel)
		if err != nil {
			return s.failed("read flags", err)
		}
		spans = common(spans, m.changed(sel.rows, c.cond.since))
	}
	spans = c.page.cut(spans) // of what changed since, where that is asked for (RFC 9394 3.4)
	if f.plan.marks && !sel.readOnly {
		if err := f.markSeen(spans); err != nil {
			return s.failed("store flags", err)
		}
	}
	if len(spans) > 0 && (f.plan.modseq || s.told && !sel.held && len(f.now) > 0) {
		m, err := s.modseqsOf(sel)
		if err != nil {
			return s.failed("read flags", err)
		}
		f.first = spans[0].from
		f.modseqs = m.of(sel.rows[f.first:spans[len(spans)-1].to])
	}
	if err := f.run(s.ctx, spans); err != nil {
		return s.failed("fetch", err)
	}
	switch {
	case f.gone:
		return no(expungeIssued, "Some of the messages are no longer there")
	case f.strange:
		return no(imap.ResponseCodeUnknownCTE, "Some of the parts cannot be decoded") // RFC 3516 4.3
	}
	return nil
}

// fetching is one FETCH at work.
type fetching struct {
	*session
	sel  *selected
	plan plan
	now  map[model.UID]bool // marked \Seen by this command
	gone bool               // a message was taken away meanwhile

	modseqs []uint64 // of the rows from first on, where they are told
	first   int

	strange bool     // a part could not be decoded
	scratch []byte   // for filtered headers
	light   [3]shelf // of the batch at hand: envelopes, structures, headers
}

// The shelves.
const (
	envelopes = iota
	structures
	headers
)

// shelf keeps wire-ready pieces of a batch in one piece of memory.
type shelf struct {
	uids []model.UID
	ends []int
	data []byte
	next int // rows are asked for in order
}

func (h *shelf) reset() { h.uids, h.ends, h.data, h.next = h.uids[:0], h.ends[:0], h.data[:0], 0 }

func (h *shelf) put(uid model.UID, b []byte) error {
	h.uids, h.data = append(h.uids, uid), append(h.data, b...)
	h.ends = append(h.ends, len(h.data))
	return nil
}

// get gives the piece of a row. Rows come in the order of UIDs.
func (h *shelf) get(uid model.UID) ([]byte, bool) {
	for h.next < len(h.uids) && h.uids[h.next] < uid {
		h.next++
	}
	if h.next == len(h.uids) || h.uids[h.next] != uid {
		return nil, false
	}
	from := 0
	if h.next > 0 {
		from = h.ends[h.next-1]
	}
	return h.data[from:h.ends[h.next]], true
}

// markSeen sets \Seen where it is not, in one go and before anything is sent:
// what the client then gets tells it so.
func (f *fetching) markSeen(spans []span) error {
	var uids []model.UID
	for _, span := range spans {
		for _, r := range f.sel.rows[span.from:span.to] {
			if !f.sel.flags.Has(seen, r.UID) {
				uids = append(uids, r.UID)
			}
		}
	}
	if len(uids) == 0 {
		return nil
	}
	if _, err := f.change(f.sel, model.Marking{Edits: []model.FlagEdit{{Flag: seen, UIDs: uids, On: true}}}); err != nil {
		return err
	}
	f.now = make(map[model.UID]bool, len(uids))
	for _, u := range uids {
		f.now[u] = true
	}
	return f.refreshFlags(f.sel, &ownChange{spans: spans, names: []string{seen}, op: imap.StoreFlagsAdd})
}

// run goes through the rows in batches: what is light is fetched for a batch at
// once, message bytes one after another.
func (f *fetching) run(ctx context.Context, spans []span) error {
	if f.plan.needs == [3]bool{} {
		for _, span := range spans {
			if err := f.span(ctx, span); err != nil {
				return err
			}
		}
		return nil
	}
	if kind, ok := f.plan.only(); ok && len(spans) > 0 {
		return f.stream(ctx, kind, spans)
	}
	for len(spans) > 0 {
		var part []span
		part, spans = split(spans, batch)
		if err := f.fill(ctx, part); err != nil {
			return err
		}
		for _, span := range part {
			if err := f.span(ctx, span); err != nil {
				return err
			}
		}
	}
	return nil
}

// stream sends messages as their light pieces, all of one kind, are read: a run
// that is read in batches is unpacked twice at each border.
func (f *fetching) stream(ctx context.Context, kind int, spans []span) error {
	rows, i, at, sent := f.sel.rows, spans[0].from, 0, 0
	for _, r := range merged(spans) {
		err := f.sources()[kind](ctx, f.sel.list.ID, rows[r.from].UID, rows[r.to-1].UID, func(uid model.UID, piece []byte) error {
			for i < len(rows) && rows[i].UID < uid {
				i++
			}
			for at < len(spans) && spans[at].to <= i {
				at++
			}
			if at == len(spans) || i < spans[at].from || rows[i].UID != uid {
				return nil // not asked for, or not announced yet
			}
			sent++
			var light [3][]byte
			light[kind] = piece
			return f.front.compose(func(w *composer) error {
				f.message(w, i, light, nil)
				return w.err
			})
		})
		if err != nil {
			return err
		}
	}
	f.gone = f.gone || sent < count(spans)
	return nil
}

// split takes spans of at most n rows off the front.
func split(spans []span, n int) (part, rest []span) {
	for len(spans) > 0 && n > 0 {
		s := spans[0]
		if s.to-s.from > n {
			part = append(part, span{s.from, s.from + n})
			rest = append([]span{{s.from + n, s.to}}, spans[1:]...)
			return part, rest
		}
		n -= s.to - s.from
		part, spans = append(part, s), spans[1:]
	}
	return part, spans
}

// sources are what the shelves are filled from.
func (f *fetching) sources() [3]func(context.Context, int64, model.UID, model.UID, func(model.UID, []byte) error) error {
	a := f.sel.box.texts
	return [...]func(context.Context, int64, model.UID, model.UID, func(model.UID, []byte) error) error{a.Envelopes, a.Structures, a.Headers}
}

// merged makes one range of spans that lie close together: what is not wanted is
// passed over.
func merged(spans []span) []span {
	if len(spans) > 1 && spans[len(spans)-1].to-spans[0].from <= 4*count(spans) {
		return []span{{spans[0].from, spans[len(spans)-1].to}}
	}
	return spans
}

// fill reads the light rows of a batch.
func (f *fetching) fill(ctx context.Context, part []span) error {
	ranges := merged(part)
	for kind, read := range f.sources() {
		shelf := &f.light[kind]
		shelf.reset()
		if !f.plan.needs[kind] {
			continue
		}
		for _, r := range ranges {
			if err := read(ctx, f.sel.list.ID, f.sel.rows[r.from].UID, f.sel.rows[r.to-1].UID, shelf.put); err != nil {
				return err
			}
		}
	}
	return nil
}

// shelved gives the light pieces of a row; ok is false when the row has gone.
func (f *fetching) shelved(i int) (light [3][]byte, ok bool) {
	for kind, need := range f.plan.needs {
		if !need {
			continue
		}
		if light[kind], ok = f.light[kind].get(f.sel.rows[i].UID); !ok {
			return light, false
		}
	}
	return light, true
}

// span sends a run of messages.
func (f *fetching) span(ctx context.Context, s span) error {
	if !f.plan.bytes {
		return f.front.compose(func(w *composer) error {
			for i := s.from; i < s.to; i++ {
				if light, ok := f.shelved(i); ok {
					f.message(w, i, light, nil)
				} else {
					f.gone = true
				}
			}
			return w.err
		})
	}
	if s.to-s.from == 1 {
		raw, err := f.sel.box.texts.Bytes(ctx, f.sel.rows[s.from])
		if fault.Is(err, fault.NotFound) {
			f.gone = true
			return nil
		}
		if err != nil {
			return err
		}
		return f.one(s.from, raw)
	}
	i := s.from
	read := f.sel.box.texts.AllBytes
	if f.plan.heads {
		read = f.sel.box.texts.AllHeaders
	}
	err := read(ctx, f.sel.list.ID, f.sel.rows[s.from].UID, f.sel.rows[s.to-1].UID, func(uid model.UID, raw []byte) error {
		for ; i < s.to && f.sel.rows[i].UID < uid; i++ {
			f.gone = true
		}
		if i < s.to && f.sel.rows[i].UID == uid {
			i++
			return f.one(i-1, raw)
		}
		return nil
	})
	f.gone = f.gone || err == nil && i < s.to
	return err
}

func (f *fetching) one(i int, raw []byte) error {
	light, ok := f.shelved(i)
	if !ok {
		f.gone = true
		return nil
	}
	return f.front.compose(func(w *composer) error {
		f.message(w, i, light, raw)
		return w.err
	})
}
