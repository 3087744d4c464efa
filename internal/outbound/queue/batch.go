package queue

import (
	"strings"
	"unicode/utf8"

	"plenary/internal/model"
)

const maxReply = 500 // octets kept of a peer's reply

// batch is what one transaction records.
type batch struct {
	at    model.Instant // when the outcomes came that are taken now
	size  int           // outcomes to write
	tally map[*job]*tally
	back  map[returned][]target // came back untouched
	sent, temporary, permanent, skipped, lost,
	tokens int // of the budget
	stopped []stopped // distributions that a site refuses
	policy  int       // refusals that are about us
	outlet  *outlet   // the last that took a letter

	results map[resultKey]int // by relay; what the only one took is not in it
}

// returned names the copies of a unit that came back for one reason: who does not take
// them (outlet_fit.go).
type returned struct {
	unit *Unit
	not  uint64
}

type tally struct {
	out, decided int
	sent         []model.SentCopy // at the first try
	rows         []model.Delivery // all others
	fates        fates            // of rows
}

// written is what one transaction writes of a batch.
type written struct {
	ranges []model.RangeOutcomes
	rows   []model.Delivery // of retries and letters
	ended  []model.Chunk
}

func (b *batch) of(j *job) *tally {
	t := b.tally[j]
	if t == nil {
		t = &tally{}
		b.tally[j] = t
	}
	return t
}

// take adds one outcome to the batch.
func (e *Engine) take(b *batch, o Outcome) {
	j, t := o.Unit.job, o.Unit.to[o.Index]
	b.tokens++
	l := o.Unit.link
	if l != nil {
		e.depots.note(l, o.Result)
	} else if e.depots == nil && e.out.heard(o.Unit, o.Result, t.attempts) {
		o.State = Unsent
	}
	again := returned{unit: o.Unit, not: o.Unit.not}
	if o.Peer {
		if not, yes := e.out.other(o.Unit); yes {
			o.State, again.not = Unsent, not
		}
	}
	if o.State == Unsent {
		b.back[again] = append(b.back[again], t)
		return
	}
	c := b.of(j)
	c.out++
	c.decided++
	b.size++
	site := int64(0)
	if l != nil {
		site = l.depot.number
	}
	if o.State == OK && o.Unit.outlet != b.outlet {
		if b.outlet != nil {
			e.out.good(b.outlet)
		}
		b.outlet = o.Unit.outlet
	}
	if l == nil && (o.State != OK || o.Unit.outlet != nil) {
		if b.results == nil {
			b.results = map[resultKey]int{}
		}
		b.results[resultKey{e.out.name(o.Unit.outlet), class(o.Result)}]++
	}
	ours, until := e.policy(b, o)
	if ours {
		o.State = Temporary
	}
	if o.State == OK && t.attempts == 0 && j.claims == nil {
		if c.sent == nil && len(e.spare) > 0 {
			c.sent, e.spare = e.spare[len(e.spare)-1], e.spare[:len(e.spare)-1]
		}
		c.sent = append(c.sent, model.SentCopy{RecipientID: t.ID, At: b.at, Code: o.Code, Reply: oneLine(o.Reply)})
		b.sent++
		return
	}
	row := e.row(j, t, o.Result, site)
	if at := model.At(until); ours && row.State == model.DeliveryRetry && at > row.NextAt {
		row.NextAt = at
	}
	b.tell(row.State)
	if o.Lost {
		b.lost++
	}
	c.rows = append(c.rows, row)
	c.fates.count(&row, false)
}

// row is what is recorded of an outcome.
func (e *Engine) row(j *job, t target, r Result, site int64) model.Delivery {
	row := model.Delivery{DistributionID: j.source.d.ID, RecipientID: t.ID, Attempts: t.attempts + 1, Code: r.Code,
		Reply: oneLine(r.Reply), At: model.At(e.Now()), Claimed: e.claimant(j)}
	state := r.State
	if state == Permanent && (row.Attempts < policyTries || !t.refused) && isPolicy(r.Reply) {
		state = Temporary
	}
	if r.NoHost && row.At < j.source.d.CreatedAt.Add(absentAge) {
		state = Temporary
	}
	switch state {
	case OK:
		row.State = model.DeliverySent
	case Permanent:
		row.State = model.DeliveryFailed
	default:
		row.State = model.DeliveryRetry
		row.NextAt = row.At.Add(e.wait(e.Retry, t.attempts))
		if row.Attempts >= policyTries && row.NextAt > j.source.d.CreatedAt.Add(e.lifetime(j.source.d.Lane)) {
			row.State, row.NextAt = model.DeliveryFailed, 0
			break
		}
		if site != 0 {
			row.Site = model.SiteKey(site, j.source.d.Lane)
		}
	}
	return row
}

// tell counts a row.
func (b *batch) tell(s model.DeliveryState) {
	switch s {
	case model.DeliverySent:
		b.sent++
	case model.DeliveryFailed:
		b.permanent++
	case model.DeliverySkipped:
		b.skipped++
	default:
		b.temporary++
	}
}

func (e *Engine) takeSkipped(b *batch, s skipped) {
	c := b.of(s.job)
	c.out += s.out
	c.decided += len(s.rows)
	for _, r := range s.rows {
		if r.At == 0 { // else it is when that was decided, which RetryPutOff asks for
			r.At = b.at
		}
		c.rows = append(c.rows, r)
		waits := r.State == model.DeliveryRetry && r.Code == 0 // for its turn only
		if c.fates.count(&r, waits); !waits {
			b.tell(r.State)
		}
	}
	b.size += len(s.rows)
}

// oneLine makes a peer's reply fit to be kept: valid UTF-8, no control
// characters, bounded.
func oneLine(s string) string { return cleaned(s[:min(len(s), maxReply)]) }

// cleaned is oneLine without the bound.
func cleaned(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' || r == 0x7f {
					return ' '
				}
				return r
			}, strings.ToValidUTF8(s, string(utf8.RuneError)))
		}
	}
	return s
}
