package queue

import (
	"strings"
	"unicode/utf8"

	"plenary/internal/model"
)

const maxReply = 500 // octets kept of a peer's reply

// batch is what one transaction records.
type batch struct {
	size  int // outcomes to write
	tally map[*job]*tally
	back  map[*Unit][]target // came back untouched
	sent, temporary, permanent, skipped, lost,
	tokens int // of the budget
}

type tally struct {
	out, decided int
	sent         []model.SentCopy // at the first try
	rows         []model.Delivery // all others
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
	if o.State == Unsent {
		b.back[o.Unit] = append(b.back[o.Unit], t)
		return
	}
	c := b.of(j)
	c.out++
	c.decided++
	b.size++
	at, reply := model.At(e.Now()), oneLine(o.Reply)
	if o.State == OK && t.attempts == 0 {
		c.sent = append(c.sent, model.SentCopy{RecipientID: t.ID, At: at, Code: o.Code, Reply: reply})
		b.sent++
		return
	}
	row := model.Delivery{DistributionID: j.source.d.ID, RecipientID: t.ID, Attempts: t.attempts + 1, Code: o.Code, Reply: reply, At: at}
	state := o.State
	if state == Permanent && row.Attempts < policyTries && isPolicy(o.Reply) {
		state = Temporary
	}
	switch state {
	case OK:
		row.State = model.DeliverySent
		b.sent++
	case Permanent:
		row.State = model.DeliveryFailed
		b.permanent++
	default:
		row.State = model.DeliveryRetry
		row.NextAt = row.At.Add(e.wait(e.Retry, t.attempts))
		b.temporary++
		if row.Attempts >= policyTries && row.NextAt > j.source.d.CreatedAt.Add(lifetime(j.source.d.Lane)) {
			row.State, row.NextAt = model.DeliveryFailed, 0
			b.temporary--
			b.permanent++
		}
	}
	if o.Lost {
		b.lost++
	}
	c.rows = append(c.rows, row)
}

// isPolicy finds the enhanced status 5.7.x (RFC 3463 3.8): a refusal for
// reasons of policy, which is about us and not about the recipient.
func isPolicy(reply string) bool { return strings.HasPrefix(reply, "5.7.") }

func (e *Engine) takeSkipped(b *batch, s skipped) {
	c := b.of(s.job)
	c.out += s.out
	c.decided += len(s.rows)
	now := model.At(e.Now())
	for _, r := range s.rows {
		r.At = now
		c.rows = append(c.rows, r)
	}
	b.size += len(s.rows)
	b.skipped += len(s.rows)
}

// oneLine makes a peer's reply fit to be kept: valid UTF-8, no control
// characters, bounded.
func oneLine(s string) string {
	if len(s) > maxReply {
		s = s[:maxReply]
	}
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
