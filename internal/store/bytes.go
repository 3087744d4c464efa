package store

import (
	"context"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
	"gorm.io/gorm"
)

// The codecs of message_bytes.
const (
	codecRaw   = 0 // the bytes as they are
	codecZstd  = 1 // one zstd frame, of one message or, before codecSplit, of consecutive ones
	codecSplit = 2 // consecutive messages, the headers apart (frames.go)
)

// maxFrame bounds what a frame may decode to.
const maxFrame = 256 << 20

// coders bounds how many frames are packed or unpacked at once: each takes memory.
const coders = 4

// byteCoders pack and unpack message bytes.
type byteCoders struct {
	enc   *zstd.Encoder
	quick *zstd.Encoder // of single messages, which wait to be packed into frames: half the time, 7 % more octets
	dec   *zstd.Decoder
}

func newByteCoders() (c byteCoders, err error) {
	concurrency := zstd.WithEncoderConcurrency(min(runtime.GOMAXPROCS(0), coders))
	if c.enc, err = zstd.NewWriter(nil, concurrency); err != nil {
		return c, err
	}
	if c.quick, err = zstd.NewWriter(nil, concurrency, zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
		return c, err
	}
	c.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(min(runtime.GOMAXPROCS(0), coders)), zstd.WithDecoderMaxMemory(maxFrame))
	return c, err
}

// frameCache holds the frame decoded last: clients that fetch one message at a
// time walk through a frame in order.
type frameCache struct {
	mu   sync.Mutex
	id   int64
	data []byte
}

func (c *frameCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id, c.data = 0, nil
}

// putBytes stores one message in the transaction, compressed when that pays.
func (t *tx) putBytes(data []byte) (id int64, err error) {
	codec, stored, err := t.s.packOne(data)
	if err != nil {
		return 0, err
	}
	return t.insertBytes(codec, len(data), stored)
}

const insertBytes, bytesRow = "INSERT INTO message_bytes (codec, size, data) VALUES ", "(?, ?, ?)"

func (t *tx) insertBytes(codec, size int, stored []byte) (id int64, err error) {
	return t.insert(insertBytes+bytesRow, codec, size, blob(stored))
}

// Bytes gives the decoded bytes of a message_bytes row. The caller must not
// change them.
func (s *Store) Bytes(ctx context.Context, id int64) ([]byte, error) {
	c := &s.cache
	c.mu.Lock()
	if c.id == id && c.data != nil {
		defer c.mu.Unlock()
		return c.data, nil
	}
	c.mu.Unlock()
	data, err := s.loadBytes(s.read(ctx), id)
	if err != nil {
		return nil, s.fault(err)
	}
	c.mu.Lock()
	c.id, c.data = id, data
	c.mu.Unlock()
	return data, nil
}

func (s *Store) loadBytes(db *gorm.DB, id int64) ([]byte, error) {
	var codec, size int
	var data []byte
	err := db.Raw("SELECT codec, size, data FROM message_bytes WHERE id = ?", id).Row().Scan(&codec, &size, &data)
	if err != nil || codec == codecRaw {
		return data, err
	}
	return s.decode(codec, size, data, nil)
}
