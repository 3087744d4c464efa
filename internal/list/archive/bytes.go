package archive

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Frames kept decoded: clients that fetch one message at a time walk through a
// frame in order, and several clients walk through several.
const (
	maxFrames      = 16
	maxFrameOctets = 16 << 20 // in all; the one used last is kept whatever its size
)

// frames is what was decoded last, newest first.
type frames struct {
	mu   sync.Mutex
	kept []keptFrame
	used time.Time
}

type keptFrame struct {
	id   int64
	data []byte
}

func (f *frames) find(id int64, now time.Time) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = now
	for i, k := range f.kept {
		if k.id == id {
			copy(f.kept[1:i+1], f.kept[:i])
			f.kept[0] = k
			return k.data, true
		}
	}
	return nil, false
}

func (f *frames) keep(id int64, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, keptFrame{})
	copy(f.kept[1:], f.kept)
	f.kept[0] = keptFrame{id, data}
	total := 0
	for i, k := range f.kept {
		total += len(k.data)
		if i > 0 && (i >= maxFrames || total > maxFrameOctets) {
			clear(f.kept[i:])
			f.kept = f.kept[:i]
			return
		}
	}
}

// frame gives the decoded bytes of one row of the store.
func (r *Reader) frame(ctx context.Context, id int64) ([]byte, error) {
	if data, ok := r.frames.find(id, r.Now()); ok {
		return data, nil
	}
	data, err := r.store.Bytes(ctx, id)
	if err == nil {
		r.frames.keep(id, data)
	}
	return data, err
}

// Bytes gives one message as archived. The bytes must not be changed.
func (r *Reader) Bytes(ctx context.Context, row Row) ([]byte, error) {
	row = r.moved.now(row)
	for range 3 {
		data, err := r.frame(ctx, row.BytesID)
		if err == nil {
			return row.cut(data)
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		// The bytes were moved since the row was read: packed with others.
		was := row.BytesID
		if row, err = r.look(ctx, row); err != nil {
			return nil, err
		}
		if row.BytesID == was {
			return nil, fault.New(fault.Internal, "the bytes of a message are missing")
		}
	}
	return nil, fault.New(fault.Temporary, "the message is being moved, please try again")
}

func (row Row) cut(data []byte) ([]byte, error) {
	from := int64(row.BytesOff)
	end := from + int64(row.Size)
	if end > int64(len(data)) {
		return nil, fault.New(fault.Internal, "a stored message is damaged")
	}
	return data[from:end:end], nil
}

// AllBytes streams the messages from UID from to UID to as archived, reading
// ahead while yield works. The bytes are good until yield returns; its error
// ends the stream and is given back.
func (r *Reader) AllBytes(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return r.all(ctx, uidRange{listID, from, to}, false, yield)
}

// AllHeaders streams the headers of the messages, each with its empty line, as
// AllBytes does the messages.
func (r *Reader) AllHeaders(ctx context.Context, listID int64, from, to model.UID, yield func(model.UID, []byte) error) error {
	return r.all(ctx, uidRange{listID, from, to}, true, yield)
}

// uidRange is a range of UIDs of a list, inclusive.
type uidRange struct {
	list     int64
	from, to model.UID
}

func (r *Reader) all(ctx context.Context, s uidRange, headers bool, yield func(model.UID, []byte) error) error {
	ix, err := r.Open(ctx, s.list)
	if err != nil {
		return err
	}
	rows := ix.Rows()
	first, _ := find(rows, s.from)
	last, ok := find(rows, s.to)
	if ok {
		last++
	}
	if first >= last {
		return nil
	}
	return r.stream(ctx, rows[first:last], headers, func(row Row, data []byte) error { return yield(row.UID, data) })
}

// batch is the rows that share a frame, with the frame or why there is none.
type batch struct {
	rows  []Row
	frame model.Frame
	err   error
}

// load is some batches that are loaded together, and the memory they are decoded into.
type load struct {
	batches []batch
	own     [headersAtOnce]model.Frame
	done    chan struct{} // closed when they are there
}

const (
	// fewRows are read through the frames that are kept: who reads some messages
	// often reads on.
	fewRows = 64
	// loadAhead is how many loads are under way while one is handed out. On PostgreSQL
	// each is a way there and back, so one has the headers of several frames.
	loadAhead     = 2
	headersAtOnce = 4
	// loadsAtOnce bounds those of all streams: who posts needs connections too.
	loadsAtOnce = 6
)

// stream hands out the messages of rows in order, or their headers, some frames ahead.
func (r *Reader) stream(ctx context.Context, rows []Row, headers bool, yield func(Row, []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	ahead, free := make(chan *load, 1+loadAhead), make(chan *load, 1+loadAhead)
	for range cap(free) {
		free <- &load{}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ahead)
		how := want{headers: headers, keep: len(rows) <= fewRows}
		for len(rows) > 0 {
			var l *load
			select {
			case l = <-free:
			case <-ctx.Done():
				return
			}
			l.batches, l.done = l.batches[:0], make(chan struct{})
			for n := 0; len(rows) > 0 && (n == 0 || headers && n < headersAtOnce); n++ {
				some := r.moved.together(rows)
				l.batches, rows = append(l.batches, batch{rows: some}), rows[len(some):]
			}
			wg.Go(func() { r.load(ctx, l, how) })
			ahead <- l // there is room for all
		}
	})
	defer wg.Wait()
	defer cancel()
	for l := range ahead {
		<-l.done
		for i := range l.batches {
			if err := r.handOut(ctx, &l.batches[i], headers, yield); err != nil {
				return err
			}
		}
		free <- l
	}
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Temporary, err, "the request was given up")
	}
	return nil
}

