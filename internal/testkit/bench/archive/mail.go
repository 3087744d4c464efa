package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"plenary/internal/list/transfer"
	"plenary/internal/testkit/bulk"
)

// What the archive is made of: the real ones once, then variants of these in
// turn, as often as it takes.
var (
	realArchives = []string{"linux-man-2000.mbox.gz", "usrp-users-1500.mbox.gz", "pipermail-twisted-web-4758.mbox.gz"}
	variantsOf   = []int{0, 0, 0, 0, 0, 2}
)

// mail writes an mbox of real messages; what is wanting is variants of them
// with Message-IDs, references and subjects of their own.
func mail(fs *flag.FlagSet, args []string) error {
	dir := fs.String("corpora", "", "folder of the real archives")
	n := fs.Int("n", 20000, "messages")
	_ = fs.Parse(args)
	all := make([][]transfer.Message, len(realArchives))
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	written := 0
	for i, name := range realArchives {
		var err error
		if all[i], err = load(filepath.Join(*dir, name)); err != nil {
			return err
		}
		for _, m := range all[i][:min(len(all[i]), *n-written)] {
			writeMbox(w, m.Raw, m.ReceivedAt)
			written++
		}
	}
	real := written
	for variant := 1; written < *n; variant++ {
		for _, m := range all[variantsOf[(variant-1)%len(variantsOf)]] {
			if written == *n {
				break
			}
			writeMbox(w, vary(m.Raw, variant), m.ReceivedAt)
			written++
		}
	}
	fmt.Fprintf(os.Stderr, "%d messages: %d real, %d variants of them\n", written, real, written-real)
	return w.Flush()
}

// bulkMail writes an mbox of made messages (package bulk).
func bulkMail(fs *flag.FlagSet, args []string) error {
	n := fs.Int("n", 20000, "messages")
	seed := fs.Uint64("seed", 1, "seed")
	largest := fs.Int("largest", 24000, "octets of one message, about")
	_ = fs.Parse(args)
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	g := bulk.New(bulk.Options{Seed: *seed, Largest: *largest})
	for range *n {
		m := g.Next()
		writeMbox(w, m.Raw, m.ReceivedAt)
	}
	return w.Flush()
}

func load(path string) (all []transfer.Message, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	format, _ := transfer.FindFormat("mbox")
	r := format.Read(z, 0, transfer.MaxMessage)
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		m.Raw = bytes.Clone(m.Raw)
		all = append(all, m)
	}
}

// writeMbox writes one message so that every reader of mbox cuts it alike.
func writeMbox(w *bufio.Writer, raw []byte, at time.Time) {
	fmt.Fprintf(w, "From bench@example.org %s\n", at.UTC().Format(time.ANSIC))
	for line := range bytes.Lines(raw) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if bytes.HasPrefix(line, []byte("From ")) {
			_ = w.WriteByte('>')
		}
		_, _ = w.Write(line)
		_ = w.WriteByte('\n')
	}
	_ = w.WriteByte('\n')
}

// vary renames a message and those it answers, and its subject.
func vary(raw []byte, n int) []byte {
	var out bytes.Buffer
	mark := fmt.Sprintf("<v%d.", n)
	ids, subject := false, false
	rest := raw
	for len(rest) > 0 {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		folded := line[0] == ' ' || line[0] == '\t'
		if subject && !folded {
			out.Truncate(out.Len() - 2)
			fmt.Fprintf(&out, " (%d)\r\n", n)
			subject = false
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 { // the end of the header
			out.Write(line)
			break
		}
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && !folded {
			name = bytes.ToLower(name)
			ids = string(name) == "message-id" || string(name) == "in-reply-to" || string(name) == "references"
			subject = string(name) == "subject" && bytes.HasSuffix(line, []byte("\r\n"))
		}
		if ids {
			line = bytes.ReplaceAll(line, []byte("<"), []byte(mark))
		}
		out.Write(line)
	}
	out.Write(rest)
	return out.Bytes()
}
