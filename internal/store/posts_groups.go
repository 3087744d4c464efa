package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Wire forms (envelopes, usual header fields, columns) lie in rows of one post
// as they are when posts come one by one, and in packed groups of consecutive
// posts once sealed or imported: they repeat each other so much that a group
// takes a sixth of the room, and one row less to visit for each post makes up
// for unpacking. A group stands under the id of its first post and reaches to
// the next row. Which of the two a row is says its first octet: groupMark
// begins no wire form.
const (
	groupMark   = 0x01
	groupOctets = 96 << 10 // unpacked, about
	maxGroup    = 64 << 20 // unpacked
)

// wireTable is a table of wire forms.
type wireTable struct{ name, column string }

var (
	envelopeTable = wireTable{"post_envelopes", "env"}
	headerTable   = wireTable{"post_headers", "hdr"}
	columnTable   = wireTable{"post_columns", "col"}
)

// wireTables are all of them, with what a new post brings for each.
var wireTables = [...]struct {
	wireTable
	of func(*model.NewPost) []byte
}{
	{envelopeTable, func(p *model.NewPost) []byte { return p.Envelope }},
	{headerTable, func(p *model.NewPost) []byte { return p.Header }},
	{columnTable, func(p *model.NewPost) []byte { return p.Columns }},
}

// wire is one post's wire form.
type wire struct {
	id   model.PostID
	data []byte
}

// groupCoder packs and unpacks groups, for all stores of the process.
var groupCoder = spare[*groupCodec]{make: func() (*groupCodec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxGroup))
	return &groupCodec{enc, dec}, err
}}

type groupCodec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// packGroup makes one row of the wire forms of consecutive posts. One alone
// stays as it is.
func packGroup(some []wire) ([]byte, error) {
	if len(some) == 1 {
		return blob(some[0].data), nil
	}
	c, err := groupCoder.get()
	if err != nil {
		return nil, err
	}
	head := binary.AppendUvarint(make([]byte, 0, 4*len(some)), uint64(len(some)))
	total, before := 0, some[0].id
	for _, w := range some {
		head = binary.AppendUvarint(head, uint64(w.id-before))
		head = binary.AppendUvarint(head, uint64(len(w.data)))
		total, before = total+len(w.data), w.id
	}
	plain := append(make([]byte, 0, len(head)+total), head...)
	for _, w := range some {
		plain = append(plain, w.data...)
	}
	return c.enc.EncodeAll(plain, append(make([]byte, 0, len(plain)/3), groupMark)), nil
}

// inGroups parts wire forms into groups of about groupOctets, all alike in size.
func inGroups(all []wire) [][]wire {
	total := 0
	for _, w := range all {
		total += len(w.data)
	}
	n := max(1, (total+groupOctets/2)/groupOctets)
	var out [][]wire
	size, start := 0, 0
	for i, w := range all {
		size += len(w.data)
		if size >= total/n && i+1 < len(all) && len(out) < n-1 {
			out, start, size = append(out, all[start:i+1]), i+1, 0
		}
	}
	if start < len(all) {
		out = append(out, all[start:])
	}
	return out
}

// unpack yields the posts of a row from first to last, in order. The bytes are
// good until the next call with the same scratch.
func unpack(row wire, first, last model.PostID, scratch *[]byte, yield func(model.UID, []byte) error) error {
	if len(row.data) == 0 || row.data[0] != groupMark {
		if row.id < first || row.id > last {
			return nil
		}
		return yield(row.id.UID(), row.data)
	}
	c, err := groupCoder.get()
	if err != nil {
		return err
	}
	plain, err := c.dec.DecodeAll(row.data[1:], (*scratch)[:0])
	if err != nil {
		return damaged(err)
	}
	*scratch = plain
	head := groupHead{rest: plain}
	n := head.next()
	if n > uint64(len(plain)) {
		return damaged(nil)
	}
	at := head
	for range n {
		head.next()
		head.next()
	}
	data, id := head.rest, row.id
	for range n {
		id += model.PostID(at.next())
		size := at.next()
		if head.bad || size > uint64(len(data)) {
			return damaged(nil)
		}
		if id >= first && id <= last {
			if err := yield(id.UID(), data[:size:size]); err != nil {
				return err
			}
		}
		data = data[size:]
	}
	return nil
}

// groupHead reads numbers.
type groupHead struct {
	rest []byte
	bad  bool
}

func (h *groupHead) next() uint64 {
	v, n := binary.Uvarint(h.rest)
	if n <= 0 {
		h.bad, h.rest = true, nil
		return 0
	}
	h.rest = h.rest[n:]
	return v
}

func damaged(err error) error {
	if err == nil {
		err = errors.New("a group does not fit its head")
	}
	return fault.Wrap(fault.Internal, err, "what the archive keeps of a header is damaged")
}

// wires pages through one table of wire forms: a page is read whole, the
// connection given back, and then handed out. Each page is one statement and so
// sees one state, and goes on after the last post handed out: who seals
// meanwhile disturbs nobody.
func (s *Store) wires(ctx context.Context, t wireTable, r span, yield func(model.UID, []byte) error) error {
	at, last := postRange(r.list, r.from, r.to)
	bottom, _ := postRange(r.list, 0, 0)
	query := fmt.Sprintf(`SELECT id, %[1]s FROM %[2]s WHERE id BETWEEN
		COALESCE((SELECT max(id) FROM %[2]s WHERE id BETWEEN ? AND ?), ?) AND ? ORDER BY id LIMIT ?`, t.column, t.name)
	var page []wire
	var data, scratch []byte
	for at <= last {
		page, data = page[:0], data[:0]
		rows, err := s.read(ctx).Raw(query, bottom, at, at, last, pageRows).Rows()
		if err != nil {
			return s.fault(err)
		}
		full := false
		for !full && rows.Next() {
			var id model.PostID
			var b sql.RawBytes
			if err := rows.Scan(&id, &b); err != nil {
				_ = rows.Close()
				return s.fault(err)
			}
			start := len(data)
			data = append(data, b...)
			page = append(page, wire{id, data[start:len(data):len(data)]})
			full = len(data) > pageOctets
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return s.fault(err)
		}
		for _, row := range page {
			if err := unpack(row, at, last, &scratch, func(u model.UID, b []byte) error {
				at = model.MakePostID(r.list, u) + 1
				return yield(u, b)
			}); err != nil {
				return err
			}
		}
		if len(page) < pageRows && !full {
			return nil
		}
	}
	return nil
}

// insertWires writes the wire forms of new posts, a row for each.
func (t *tx) insertWires(posts []*model.NewPost) error {
	for _, table := range wireTables {
		args := make([]any, 0, 2*len(posts))
		for _, p := range posts {
			args = append(args, p.Post.ID, blob(table.of(p)))
		}
		if err := t.insertMany(table.insert(), "(?, ?)", "", args); err != nil {
			return err
		}
	}
	return nil
}

func (t wireTable) insert() string {
	return fmt.Sprintf("INSERT INTO %s (id, %s) VALUES ", t.name, t.column)
}
