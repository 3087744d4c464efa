package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"slices"

	"gorm.io/gorm"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// A pack is the record of copies of one range that were taken at the first try:
// one row where each would cost one. It holds the copies by recipient, each with
// time, code and reply, as differences to the one before: some 6 octets where
// replies are alike, 15 where each names a queue id of its own. Everything that
// is not "sent at the first try" has a row in deliveries.
//
// A copy stands in one place only, whatever leases did meanwhile: packs are
// written by who holds the lease of the range at that moment. Who comes late
// marks the range as contested and writes rows, leaving out what packs have;
// from then on all of the range are rows, and the key of deliveries decides.

const (
	packVersion = 1
	packFrom    = 8 // fewer copies are written as rows
)

// packCopies writes copies, sorting them.
func packCopies(copies []model.SentCopy) []byte {
	slices.SortFunc(copies, func(a, b model.SentCopy) int { return cmp.Compare(a.RecipientID, b.RecipientID) })
	out := make([]byte, 0, 64+12*len(copies))
	out = binary.AppendUvarint(append(out, packVersion), uint64(len(copies)))
	var last model.SentCopy
	for i := range copies {
		c := &copies[i]
		out = binary.AppendUvarint(out, uint64(c.RecipientID-last.RecipientID))
		out = binary.AppendVarint(out, int64(c.At-last.At))
		out = binary.AppendVarint(out, int64(c.Code-last.Code))
		same := 0
		for same < len(c.Reply) && same < len(last.Reply) && c.Reply[same] == last.Reply[same] {
			same++
		}
		out = binary.AppendUvarint(out, uint64(same))
		out = binary.AppendUvarint(out, uint64(len(c.Reply)-same))
		out = append(out, c.Reply[same:]...)
		last = *c
	}
	return out
}

// unpackCopies reads what packCopies wrote, appending to copies.
func unpackCopies(copies []model.SentCopy, data []byte) ([]model.SentCopy, error) {
	r := packReader{data: data}
	if v := r.uint(); v != packVersion {
		return nil, fault.New(fault.Internal, "a record of deliveries has the unknown form %d", v)
	}
	n := r.uint()
	if r.bad {
		return nil, errPack()
	}
	var last model.SentCopy
	for range n {
		c := model.SentCopy{
			RecipientID: last.RecipientID + int64(r.uint()),
			At:          last.At + model.Instant(r.int()),
			Code:        last.Code + int(r.int()),
		}
		same, more := r.uint(), r.uint()
		if r.bad || same > uint64(len(last.Reply)) || more > uint64(len(r.data)) {
			return nil, errPack()
		}
		c.Reply = last.Reply
		if same < uint64(len(last.Reply)) || more > 0 {
			c.Reply = last.Reply[:same] + string(r.data[:more])
		}
		r.data = r.data[more:]
		copies = append(copies, c)
		last = c
	}
	return copies, nil
}

func errPack() error { return fault.New(fault.Internal, "a record of deliveries is damaged") }

// packReader takes numbers off the front of data.
type packReader struct {
	data []byte
	bad  bool
}

func (r *packReader) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *packReader) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

// putPacks writes the packs of ranges whose lease is ours, and gives what must
// be written as rows.
func (t *tx) putPacks(ctx context.Context, ranges []model.RangeOutcomes, packs [][]byte) (rows []model.Delivery, err error) {
	if len(ranges) == 0 {
		return nil, nil
	}
	for i := range ranges {
		r := &ranges[i]
		ours, err := t.putPack(ctx, r, packs[i])
		if err != nil {
			return nil, err
		}
		if !ours {
			late, err := t.contest(r)
			if err != nil {
				return nil, err
			}
			rows = append(rows, late...)
			continue
		}
		if packs[i] == nil {
			for c := range r.Sent {
				rows = append(rows, r.Sent[c].Delivery(r.Chunk.DistributionID))
			}
		}
		rows = append(rows, r.Rows...)
	}
	return rows, nil
}

// hotText is a statement that runs for every hundred copies: past GORM.
type hotText struct{ sqlite, postgres string }

