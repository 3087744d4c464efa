package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
)

// csvPeople reads people from a table as other programs export it: parted by
// commas, semicolons or tabs, in UTF-8 (with or without a byte order mark) or
// Latin-1, with a header line that names the columns in any order, or without
// one: then the address is in the column where the first line has one.
type csvPeople struct {
	rows  *csv.Reader
	email int
	names []int // columns that make the name, in order
	first []string
	line  int // of the row read last
}

// Columns by their names in lower case. What other programs write, in the
// languages of the house.
var (
	emailColumns = setOf("email", "e-mail", "mail", "address", "email address", "e-mail address", "mail address", "emailaddress", "email_address", //nolint:gochecknoglobals // a constant table
		"adresse", "e-mail-adresse", "email-adresse", "mailadresse", "adresse e-mail", "courriel", "correo", "correo electrónico", "indirizzo e-mail")
	nameColumns = setOf("name", "full name", "fullname", "full_name", "display name", "displayname", "display_name", "real name", "nom complet", "nombre completo") //nolint:gochecknoglobals // a constant table
	firstNames  = setOf("first name", "firstname", "first_name", "given name", "forename", "vorname", "prénom", "nombre", "nome")                                   //nolint:gochecknoglobals // a constant table
	lastNames   = setOf("last name", "lastname", "last_name", "surname", "family name", "nachname", "nom", "apellido", "apellidos", "cognome")                      //nolint:gochecknoglobals // a constant table
)

func setOf(words ...string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

// openCSV looks at the first line: how it is parted, and what its columns are.
func openCSV(in io.Reader) (*csvPeople, error) {
	text := bufio.NewReaderSize(&latin1{in: bufio.NewReaderSize(in, longestLine)}, 64<<10)
	if mark, _ := text.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = text.Discard(3)
	}
	head, _ := text.Peek(4 << 10)
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "the file is no text in UTF-8 or Latin-1; save it again as CSV in UTF-8")
	}
	p := &csvPeople{rows: csv.NewReader(text), email: -1}
	p.rows.Comma, p.rows.FieldsPerRecord, p.rows.TrimLeadingSpace = separator(head), -1, true
	first, err := p.rows.Read()
	if errors.Is(err, io.EOF) {
		return p, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the first line cannot be read")
	}
	p.line, _ = p.rows.FieldPos(0)
	for i, cell := range first {
		if strings.Contains(cell, "@") {
			p.email, p.first = i, first
			break
		}
	}
	if p.email < 0 {
		return p, p.header(first)
	}
	for i := range first { // the name stands beside the address
		if i != p.email && len(p.names) == 0 {
			p.names = []int{i}
		}
	}
	return p, nil
}

// separator is what parts the first line most often, outside of quotes.
func separator(head []byte) rune {
	counts := map[rune]int{}
	quoted := false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted && len(counts) > 0 {
			break
		}
		if !quoted && (c == ',' || c == ';' || c == '\t') {
			counts[rune(c)]++
		}
	}
	best := ','
	for _, c := range []rune{';', '\t'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func (p *csvPeople) header(cells []string) error {
	full, given, family := -1, -1, -1
	for i, cell := range cells {
		switch word := strings.ToLower(strings.TrimSpace(cell)); {
		case emailColumns[word] && p.email < 0:
			p.email = i
		case nameColumns[word] && full < 0:
			full = i
		case firstNames[word] && given < 0:
			given = i
		case lastNames[word] && family < 0:
			family = i
		}
	}
	if p.email < 0 {
		return fault.New(fault.Invalid, "line %d holds no address and names no column email; it has: %s", p.line, oneLine(short(strings.Join(cells, ", "))))
	}
	for _, i := range []int{full, given, family} {
		if i >= 0 && (i == full || full < 0) {
			p.names = append(p.names, i)
		}
	}
	return nil
}

// next gives the next person. An error that is a fault is about this line alone;
// io.EOF ends.
func (p *csvPeople) next() (line int, a address.Address, name string, err error) {
	if p.email < 0 {
		return 0, a, "", io.EOF
	}
	rec := p.first
	if p.first = nil; rec == nil {
		if rec, err = p.rows.Read(); err != nil {
			var broken *csv.ParseError
			if errors.As(err, &broken) {
				return broken.StartLine, a, "", fault.New(fault.Invalid, "%v", broken.Err)
			}
			return 0, a, "", err
		}
		p.line, _ = p.rows.FieldPos(0)
	}
	cell := ""
	if p.email < len(rec) {
		cell = strings.TrimSpace(rec[p.email])
	}
	for _, i := range p.names {
		if i < len(rec) {
			name = strings.TrimSpace(name + " " + rec[i])
		}
	}
	if a, err = address.Parse(cell); err != nil {
		if boxes := address.ParseList(cell); len(boxes) == 1 && strings.Contains(cell, "<") { // Ann Lee <ann@example.org>
			if name == "" {
				name = boxes[0].Name
			}
			return p.line, boxes[0].Address, name, nil
		}
		if cell == "" {
			return p.line, a, "", fault.New(fault.Invalid, "there is no address")
		}
		return p.line, a, "", fault.New(fault.Invalid, "%s: %s", short(cell), fault.Text(err))
	}
	return p.line, a, name, nil
}

const longestLine = 1 << 20 // octets; nobody's row in a table is longer

var errLongLine = errors.New("a line has more than 1 MB: this is no table of people")

// short is the beginning of a cell, to be shown.
func short(cell string) string {
	const most = 100
	if len(cell) > most {
		cell = strings.ToValidUTF8(cell[:most], "") + "…"
	}
	return cell
}

// latin1 passes lines on, in UTF-8: a line that is none is taken for
// Windows-1252, of which Latin-1 is a part.
type latin1 struct {
	in   *bufio.Reader
	rest []byte
	err  error
}

// Read implements io.Reader.
func (l *latin1) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		l.rest, l.err = l.in.ReadSlice('\n')
		if errors.Is(l.err, bufio.ErrBufferFull) {
			l.rest, l.err = nil, errLongLine
			return 0, l.err
		}
		if !utf8.Valid(l.rest) {
			if text, err := charmap.Windows1252.NewDecoder().Bytes(l.rest); err == nil {
				l.rest = text
			}
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
