package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/mail/message"
)

// single reads a file that is one message.
type single struct {
	r     io.Reader
	name  string
	limit int64
	done  bool
}

// Next gives the message, then io.EOF. A mark of UTF-8 and empty lines before the
// header are not part of the message.
func (s *single) Next() (Message, error) {
	if s.done {
		return Message{}, io.EOF
	}
	s.done = true
	b := body{limit: s.limit}
	r := bufio.NewReaderSize(s.r, 64<<10)
	skipBefore(r)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			b.add(line)
		}
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return Message{}, &CutError{Cause: err}
		}
		b.blank = false // an empty line at the end belongs to the message
		return Message{Raw: b.end(), TooLarge: b.over, ReceivedAt: nameDate(s.name), End: b.size}, nil
	}
}

// skipBefore reads what editors and programs put before a header.
func skipBefore(r *bufio.Reader) {
	if mark, _ := r.Peek(3); string(mark) == "\xEF\xBB\xBF" {
		_, _ = r.Discard(3)
	}
	for {
		next, _ := r.Peek(2)
		switch {
		case bytes.HasPrefix(next, []byte("\n")):
			_, _ = r.Discard(1)
		case string(next) == "\r\n":
			_, _ = r.Discard(2)
		default: // an error comes again with the next line
			return
		}
	}
}

// noMessage says what a file is that is not one message; nothing where it is, or
// was too large to be looked at.
func noMessage(m Message) string {
	if m.TooLarge || len(m.Raw) == 0 {
		return ""
	}
	for _, packed := range []string{"PK\x03\x04", "\x1f\x8b"} {
		if bytes.HasPrefix(m.Raw, []byte(packed)) {
			return "is a packed file: unpack it"
		}
	}
	if bytes.HasPrefix(m.Raw, []byte("From ")) && sureSeparators(m.Raw) > 1 {
		return "holds several messages: use import mbox"
	}
	if !slices.ContainsFunc(message.ParseHeader(m.Raw).Fields(), func(f message.Field) bool { return f.Name != "" }) {
		return "is no message: it has no header field"
	}
	return ""
}

// sureSeparators counts the lines that can hardly be anything but mbox separators:
// they end in a date, and the header of a message follows.
func sureSeparators(raw []byte) (n int) {
	fields, known, within := 0, false, false // of the header behind the last separator
	for line := range bytes.Lines(raw) {
		switch {
		case bytes.HasPrefix(line, []byte("From ")):
			fields, known = 0, false
			_, within = fromDate(string(bytes.TrimRight(line, "\r\n")))
		case !within, line[0] == ' ', line[0] == '\t':
		case !startsField(line):
			within = false
		default:
			name, _, _ := bytes.Cut(line, []byte(":"))
			fields++
			known = known || slices.ContainsFunc(messageFields, func(f string) bool { return strings.EqualFold(f, string(name)) })
			if known && fields > 1 {
				n, within = n+1, false
			}
		}
	}
	return n
}

// messageFields are fields one of which every message has.
var messageFields = []string{"From", "Date", "Message-ID"}

// nameDate reads the time a maildir file name begins with.
func nameDate(name string) time.Time {
	digits, _, ok := strings.Cut(filepath.Base(name), ".")
	if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && n > 1e8 && n < 1e10 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// maildirFiles gives the messages of a maildir, in the order of their names,
// which begin with the time of delivery.
func maildirFiles(dir string) ([]string, error) {
	var all []string
	found := false
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				all = append(all, filepath.Join(dir, sub, e.Name()))
			}
		}
	}
	if !found {
		return nil, fault.New(fault.Invalid, "%s is not a maildir: it has neither cur nor new", dir)
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return all, nil
}

// emlFiles gives the .eml files of a folder and the folders in it.
func emlFiles(dir string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(strings.ToLower(p), ".eml") {
			all = append(all, p)
		}
		return err
	})
	return all, err
}
