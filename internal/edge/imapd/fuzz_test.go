package imapd

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plenary/internal/list/archive"
)

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.done); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// FuzzSession sends anything, before login or after, and then asks whether the
// door is still there: it must answer, or have said BYE, and must not have
// logged a defect.
func FuzzSession(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.dialogue")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var said strings.Builder
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "c> "); ok {
				said.WriteString(strings.TrimSuffix(rest, "\n") + "\r\n")
			} else if rest, ok := strings.CutPrefix(line, "c>> "); ok {
				said.WriteString(strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(strings.TrimSuffix(rest, "\n")))
			}
		}
		f.Add(said.String(), true)
		f.Add(said.String(), false)
	}
	for _, s := range []string{"a SEARCH {5+}\r\n", "a SELECT \"\r\n", "a UID FETCH 1:*,$ (BODY[1.2.HEADER.FIELDS (\"", "a IDLE\r\nDONE", "~{3+}\r\n\x00\x00\x00\r\n"} {
		f.Add(s, true)
	}
	var defects atomic.Int32
	m := sample(f)
	m.moderate(1, "alice@example.org", true)
	m.hold(1, plainPost)
	s := New(Options{Archive: Over(archive.NewReader(m)), Auth: people{}, Changes: m, Moderation: m, Log: defectLog(&defects), Now: func() time.Time { return noon }})
	s.times.failure, s.times.write = 0, patience
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	go func() { _ = s.Serve(context.Background(), l) }()
	f.Fuzz(func(t *testing.T, text string, in bool) {
		client, server := net.Pipe()
		l.conns <- server
		_ = client.SetDeadline(time.Now().Add(patience))
		go func() {
			if in {
				_, _ = io.WriteString(client, "login LOGIN alice@example.org secret\r\nselect SELECT Lists/talk\r\n")
			}
			// The last line ends what was begun: a literal, a quote, IDLE.
			_, _ = io.WriteString(client, text+"\r\nDONE\r\n"+strings.Repeat("DONE\r\n", 1000)+"end LOGOUT\r\n")
			_, _ = io.WriteString(client, strings.Repeat("end LOGOUT\r\n", 1000))
		}()
		r := bufio.NewReaderSize(client, 1<<20)
		for {
			line, err := r.ReadString('\n')
			if os.IsTimeout(err) {
				t.Fatalf("it hangs after %q", line)
			}
			if err != nil || strings.HasPrefix(line, "* BYE") || strings.HasPrefix(line, "end ") {
				break
			}
			if strings.Contains(line, "SERVERBUG") {
				t.Fatal(line)
			}
		}
		_ = client.Close()
		if defects.Load() > 0 {
			t.Fatal("a defect was logged")
		}
	})
}
