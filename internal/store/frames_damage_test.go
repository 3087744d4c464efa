package store

import (
	"bytes"
	"slices"
	"testing"

	"plenary/internal/model"
)

// TestDamagedFrame cuts a frame short everywhere and turns each octet round:
// reading fails or gives something, and never panics.
func TestDamagedFrame(t *testing.T) {
	s := &Store{coders: spare[byteCoders]{make: newByteCoders}}
	c, err := s.coders.get()
	if err != nil {
		t.Fatal(err)
	}
	posts := [][]byte{[]byte("A: 1\r\n\r\none"), []byte("B: 2\r\n\r\ntwo"), {}, []byte("no body\r\n")}
	size, good := packFrame(c.enc, posts, []int64{8, 8, 0, 9})
	read := func(data []byte) error {
		out, err := s.decode(codecSplit, size, data, nil)
		if err == nil && !bytes.Equal(out, bytes.Join(posts, nil)) {
			t.Log("read as something else")
		}
		f, err2 := readSplit(data)
		if err2 == nil {
			_ = f.headers(c.dec, &model.Frame{})
		}
		return err
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		if read(good[:i]) == nil {
			t.Errorf("cut to %d octets it was read as whole", i)
		}
		bad := slices.Clone(good)
		bad[i] ^= 0xff
		_ = read(bad)
	}
}
