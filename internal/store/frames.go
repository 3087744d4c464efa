package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// A frame keeps the headers of its posts apart from the bodies (codecSplit):
// headers are alike, and who wants only them unpacks a third. It is
//
//	uvarint n, n times: uvarint octets of the header, uvarint octets of the body
//	uvarint length, a zstd frame of the headers
//	a zstd frame of the bodies
//
// Decoded it is the posts one after another, as any other row of message_bytes.
// A post's BytesOff counts in that.

// packFrame makes the frame of posts, whose headers have the given octets.
func packFrame(enc *zstd.Encoder, posts [][]byte, headers []int64) (size int, stored []byte) {
	index := binary.AppendUvarint(nil, uint64(len(posts)))
	inHeads := int64(0)
	for i, p := range posts {
		size += len(p)
		inHeads += min(max(headers[i], 0), int64(len(p)))
	}
	heads, bodies := make([]byte, 0, inHeads), make([]byte, 0, int64(size)-inHeads)
	for i, p := range posts {
		at := min(max(headers[i], 0), int64(len(p)))
		index = binary.AppendUvarint(binary.AppendUvarint(index, uint64(at)), uint64(len(p))-uint64(at))
		heads, bodies = append(heads, p[:at]...), append(bodies, p[at:]...)
	}
	packed := enc.EncodeAll(heads, make([]byte, 0, len(heads)/2))
	stored = append(binary.AppendUvarint(index, uint64(len(packed))), packed...)
	return size, enc.EncodeAll(bodies, slices.Grow(stored, len(bodies)/2))
}

// split is a frame taken apart, still packed.
type split struct {
	index         groupHead // behind n
	n             uint64
	heads, bodies []byte
}

func readSplit(data []byte) (f split, err error) {
	at := groupHead{rest: data}
	f.n = at.next()
	f.index = at
	if f.n > uint64(len(data)) {
		return f, errFrame
	}
	for range 2 * f.n {
		at.next()
	}
	n := at.next()
	if at.bad || n > uint64(len(at.rest)) {
		return f, errFrame
	}
	f.heads, f.bodies = at.rest[:n], at.rest[n:]
	return f, nil
}

var errFrame = errors.New("a frame does not fit its head")

// scratch lends memory to decode into.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// join appends the posts as they were.
func (f split) join(dec *zstd.Decoder, buf []byte) ([]byte, error) {
	heads, bodies := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer scratch.Put(heads)
	defer scratch.Put(bodies)
	var err error
	if *heads, err = dec.DecodeAll(f.heads, (*heads)[:0]); err != nil {
		return nil, err
	}
	if *bodies, err = dec.DecodeAll(f.bodies, (*bodies)[:0]); err != nil {
		return nil, err
	}
	h, b := *heads, *bodies
	buf = slices.Grow(buf, len(h)+len(b))
	for range f.n {
		header, body := f.index.next(), f.index.next()
		if header > uint64(len(h)) || body > uint64(len(b)) {
			return nil, errFrame
		}
		buf = append(append(buf, h[:header]...), b[:body]...)
		h, b = h[header:], b[body:]
	}
	return buf, nil
}

// headers puts only the headers into out.
func (f split) headers(dec *zstd.Decoder, out *model.Frame) (err error) {
	if out.Data, err = dec.DecodeAll(f.heads, out.Data[:0]); err != nil {
		return err
	}
	off, at := int64(0), 0
	for range f.n {
		header, body := f.index.next(), f.index.next()
		if header > uint64(len(out.Data)-at) || body > maxFrame {
			return errFrame
		}
		out.Heads = append(out.Heads, model.FrameHead{Off: off, Start: at, End: at + int(header)})
		off, at = off+int64(header)+int64(body), at+int(header)
	}
	return nil
}

