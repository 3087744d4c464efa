package gen

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Person is somebody who writes to the list.
type Person struct {
	Key, Name, Address string
	client             client
	zone               zone
	lang               string   // the language of the client, and of most of the texts
	charset            string   // preferred; utf-8 steps in where it does not suffice
	reply              string   // "Re:", "AW:", ...
	sig                []string // lines of the signature
	fields             []string // header fields the client adds, "Name: value"
}

// Message is one message: what the source says and what was built from it.
type Message struct {
	Key     string
	Author  *Person
	Arrived time.Time // when it was sent, and its place in the archive
	Date    time.Time // what its Date field says: the clock may be wrong ("clock: -90m")
	Subject string
	Lang    string // two letters
	Charset string // of the text part
	ID      string // without angle brackets
	Parent  string // Message-ID it answers, "" at the root
	Ghost   bool   // the parent is not in the archive, on purpose
	Broken  bool   // In-Reply-To and References do not name the parent, on purpose
	Signed  []byte // the signed part with CRLF line ends, nil when not signed
	Raw     []byte // the message, LF line ends

	set    map[string]string // fields of the source: see fieldNames
	attach []string          // attach: FILE or FILE as NAME
	inline []string          // inline: FILE, shown by cid:FILE in the HTML form
	extra  []string          // extra: Name: value
	text   []string          // source lines
	html   string            // hand-written HTML form
	chain  []string          // References of a correct answer
	client client
	paras  []para
}

const (
	fieldNames = " re subject charset enc client lang refs clock sig cc sign forward date-form raw-header html "
	timeForm   = "2006-01-02 15:04"
)

func readPeople(src fs.FS) (map[string]*Person, error) {
	text, err := fs.ReadFile(src, "people.txt")
	if err != nil {
		return nil, err
	}
	people := map[string]*Person{}
	for _, block := range strings.Split(string(text), "\n\n") {
		p := &Person{lang: "en", charset: "utf-8", reply: "Re:"}
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			name, value, _ := strings.Cut(line, ":")
			if err := p.take(name, strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("people.txt: %q: %w", line, err)
			}
		}
		if p.Key != "" {
			people[p.Key] = p
		}
	}
	return people, nil
}

func (p *Person) take(name, value string) (err error) {
	switch name {
	case "key":
		p.Key = value
	case "name":
		p.Name = value
	case "address":
		p.Address = value
	case "client":
		p.client, err = findClient(value)
	case "zone":
		p.zone, err = parseZone(value)
	case "lang":
		p.lang = value
	case "charset":
		p.charset = value
	case "reply":
		p.reply = value
	case "sig":
		p.sig = append(p.sig, value)
	case "field":
		p.fields = append(p.fields, value)
	default:
		err = errors.New("unknown field")
	}
	return err
}

func readThreads(src fs.FS, folder string, people map[string]*Person) ([]*Message, error) {
	names, err := fs.Glob(src, path.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var msgs []*Message
	for _, name := range names {
		text, err := fs.ReadFile(src, name)
		if err != nil {
			return nil, err
		}
		blocks := strings.Split("\n"+string(text), "\n=== ")
		for _, block := range blocks[1:] { // what stands before the first message is a remark
			m, err := parseMessage(block, people)
			if err != nil {
				return nil, fmt.Errorf("%s: %.40q: %w", name, block, err)
			}
			msgs = append(msgs, m)
		}
	}
	return msgs, nil
}

func parseMessage(block string, people map[string]*Person) (*Message, error) {
	lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
	head := strings.Fields(lines[0])
	if len(head) != 4 || people[head[1]] == nil {
		return nil, errors.New("want: key person date time")
	}
	m := &Message{Key: head[0], Author: people[head[1]], set: map[string]string{}}
	wall, err := time.Parse(timeForm, head[2]+" "+head[3])
	if err != nil {
		return nil, err
	}
	wall = wall.Add(time.Duration(digest(m.Key, "second")[0]%60) * time.Second)
	m.Arrived = m.Author.zone.wall(wall)
	n := 1
	for ; n < len(lines) && lines[n] != ""; n++ {
		name, value, ok := strings.Cut(lines[n], ": ")
		if !ok {
			return nil, fmt.Errorf("field %q", lines[n])
		}
		if err := m.take(name, value); err != nil {
			return nil, err
		}
	}
	if n < len(lines) {
		m.text = lines[n+1:]
	}
	for i, line := range m.text {
		if line == "@html" {
			m.html = strings.Join(m.text[i+1:], "\n") + "\n"
			m.text = m.text[:i]
			break
		}
	}
	return m, nil
}

func (m *Message) take(name, value string) error {
	switch name {
	case "attach":
		m.attach = append(m.attach, value)
	case "inline":
		m.inline = append(m.inline, value)
	case "extra":
		m.extra = append(m.extra, value)
	default:
		if !strings.Contains(fieldNames, " "+name+" ") {
			return fmt.Errorf("unknown field %q", name)
		}
		m.set[name] = value
	}
	return nil
}
