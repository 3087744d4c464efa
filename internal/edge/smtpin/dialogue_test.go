package smtpin

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDialogues plays testdata/*.dialogue. A file is read line by line:
//
//	# text            a comment
//	set NAME [VALUE]  an option of the server, before the first other line
//	c> text           the client sends text and CRLF
//	c: "text"         the client sends a quoted Go string, exactly
//	c* 3000 "x"       the same, repeated
//	s< pattern        the next reply line begins with this regular expression
//	s<<               the rest of a reply of several lines, whatever it says
//	tls               the client starts TLS
//	close             the server has closed the connection
//	connect           the client begins a new connection
//	desk TEXT         the next message the desk got, as show writes it
//	desk nothing      the desk got no further message
//	log TEXT          the log holds TEXT
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.dialogue")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".dialogue"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, string(text))
		})
	}
}

type player struct {
	t      *testing.T
	opt    Options
	auth   bool
	house  *house
	client *client
	seen   int
}

func play(t *testing.T, text string) {
	p := &player{t: t}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, arg, _ := strings.Cut(line, " ")
		if word == "set" {
			p.set(arg)
			continue
		}
		if p.house == nil {
			if p.auth {
				p.opt.Authenticator = &testDesk{}
			}
			p.house = open(t, p.opt)
			p.client = p.house.dial()
		}
		t.Logf("%d: %.200s", n+1, line)
		p.step(word, arg)
	}
}

func (p *player) set(arg string) {
	name, value, _ := strings.Cut(arg, " ")
	number, _ := strconv.Atoi(value)
	switch name {
	case "lmtp":
		p.opt.LMTP = true
	case "submission":
		p.opt.Submission = true
	case "max-bytes":
		p.opt.MaxMessageBytes = int64(number)
	case "tls":
		p.opt.TLSConfig = testTLS()
	case "auth":
		p.auth = true
	default:
		p.t.Fatalf("set %s?", name)
	}
}

func (p *player) step(word, arg string) {
	p.t.Helper()
	switch word {
	case "c>":
		p.client.send(arg + "\r\n")
	case "c:":
		p.client.send(p.unquote(arg))
	case "c*":
		count, quoted, _ := strings.Cut(arg, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			p.t.Fatal(err)
		}
		p.client.send(strings.Repeat(p.unquote(quoted), n))
	case "s<":
		p.client.expect(arg)
	case "s<<":
		p.client.reply()
	case "tls":
		p.client.startTLS()
	case "close":
		if line := p.client.line(); line != "" {
			p.t.Fatalf("not closed, but %q", line)
		}
	case "connect":
		p.client = p.house.dial()
	case "desk":
		p.expectDesk(arg)
	case "log":
		if !strings.Contains(p.house.log.String(), arg) {
			p.t.Fatalf("not in the log: %s\n%s", arg, p.house.log)
		}
	default:
		p.t.Fatalf("what is %q?", word)
	}
}

func (p *player) unquote(s string) string {
	p.t.Helper()
	text, err := strconv.Unquote(s)
	if err != nil {
		p.t.Fatalf("%s: %v", s, err)
	}
	return text
}

func (p *player) expectDesk(want string) {
	p.t.Helper()
	got := p.house.desk.messages()[p.seen:]
	if want == "nothing" {
		if len(got) > 0 {
			p.t.Fatalf("the desk got %s", show(got[0]))
		}
		return
	}
	if len(got) == 0 {
		p.t.Fatal("the desk got nothing")
	}
	p.seen++
	if s := show(got[0]); s != want {
		p.t.Fatalf("the desk got\n%s, want\n%s", s, want)
	}
}
