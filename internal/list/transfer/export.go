package transfer

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

// ExportMbox writes a list's archive as mboxrd: importing the file again (as
// mbox or mboxrd) gives the same bytes and dates of arrival. Lines end in LF.
// The last line of a message that has no line break at its end gets one. It
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
		_, _ = out.WriteString("From " + rdMark + " " + rows[next].ReceivedAt.Time().Format("Mon Jan _2 15:04:05 2006") + "\n")
		n++
		if progress != nil && n%batchPosts == 0 {
			progress(Progress{Octets: int64(n), Total: int64(len(rows)), Messages: n})
		}
		return writeQuoted(out, data)
	})
	if err != nil {
		return n, err
	}
	return n, out.Flush()
}

// writeQuoted writes a message with LF line ends, one > before lines that begin
// with any number of > and From, and the empty line that ends it.
func writeQuoted(w *bufio.Writer, data []byte) error {
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
		if text, ok := bytes.CutSuffix(line, []byte("\r\n")); ok && !bytes.HasSuffix(text, []byte("\r")) {
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
