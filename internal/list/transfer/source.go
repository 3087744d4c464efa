package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"plenary/internal/fault"
)

// source is a file that is read, unpacked when it is gzip.
type source struct {
	io.Reader
	file  *os.File
	id    string // path and fingerprint
	plain bool   // not packed
	read  atomic.Int64
	total int64
}

// openSource opens a file and takes its fingerprint.
func openSource(path, format string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", path)
	}
	s := &source{file: f}
	if st, err := f.Stat(); err == nil {
		s.total = st.Size()
	}
	if err := s.restart(); err != nil {
		_ = f.Close()
		return nil, err
	}
	head := make([]byte, fingerprints)
	n, err := io.ReadFull(s, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		_ = f.Close()
		return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	sum := sha256.Sum256(head[:n])
	s.id = format + ":" + abs + ":" + hex.EncodeToString(sum[:8])
	if err := s.restart(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the file.
func (s *source) Close() error { return s.file.Close() }

// restart reads from the beginning.
func (s *source) restart() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read %s", s.file.Name())
	}
	s.read.Store(0)
	raw := bufio.NewReaderSize(&counter{s.file, &s.read}, 64<<10)
	s.Reader, s.plain = raw, true
	if magic, err := raw.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot unpack %s", s.file.Name())
		}
		s.Reader, s.plain = z, false
	}
	return nil
}

// seek goes to octet at of the unpacked file. It answers false when the file
// does not have a message beginning there: it is not the file it was.
func (s *source) seek(at int64) (bool, error) {
	if s.plain {
		if _, err := s.file.Seek(at-1, io.SeekStart); err != nil {
			return false, nil
		}
		s.read.Store(at - 1)
		s.Reader = bufio.NewReaderSize(&counter{s.file, &s.read}, 64<<10)
	} else if _, err := io.CopyN(io.Discard, s.Reader, at-1); err != nil {
		return false, nil
	}
	head := make([]byte, 6)
	n, err := io.ReadFull(s, head)
	head = head[:n]
	switch {
	case n == 0 || head[0] != '\n':
		return false, nil
	case n == 1: // the end, as it was
		s.Reader = bytes.NewReader(nil)
		return true, nil
	case err != nil || string(head[1:]) != "From ":
		return false, nil
	}
	s.Reader = io.MultiReader(bytes.NewReader(head[1:]), s.Reader)
	return true, nil
}

// counter counts what is read of the file.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

// Read reads.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// expand gives the files that paths name, folders opened where the format has
// any.
func expand(f Format, paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", p)
		}
		switch {
		case !st.IsDir() && !st.Mode().IsRegular(): // an import that is interrupted goes on where it was
			return nil, fault.New(fault.Invalid, "%s is a pipe or a device: write what comes out of it to a file, and import that", p)
		case !st.IsDir():
			files = append(files, p)
		case f.Folder == nil:
			return nil, fault.New(fault.Invalid, "%s is a folder; %s is a format of files", p, f.Name)
		default:
			more, err := f.Folder(p)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		}
	}
	return slices.Clip(files), nil
}

// singles imports files of one message each. Those that are something else are left
// out and named.
func (j *job) singles(ctx context.Context, files []string) error {
	r := &folder{files: files, total: int64(len(files)), limit: j.im.limit()}
	if err := j.run(ctx, j.format.Name+":files", j.format.Name, r); err != nil || len(r.refused) == 0 {
		return err
	}
	text := strings.Join(r.refused[:min(len(r.refused), maxNamed)], "; ")
	if n := len(r.refused) - maxNamed; n > 0 {
		text += fmt.Sprintf("; and so %d more", n)
	}
	return fault.New(fault.Invalid, "left out: %s", text)
}

// maxNamed is how many files that are left out are named.
const maxNamed = 20

// folder reads one file after the other; its octets are files.
type folder struct {
	files []string
	done  int64
	total int64
	limit int64

	refused []string // a sentence for each file that is no message
}

func (f *folder) octets() (read, total int64) { return f.done, f.total }

// Next gives the message of the next file that is one.
func (f *folder) Next() (Message, error) {
	for len(f.files) > 0 {
		path := f.files[0]
		f.files = f.files[1:]
		f.done++
		m, err := f.open(path)
		if err != nil {
			return Message{}, err
		}
		why := noMessage(m)
		if why == "" {
			return m, nil
		}
		f.refused = append(f.refused, path+" "+why)
	}
	return Message{}, io.EOF
}

func (f *folder) open(path string) (Message, error) {
	src, err := openSource(path, "")
	if err != nil {
		return Message{}, err
	}
	defer src.Close()
	m, err := (&single{r: src, name: path, limit: f.limit}).Next()
	m.End = f.done
	if err != nil {
		return Message{}, fault.Wrap(fault.Invalid, err, "cannot read %s", path)
	}
	return m, nil
}
