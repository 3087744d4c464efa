package smtpin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A message cut short is never taken for a whole one. go-smtp copies what
// came of a BDAT chunk, sees io.EOF, and delivers it.
func TestTruncatedMessageIsNotPassedOn(t *testing.T) {
	for name, text := range map[string]string{
		"chunk":                 "BDAT 100 LAST\r\nSubject: half\r\n",
		"chunk of many octets":  "BDAT 100000 LAST\r\n" + message(90_000),
		"chunk without an end":  "BDAT 3\r\na\r\n",
		"chunk not even begun":  "BDAT 100 LAST\r\n",
		"data":                  "DATA\r\nSubject: half\r\n",
		"data up to the dot":    "DATA\r\nSubject: half\r\n.",
		"data up to the dot CR": "DATA\r\nSubject: half\r\n.\r",
	} {
		for _, lmtp := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " lmtp=", lmtp), func(t *testing.T) {
				h := open(t, Options{LMTP: lmtp})
				c := h.dial()
				c.expect("220 ")
				if lmtp {
					c.say("LHLO client.example", "250 ")
				} else {
					c.say("EHLO client.example", "250 ")
				}
				c.to("talk@example.org")
				c.send(text)
				c.conn.Close()
				h.waitFor(func(s Stats) bool { return s.Open == 0 && s.HeldBytes == 0 })
				if got := h.desk.messages(); len(got) > 0 {
					t.Errorf("the desk got %d octets", len(got[0].Raw))
				}
			})
		}
	}
}

// Each keyword of RFC 3848 and RFC 6531 4.3.
func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		lmtp, tls, auth, utf8 bool
		state                 greeting
		want                  string
	}{
		{state: greetedHelo, want: "SMTP"},
		{state: greetedEhlo, want: "ESMTP"},
		{state: greetedEhlo, auth: true, want: "ESMTPA"},
		{state: greetedEhlo, tls: true, want: "ESMTPS"},
		{state: greetedEhlo, tls: true, auth: true, want: "ESMTPSA"},
		{state: greetedEhlo, utf8: true, want: "UTF8SMTP"},
		{state: greetedEhlo, utf8: true, tls: true, auth: true, want: "UTF8SMTPSA"},
		{state: greetedEhlo, lmtp: true, want: "LMTP"},
		{state: greetedEhlo, lmtp: true, tls: true, auth: true, want: "LMTPSA"},
		{state: greetedEhlo, lmtp: true, utf8: true, want: "UTF8LMTP"},
	} {
		s := &session{srv: &Server{opt: Options{LMTP: c.lmtp}}, w: &wire{tls: c.tls, state: c.state}}
		if got := s.protocol(c.utf8, c.auth); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// Every message of the torture set comes through byte for byte, by DATA and
// in chunks of odd sizes.
func TestTortureSet(t *testing.T) {
	root, err := os.Getwd()
	for err == nil && !exists(filepath.Join(root, "go.mod")) {
		root = filepath.Dir(root)
	}
	files, err := filepath.Glob(filepath.Join(root, "../shared/corpora/mime/*"))
	if err != nil || len(files) == 0 {
		t.Skip("skipped: no ../shared/corpora/mime here")
	}
	h := open(t, Options{})
	c := h.dial()
	c.hello()
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		raw = toCRLF(raw)
		c.to("talk@example.org")
		if i%2 == 0 {
			c.say("DATA", "354 ")
			c.send(stuffed(raw) + ".\r\n")
		} else {
			for rest, size := raw, 1; len(rest) > 0; size = size*3 + 1 {
				n := min(size, len(rest))
				c.send(fmt.Sprintf("BDAT %d\r\n%s", n, rest[:n]))
				c.expect("250 ")
				rest = rest[n:]
			}
			c.send("BDAT 0 LAST\r\n")
		}
		c.expect("250 ")
		got := h.desk.messages()
		if !bytes.Equal(got[len(got)-1].Raw, raw) {
			t.Errorf("%s: changed", filepath.Base(file))
		}
	}
	t.Logf("%d messages", len(h.desk.messages()))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// toCRLF makes every line end CRLF, as a client must before it sends.
func toCRLF(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	if n := len(raw); n > 0 && raw[n-1] != '\n' {
		raw = append(raw, '\n')
	}
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

func stuffed(raw []byte) string {
	s := strings.ReplaceAll(string(raw), "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}

// Many clients at once, each with many messages on one connection.
func TestManyClients(t *testing.T) {
	h := open(t, Options{})
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			c := h.dial()
			c.hello()
			for i := range 20 {
				c.to(fmt.Sprintf("list%d@example.org", n))
				text := fmt.Sprintf("Subject: %d.%d\r\n\r\n", n, i) + message(i*1000)
				if i%2 == 0 {
					c.say("DATA", "354 ")
					c.send(text + ".\r\n")
				} else {
					c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
				}
				c.expect("250 ")
			}
			c.say("QUIT", "221 ")
		})
	}
	wg.Wait()
	if s := h.server.Stats(); s.Accepted != 400 || s.HeldBytes != 0 {
		t.Errorf("%+v", s)
	}
	for _, in := range h.desk.messages() {
		n := strings.TrimSuffix(strings.TrimPrefix(in.Recipients[0], "list"), "@example.org")
		if !strings.HasPrefix(string(in.Raw), "Subject: "+n+".") {
			t.Fatalf("%s got %.20q", in.Recipients[0], in.Raw)
		}
	}
}