// ReadFrame decodes a message_bytes row into out, whose memory it uses again.
// With headers it decodes only those where they are kept apart: out.Heads then
// says where each is.
func (s *Store) ReadFrame(ctx context.Context, id int64, headers bool, out *model.Frame) error {
	rows, err := s.hot(ctx).query("SELECT codec, size, data FROM message_bytes WHERE id = ?", id)
	if err != nil {
		return s.fault(err)
	}
	defer rows.Close()
	if !rows.Next() {
		return s.fault(cmp.Or(rows.Err(), sql.ErrNoRows))
	}
	var f storedFrame
	if err := rows.Scan(&f.codec, &f.size, &f.data); err != nil {
		return s.fault(err)
	}
	return s.decodeFrame(f, headers, out)
}

// ReadFrames does what ReadFrame does for each of some rows, and gives the error of
// each. On PostgreSQL it asks once.
func (s *Store) ReadFrames(ctx context.Context, ids []int64, headers bool, out []model.Frame) []error {
	errs, read := make([]error, len(ids)), make([]bool, len(ids))
	if s.dialect == Postgres {
		s.readTogether(ctx, ids, headers, func(i int, f storedFrame) { read[i] = s.decodeFrame(f, headers, &out[i]) == nil })
	}
	for i, id := range ids {
		if !read[i] {
			errs[i] = s.ReadFrame(ctx, id, headers, &out[i])
		}
	}
	return errs
}

// wholeUnlessSplit is all of a row that is no frame, and of one that is enough for the
// headers of nearly all: PostgreSQL reads no more of it then. Of real archives half the
// frames have 29 kB of headers, 99 of 100 less than 49 kB, and all less than 54 kB.
const wholeUnlessSplit = "CASE WHEN codec = 2 THEN substring(data, 1, 57344) ELSE data END"

// storedFrame is a row as it is read.
type storedFrame struct {
	codec, size int
	data        sql.RawBytes
}

// readTogether reads what it can of some rows; what it could not is left out.
func (s *Store) readTogether(ctx context.Context, ids []int64, headers bool, yield func(int, storedFrame)) {
	data := "data"
	if headers {
		data = wholeUnlessSplit
	}
	rows, err := s.hot(ctx).query("SELECT id, codec, size, "+data+" FROM message_bytes WHERE id = ANY(?)", pgArray(ids))
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var f storedFrame
		if rows.Scan(&id, &f.codec, &f.size, &f.data) != nil {
			return
		}
		yield(slices.Index(ids, id), f)
	}
}

func (s *Store) decodeFrame(f storedFrame, headers bool, out *model.Frame) (err error) {
	out.Data, out.Heads = out.Data[:0], out.Heads[:0]
	if headers && f.codec == codecSplit {
		c, err := s.coders.get()
		if err != nil {
			return s.fault(err)
		}
		parts, err := readSplit(f.data)
		if err == nil {
			err = parts.headers(c.dec, out)
		}
		return damagedFrame(err)
	}
	out.Data, err = s.decode(f.codec, f.size, f.data, out.Data)
	return err
}

// decode appends the bytes of a row to buf.
func (s *Store) decode(codec, size int, data, buf []byte) ([]byte, error) {
	if codec == codecRaw {
		return append(buf, data...), nil
	}
	c, err := s.coders.get()
	if err != nil {
		return nil, s.fault(err)
	}
	if size < 0 || size > maxFrame {
		return nil, damagedFrame(errFrame)
	}
	if codec == codecZstd {
		const slack = 64 // with room behind the end the decoder copies faster
		buf, err = c.dec.DecodeAll(data, slices.Grow(buf, size+slack))
		return buf, damagedFrame(err)
	}
	f, err := readSplit(data)
	if err == nil {
		buf, err = f.join(c.dec, buf)
	}
	if err == nil && len(buf) < size {
		err = errFrame
	}
	return buf, damagedFrame(err)
}

func damagedFrame(err error) error {
	return fault.Wrap(fault.Internal, err, "a stored message is damaged")
}