func (r *Reader) handOut(ctx context.Context, b *batch, headers bool, yield func(Row, []byte) error) error {
	for _, row := range b.rows {
		data, err := row.of(b, headers)
		if fault.Is(err, fault.NotFound) {
			if data, err = r.Bytes(ctx, row); err == nil && headers {
				data = row.header(data)
			}
		}
		if err == nil {
			err = yield(row, data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// want says how a frame is read.
type want struct {
	headers bool // they will do
	keep    bool // others may want it soon
}

// load takes frames that were kept, and decodes the others, into own memory where nobody
// else will want them.
func (r *Reader) load(ctx context.Context, l *load, w want) {
	defer close(l.done)
	s, framed := r.store.(Framed)
	var ids []int64
	var of []*batch
	for i := range l.batches {
		b := &l.batches[i]
		id := b.rows[0].BytesID
		if data, ok := r.frames.find(id, r.Now()); ok {
			b.frame.Data = data
		} else if framed && (w.headers || !w.keep) {
			ids, of = append(ids, id), append(of, b)
		} else {
			b.frame.Data, b.err = r.frame(ctx, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	select {
	case r.loading <- struct{}{}:
		defer func() { <-r.loading }()
	case <-ctx.Done():
		for _, b := range of {
			b.err = fault.Wrap(fault.Temporary, ctx.Err(), "the request was given up")
		}
		return
	}
	for i, err := range s.ReadFrames(ctx, ids, w.headers, l.own[:len(ids)]) {
		of[i].frame, of[i].err = l.own[i], err
	}
}

// of gives the message of a row, or its header, NotFound when it is not there.
func (row Row) of(b *batch, headers bool) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if len(b.frame.Heads) > 0 {
		i, ok := slices.BinarySearchFunc(b.frame.Heads, int64(row.BytesOff), func(h model.FrameHead, off int64) int { return cmp.Compare(h.Off, off) })
		if h := b.frame.Heads; ok && h[i].End-h[i].Start == int(row.HeaderLen) {
			return b.frame.Data[h[i].Start:h[i].End:h[i].End], nil
		}
		return nil, fault.New(fault.NotFound, "the header is not kept apart")
	}
	data, err := row.cut(b.frame.Data)
	if err == nil && headers {
		data = row.header(data)
	}
	return data, err
}

// header is the header of the row's message.
func (row Row) header(data []byte) []byte {
	n := min(int(row.HeaderLen), len(data))
	return data[:n:n]
}
