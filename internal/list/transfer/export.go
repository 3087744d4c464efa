package transfer

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// ExportMbox writes a list's archive as mboxrd: importing the file again (as
// mbox or mboxrd) gives the same bytes and dates of arrival. Lines end in LF;
// what that would lose is said behind the name in the From line (marksOf). It
// tells how many messages were written.
func ExportMbox(ctx context.Context, r *archive.Reader, listID int64, w io.Writer, progress func(Progress)) (n int, err error) {
	ix, err := r.Open(ctx, listID)
	if err != nil {
		return 0, err
	}
	rows := ix.Rows()
	out := bufio.NewWriterSize(w, 256<<10)
	if len(rows) == 0 {
		return 0, nil
	}
	next := 0
	err = r.AllBytes(ctx, listID, rows[0].UID, rows[len(rows)-1].UID, func(uid model.UID, data []byte) error {
		for next < len(rows)-1 && rows[next].UID < uid {
			next++
		}
		n++
		if progress != nil && n%batchPosts == 0 {
			progress(Progress{Octets: int64(n), Total: int64(len(rows)), Messages: n})
		}
		return writeMessage(out, data, rows[next].ReceivedAt.Time())
	})
	if err != nil {
		return n, err
	}
	return n, out.Flush()
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