func (h *hotText) of(d Dialect) string {
	if d == Postgres {
		return h.postgres
	}
	return h.sqlite
}

// The statements of every commit of the recorder, one a range.
var (
	insertPack = hotText{"INSERT INTO delivery_packs (distribution_id, first_id, copies, data) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS" +
		" (SELECT 1 FROM chunks WHERE distribution_id = ?1 AND first_id = ?2 AND owner = ?5 AND contested = 0)",
		"WITH c AS (SELECT 1 FROM chunks WHERE distribution_id = $1 AND first_id = $2 AND owner = $5 AND contested = 0 FOR UPDATE)" +
			" INSERT INTO delivery_packs (distribution_id, first_id, copies, data) SELECT $1, $2, $3, $4 FROM c"}
	lockRange = hotText{"UPDATE chunks SET contested = 0 WHERE distribution_id = ? AND first_id = ? AND owner = ? AND contested = 0",
		"UPDATE chunks SET contested = 0 WHERE distribution_id = $1 AND first_id = $2 AND owner = $3 AND contested = 0"}
)

// putPack writes the pack of a range, if there is one, and reports whether the
// range's lease is held as the outcomes say and nobody else has written to it:
// if not, nothing was written. So it stays until the end of the transaction.
func (t *tx) putPack(ctx context.Context, r *model.RangeOutcomes, pack []byte) (ours bool, err error) {
	if r.Lost {
		return false, nil
	}
	var res sql.Result
	c := &r.Chunk
	if pack != nil {
		res, err = t.Statement.ConnPool.ExecContext(ctx, insertPack.of(t.s.dialect), c.DistributionID, c.FirstID, len(r.Sent), pack, c.Owner)
	} else {
		res, err = t.Statement.ConnPool.ExecContext(ctx, lockRange.of(t.s.dialect), c.DistributionID, c.FirstID, c.Owner)
	}
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// contest marks a range and gives as rows those of its outcomes that no pack
// has. The mark locks the range against its holder; where there is no range any
// more, nobody writes packs of it.
func (t *tx) contest(r *model.RangeOutcomes) ([]model.Delivery, error) {
	d, first := r.Chunk.DistributionID, r.Chunk.FirstID
	if err := t.Exec("UPDATE chunks SET contested = 1 WHERE distribution_id = ? AND first_id = ?", d, first).Error; err != nil {
		return nil, err
	}
	packed, err := packedIn(t.DB, d, first)
	if err != nil {
		return nil, err
	}
	var rows []model.Delivery
	for i := range r.Sent {
		rows = append(rows, r.Sent[i].Delivery(d))
	}
	rows = append(rows, r.Rows...)
	return slices.DeleteFunc(rows, func(r model.Delivery) bool { return packed[r.RecipientID] }), nil
}

// packedIn gives the recipients of a range that stand in packs.
func packedIn(db *gorm.DB, distributionID, firstID int64) (map[int64]bool, error) {
	ids := map[int64]bool{}
	err := eachPack(db, "p.distribution_id = ? AND p.first_id = ?", []any{distributionID, firstID}, func(p *packRow) bool {
		for i := range p.copies {
			ids[p.copies[i].RecipientID] = true
		}
		return true
	})
	return ids, err
}

// packRow is one pack as it was read.
type packRow struct {
	distribution, first int64
	copies              []model.SentCopy
}

// eachPack reads the packs a condition chooses, one after the other, until yield
// says no. The pack is good until yield returns.
func eachPack(db *gorm.DB, where string, args []any, yield func(p *packRow) bool) error {
	rows, err := db.Raw("SELECT p.distribution_id, p.first_id, p.data FROM delivery_packs p WHERE "+where, args...).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	var p packRow
	for rows.Next() {
		var data sql.RawBytes
		if err := rows.Scan(&p.distribution, &p.first, &data); err != nil {
			return err
		}
		if p.copies, err = unpackCopies(p.copies[:0], data); err != nil {
			return err
		}
		if !yield(&p) {
			return nil
		}
	}
	return rows.Err()
}
