package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// The name our exports and public-inbox put behind From: the file is mboxrd.
const rdMark = "mboxrd@z"

// mbox reads the family of mbox formats. There is no standard and no escaping
// that all writers use, so that "From " at the beginning of a line may be text.
// A separator is such a line that ends in a date and either follows an empty
// line or stands before a header field: archives joined from monthly files lack
// the empty line, prose lacks the date. Only when the first line of the file
// has no date we understand, an empty line before and a header field after it
// must do.
type mbox struct {
	r     *bufio.Reader
	limit int64 // octets of a message
	unrd  bool  // one > off quoted From lines
	loose bool  // the writer's separators have no date
	pos   int64 // of the next octet
	from  string
	begun bool
	err   error // why reading ended
	usual int   // octets of a message so far, about
}

func readMbox(r io.Reader, at, limit int64) Reader {
	return &mbox{r: bufio.NewReaderSize(r, 64<<10), limit: limit, pos: at}
}

func readMboxrd(r io.Reader, at, limit int64) Reader {
	return &mbox{r: bufio.NewReaderSize(r, 64<<10), limit: limit, pos: at, unrd: true}
}

// maxUsual bounds the memory a message is given before it is read.
const maxUsual = 64 << 10

// errNoMbox is for files that are something else.
var errNoMbox = errors.New("this is not an mbox file: it does not begin with a line From")

// Next gives the next message.
func (m *mbox) Next() (Message, error) {
	if !m.begun {
		if err := m.begin(); err != nil {
			return Message{}, err
		}
	}
	if m.from == "" {
		return Message{}, io.EOF
	}
	start := m.pos
	b := body{unquote: m.unrd, limit: m.limit, buf: make([]byte, 0, m.usual)}
	defer func() { m.usual = min((7*m.usual+len(b.buf)+len(b.buf)/4)/8, maxUsual) }()
	b.asIs, b.unended = exportMarks(m.from)
	when, _ := fromDate(m.from)
	m.from = ""
	for {
		line, err := m.line()
		if len(line) > 0 {
			if !b.within && m.separates(line, b.blank || b.size == 0) {
				m.from = string(bytes.TrimRight(line, "\r\n"))
				return Message{Raw: b.end(), TooLarge: b.over, ReceivedAt: when, End: m.pos - int64(len(line))}, nil
			}
			b.add(line)
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return Message{}, &CutError{At: start, Cause: err}
		case b.within:
			return Message{}, &CutError{At: start}
		default:
			return Message{Raw: b.end(), TooLarge: b.over, ReceivedAt: when, End: m.pos}, nil
		}
	}
}

// begin reads the first separator; empty lines before it are forgiven.
func (m *mbox) begin() error {
	for {
		line, err := m.line()
		text := string(bytes.TrimRight(line, "\r\n"))
		switch {
		case strings.HasPrefix(text, "From "):
			_, dated := fromDate(text)
			m.begun, m.from, m.loose = true, text, !dated
			m.unrd = m.unrd || strings.HasPrefix(text, "From "+rdMark)
			return nil
		case text != "":
			return errNoMbox
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return &CutError{At: m.pos, Cause: err}
		}
	}
}

// line reads one line with its end; a very long one comes in pieces, which
// nothing here minds.
func (m *mbox) line() ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	line, err := m.r.ReadSlice('\n')
	m.pos += int64(len(line))
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		m.err = err
		return line, err
	}
	return line, nil
}

func (m *mbox) separates(line []byte, afterBlank bool) bool {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return false
	}
	_, dated := fromDate(string(bytes.TrimRight(line, "\r\n")))
	if !dated && !m.loose {
		return false
	}
	if afterBlank && dated {
		return true
	}
	next, _ := m.r.Peek(200)
	return (dated || afterBlank) && startsField(next)
}

// startsField tells whether b begins like a header field (RFC 5322 2.2).
func startsField(b []byte) bool {
	for i, c := range b {
		if c == ':' {
			return i > 0
		}
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return false
}

// body gathers the lines of one message.
type body struct {
	unquote bool
	limit   int64
	buf     []byte
	size    int64
	blank   bool // the last line is empty
	within  bool // the last line has not ended yet
	over    bool // more than the limit: nothing is kept
	asIs    bool // line ends are kept
	unended bool // the last line break is not part of the message
}

// exportMarks reads what our exports say of a message behind their name.
func exportMarks(from string) (asIs, unended bool) {
	rest, ok := strings.CutPrefix(from, "From "+rdMark+"+")
	if !ok {
		return false, false
	}
	marks, _, _ := strings.Cut(rest, " ")
	return strings.ContainsRune(marks, markAsIs), strings.ContainsRune(marks, markUnended)
}

func (b *body) add(line []byte) {
	ended := line[len(line)-1] == '\n'
	text := bytes.TrimSuffix(line, []byte("\n"))
	wire := bytes.HasSuffix(text, []byte("\r"))
	b.blank = !b.within && (len(text) == 0 || len(text) == 1 && wire) && ended
	if b.unquote && !b.within && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) && line[0] == '>' {
		text = text[1:]
	}
	b.within = !ended
	b.size += int64(len(line))
	if b.over {
		return
	}
	if b.size > b.limit {
		b.over, b.buf = true, nil
		return
	}
	b.buf = append(b.buf, text...)
	switch {
	case !ended:
	case b.asIs:
		b.buf = append(b.buf, '\n')
	case wire || len(text) == 0 && bytes.HasSuffix(b.buf, []byte("\r")):
		b.buf = append(b.buf, '\n')
	default:
		b.buf = append(b.buf, '\r', '\n')
	}
}

// end gives the message; the empty line before the next separator is not part
// of it.
func (b *body) end() []byte {
	if b.over {
		return nil
	}
	end := []byte("\r\n")
	if b.asIs {
		end = end[1:]
	}
	if b.blank {
		b.buf = bytes.TrimSuffix(b.buf, end)
	}
	if b.unended {
		b.buf = bytes.TrimSuffix(b.buf, end)
	}
	if b.buf == nil {
		return []byte{}
	}
	if cap(b.buf)-len(b.buf) > len(b.buf)/2 { // a batch of small messages keeps no more than it needs
		return bytes.Clone(b.buf)
	}
	return b.buf
}

// fromDate reads the date at the end of a separator: asctime (Mon Jan  2
// 15:04:05 2006), with or without seconds, a time zone before or after the year.
// Without a zone it is taken for UTC.
func fromDate(line string) (time.Time, bool) {
	f := strings.Fields(line)
	for n := 7; n >= 4; n-- {
		if len(f) < n+1 {
			continue
		}
		tail := strings.Join(f[len(f)-n:], " ")
		for _, layout := range fromLayouts {
			if t, err := time.Parse(layout, tail); err == nil {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

var fromLayouts = [...]string{
	"Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04 2006", "Mon Jan 2 15:04:05 2006 -0700", "Mon Jan 2 15:04:05 -0700 2006",
	"Mon Jan 2 15:04:05 MST 2006", "Mon Jan 2 15:04:05 2006 MST", "Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700",
}
