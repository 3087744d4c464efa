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

// frameCache holds the coder and the frame decoded last: clients that fetch
// one message at a time walk through a frame in order.
type frameCache struct {
	once  sync.Once
	enc   *zstd.Encoder
	quick *zstd.Encoder // of single messages, which wait to be packed into frames: half the time, 7 % more octets
	dec   *zstd.Decoder
	err   error

	mu   sync.Mutex
	id   int64
	data []byte
}

func (c *frameCache) coder() (*zstd.Encoder, *zstd.Decoder, error) {
	c.once.Do(func() {
		concurrency := zstd.WithEncoderConcurrency(min(runtime.GOMAXPROCS(0), coders))
		if c.enc, c.err = zstd.NewWriter(nil, concurrency); c.err != nil {
			return
		}
		if c.quick, c.err = zstd.NewWriter(nil, concurrency, zstd.WithEncoderLevel(zstd.SpeedFastest)); c.err != nil {
			return
		}
		c.dec, c.err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(min(runtime.GOMAXPROCS(0), coders)), zstd.WithDecoderMaxMemory(maxFrame))
	})
	return c.enc, c.dec, c.err
}

// putBytes stores one message in the transaction, compressed when that pays.
func (t *tx) putBytes(data []byte) (id int64, err error) {
	codec, stored, err := t.s.packOne(data)
	if err != nil {
		return 0, err
	}
	return t.insertBytes(codec, len(data), stored)
}

func (t *tx) insertBytes(codec, size int, stored []byte) (id int64, err error) {
	if stored == nil {
		stored = []byte{}
	}
	return t.insert("INSERT INTO message_bytes (codec, size, data) VALUES (?, ?, ?)", codec, size, stored)
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
