package store

import (
	"encoding/binary"
	"strings"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// The packed form of deliveries, before zstd: the number of rows; the distinct
// replies, each a code, the length of the text and the text; then column by
// column, as varints: recipient (difference to the one before), state and
// attempts in one number, index of the reply, second (signed difference to the
// one before). Columns compress well, and most of these are runs of equal
// numbers.

// answer is a code and a text.
type answer struct {
	code  int
	reply string
}

const stateBits = 3

// packDeliveries packs rows of one distribution, which are in the order of
// their recipients and decided.
func packDeliveries(rows []model.Delivery) []byte {
	index := map[answer]uint64{}
	var answers []answer
	which := make([]uint64, len(rows))
	for i := range rows {
		a := answer{rows[i].Code, rows[i].Reply}
		if rows[i].State == model.DeliverySent {
			a.reply = statusOf(a.reply)
		}
		n, known := index[a]
		if !known {
			n = uint64(len(answers))
			index[a] = n
			answers = append(answers, a)
		}
		which[i] = n
	}
	b := binary.AppendUvarint(nil, uint64(len(rows)))
	b = binary.AppendUvarint(b, uint64(len(answers)))
	for _, a := range answers {
		b = binary.AppendUvarint(b, uint64(a.code)) //nolint:gosec // 0 to 599
		b = binary.AppendUvarint(b, uint64(len(a.reply)))
		b = append(b, a.reply...)
	}
	last := int64(0)
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(rows[i].RecipientID-last)) //nolint:gosec // they grow
		last = rows[i].RecipientID
	}
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(rows[i].Attempts)<<stateBits|uint64(rows[i].State)) //nolint:gosec // small
	}
	for i := range rows {
		b = binary.AppendUvarint(b, which[i])
	}
	last = 0
	for i := range rows {
		at := int64(rows[i].At) / 1_000_000
		b = binary.AppendVarint(b, at-last)
		last = at
	}
	return b
}

// statusOf leaves of a reply to a copy that was taken its enhanced status code
// (RFC 3463); the rest is the peer's own number for the message, which nobody
// can do anything with after so long, and which is different for each.
func statusOf(reply string) string {
	word, _, _ := strings.Cut(reply, " ")
	if len(word) >= 5 && word[0] >= '2' && word[0] <= '5' && word[1] == '.' && strings.Count(word, ".") == 2 {
		return word
	}
	return ""
}

// unpackDeliveries visits the rows of a packed form.
func unpackDeliveries(b []byte, distribution int64, visit func(*model.Delivery)) error {
	r := unpacker{b: b}
	n := r.number()
	answers := make([]answer, min(r.number(), uint64(len(b))))
	for i := range answers {
		answers[i].code = int(r.number()) //nolint:gosec // as packed
		answers[i].reply = r.text(r.number())
	}
	if n > uint64(len(r.b)) { // a row has four octets at least
		r.bad = true
	}
	if r.bad {
		return r.damaged()
	}
	rows := make([]model.Delivery, n)
	last := int64(0)
	for i := range rows {
		last += int64(r.number()) //nolint:gosec // as packed
		rows[i] = model.Delivery{DistributionID: distribution, RecipientID: last}
	}
	for i := range rows {
		v := r.number()
		rows[i].State, rows[i].Attempts = model.DeliveryState(v&(1<<stateBits-1)), int(v>>stateBits) //nolint:gosec // as packed
	}
	for i := range rows {
		k := r.number()
		if k >= uint64(len(answers)) {
			return r.damaged()
		}
		rows[i].Code, rows[i].Reply = answers[k].code, answers[k].reply
	}
	last = 0
	for i := range rows {
		last += r.signed()
		rows[i].At = model.Instant(last * 1_000_000)
	}
	if r.bad {
		return r.damaged()
	}
	for i := range rows {
		visit(&rows[i])
	}
	return nil
}

// unpacker reads varints; bad is set at the first that is cut off.
type unpacker struct {
	b   []byte
	bad bool
}

func (r *unpacker) damaged() error { return fault.New(fault.Internal, "a folded delivery is damaged") }

func (r *unpacker) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *unpacker) signed() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *unpacker) text(n uint64) string {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
