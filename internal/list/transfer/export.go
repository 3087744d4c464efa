package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// Exported is what an export wrote.
type Exported struct {
	Messages int
	Unread   []model.UID // messages that are damaged, and were left out
}

// ExportMbox writes a list's archive as mboxrd: importing the file again (as
// mbox or mboxrd) gives the same bytes and dates of arrival. Lines end in LF;
// what that would lose is said behind the name in the From line (marksOf). A
// message that is damaged is left out and named, and those after it are written.
func ExportMbox(ctx context.Context, r *archive.Reader, listID int64, w io.Writer, progress func(Progress)) (done Exported, err error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return done, err
	}
	x := &export{r: r, out: bufio.NewWriterSize(w, 256<<10), rows: ix.Rows(), progress: progress}
	for x.next < len(x.rows) {
		err := x.stream(ctx, listID)
		if err != nil && x.failed == nil && ctx.Err() == nil {
			err = x.one(ctx)
		}
		if x.failed != nil {
			return x.done, x.failed
		}
		if err != nil {
			return x.done, errors.Join(err, x.out.Flush())
		}
	}
	return x.done, x.out.Flush()
}

// export is an export on its way.
type export struct {
	r        *archive.Reader
	out      *bufio.Writer
	rows     []archive.Row
	next     int // in rows
	done     Exported
	failed   error // of writing
	progress func(Progress)
}

// stream writes messages until one cannot be read.
func (x *export) stream(ctx context.Context, listID int64) error {
	err := x.r.AllBytes(ctx, listID, x.rows[x.next].UID, x.rows[len(x.rows)-1].UID, func(uid model.UID, data []byte) error {
		for x.rows[x.next].UID < uid { // it is not there any more
			x.next++
		}
		return x.write(data)
	})
	if err == nil {
		x.next = len(x.rows)
	}
	return err
}

// one writes the next message, or names it where it is damaged.
func (x *export) one(ctx context.Context) error {
	data, err := x.r.Bytes(ctx, x.rows[x.next])
	switch {
	case err == nil:
		return x.write(data)
	case fault.Is(err, fault.NotFound): // it is not there any more
	case ctx.Err() != nil || fault.Is(err, fault.Temporary):
		return err
	default:
		x.done.Unread = append(x.done.Unread, x.rows[x.next].UID)
	}
	x.next++
	return nil
}

func (x *export) write(data []byte) error {
	if x.failed = writeMessage(x.out, data, x.rows[x.next].ReceivedAt.Time()); x.failed != nil {
		return x.failed
	}
	x.next++
	x.done.Messages++
	if n := x.done.Messages; x.progress != nil && n%batchPosts == 0 {
		x.progress(Progress{Octets: int64(n), Total: int64(len(x.rows)), Messages: n})
	}
	return nil
}

// What mboxrd alone cannot say of a message, as letters behind rdMark.
const (
	markUnended = 'n' // its last line has no line break
	markAsIs    = 'b' // some of its lines end in LF alone: line ends are as they stand
)

// marksOf finds the marks of a message.
func marksOf(data []byte) (marks string) {
	for at := 0; ; at++ {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			break
		}
		if at += n; at == 0 || data[at-1] != '\r' {
			marks += string(markAsIs)
			break
		}
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		if data[n-1] == '\r' && marks == "" { // with the line break it gets it would be CRLF
			marks = string(markAsIs)
		}
		marks += string(markUnended)
	}
	if marks != "" {
		marks = "+" + marks
	}
	return marks
}

// writeMessage writes a message with its separator, LF line ends, one > before
// lines that begin with any number of > and From, and the empty line that ends it.
func writeMessage(w *bufio.Writer, data []byte, at time.Time) error {
	marks := marksOf(data)
	_, _ = w.WriteString("From " + rdMark + marks + " " + at.Format("Mon Jan _2 15:04:05 2006") + "\n")
	asIs := strings.ContainsRune(marks, markAsIs)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		line := data[:end]
		data = data[end:]
		if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			_ = w.WriteByte('>')
		}
		// CRLF becomes LF, which an import turns back. After another CR it
		// stays, for an import would take that one for a part of CRLF.
		if text, ok := bytes.CutSuffix(line, []byte("\r\n")); ok && !asIs && !bytes.HasSuffix(text, []byte("\r")) {
			_, _ = w.Write(text)
			_ = w.WriteByte('\n')
			continue
		}
		_, _ = w.Write(line)
		if line[len(line)-1] != '\n' {
			_ = w.WriteByte('\n')
		}
	}
	return w.WriteByte('\n')
}
