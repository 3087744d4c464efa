package imapd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/testkit/real"
)

// The defects of go-imap that DEPENDENCIES lists, and what else a client may do
// to a door: each is shown not to reach anybody.

// The raw writing relies on three habits of the library: its buffer is empty
// after each response, one command is handled at a time, and it reads only when
// its own buffer is empty.
func TestTheLibraryIsTheOneThatWasLookedAt(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(real.Root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(mod, []byte("github.com/emersion/go-imap/v2 v2.0.0-beta.8")) {
		t.Error("go-imap is another version: read conn.go again before moving the pin")
	}
}

func TestTenStarsCostNothing(t *testing.T) {
	m := sample(t)
	m.add(model.List{Local: strings.Repeat("a", 60), Domain: strings.Repeat("a.", 60) + "example"}, "alice@example.org")
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	for _, p := range []string{
		strings.Repeat("*a", 10) + "b", strings.Repeat("*", 500), strings.Repeat("%a", 200) + "*x", strings.Repeat("*%", 200) + "y",
	} {
		c.want(`LIST "" "`+p+`"`, "OK")
	}
	c.want(`LIST "" "`+strings.Repeat("*", maxPattern+1)+`"`, "NO [LIMIT]")
	c.want(`LIST "" (`+strings.Repeat("* ", maxPatterns)+`*)`, "NO [LIMIT]")
}

func TestMatchIsTheDefinition(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "Lists/a", true}, {"%", "Lists/a", false}, {"%", "Lists", true}, {"%/%", "Lists/a", true}, {"Lists/%", "Lists/a/b", false},
		{"*/b", "Lists/a/b", true}, {"L*s/%b", "Lists/ab", true}, {"L*s/%b", "Lists/a/b", false}, {"L*/%b", "Lists/a/b", true}, {"", "", true}, {"", "a", false},
		{"*%", "a/b", true}, {"%*", "a/b", true}, {"a%b", "ab", true}, {"a%b", "a/b", false}, {"a*", "b", false}, {"ä%", "äö", true},
	} {
		if got := compile(c.pattern).match(c.name); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
	}
}

// Each of these makes the library answer [SERVERBUG] and write to the log.
func TestNoCommandIsAServerBug(t *testing.T) {
	var log lockedBuffer
	_, addr := serve(t, sample(t), func(o *Options, _ *times) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	})
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for _, command := range []string{
		"FETCH 0 UID", "FETCH 1:0 UID", "FETCH a UID", "FETCH 99999999999 UID", "UID FETCH 1,, UID", "STORE x FLAGS ()", "SEARCH BOGUS", "SEARCH MODSEQ 1",
		"SEARCH FUZZY TEXT a", "SEARCH ON 32-Foo-1999", "SEARCH 0", "SEARCH UID 0", "SELECT {1+}\r\n\xff", "SELECT &A-", "LIST \"\" &A-",
		"STATUS x (HIGHESTMODSEQ)", "STATUS INBOX ()", "CREATE x (USE (\\Foo", "ENABLE", "ENABLE ()", "AUTHENTICATE X", "COPY 1 &A-",
		"SEARCH " + strings.Repeat("(", 5000), "SEARCH " + strings.Repeat("NOT ", 5000) + "ALL", "FETCH 1 (" + strings.Repeat("BODY[", 3000),
		"LIST " + strings.Repeat("(", 5000), "FETCH 1 (" + strings.Repeat("BODY[1] ", 2000) + "UID)", "FETCH " + strings.Repeat("1,", 9000) + "1 UID",
	} {
		all := c.do("t", command)
		if last := all[len(all)-1]; !strings.HasPrefix(last, "t ") || strings.Contains(last, "SERVERBUG") {
			t.Errorf("%.60q: %.100q", command, last)
		}
		c.want("NOOP", "OK")
	}
	if s := log.String(); s != "" {
		t.Errorf("logged: %s", s)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestOversizedLiteralIsNotTakenForCommands(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	evil := strings.Repeat("x LOGOUT\r\n", 600)
	for _, command := range []string{"SEARCH TEXT", "SELECT", "APPEND INBOX", "WHAT"} {
		c.send(fmt.Sprintf("a %s {%d+}\r\n%s\r\nb NOOP\r\n", command, len(evil), evil))
		if s := c.line(); !strings.HasPrefix(s, "a BAD") && !strings.HasPrefix(s, "a NO") {
			t.Errorf("%s: %q", command, s)
		}
		if s := c.line(); s != "b OK NOOP completed" {
			t.Errorf("%s: then %q", command, s)
		}
	}
}

func TestOversizedLiteralIsAnsweredAtOnce(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SEARCH TEXT {5000}", "BAD [TOOBIG]")
	c.want("APPEND INBOX {50000000}", "NO [NOPERM]")
}

func TestLineThatNeverEnds(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.send("a SEARCH TEXT " + strings.Repeat("x", 3*maxLine) + "\r\n")
	if s := c.line(); s != "* BAD That line is too long" {
		t.Error(s)
	}
	c.want("NOOP", "OK")
	s := dial(t, addr)
	s.line()
	s.send("a LOGIN " + strings.Repeat("x", maxLine) + "\r\nb NOOP\r\n")
	if got := s.line() + s.line(); !strings.Contains(got, "too long") || !strings.Contains(got, "b OK") {
		t.Error(got)
	}
	_, _ = s.Write(bytes.Repeat([]byte("x"), 4*maxStranger))
	if got := s.line(); got != "" {
		t.Error(got)
	}
}

func TestMultipartWithoutPartsPoisonsNothing(t *testing.T) {
	m := sample(t)
	for _, head := range []string{"multipart/mixed", `multipart/mixed; boundary=""`, "multipart/", "message/rfc822", `multipart/mixed; boundary="a"`} {
		m.post(1, crlf("From: a@example.org\nContent-Type: "+head+"\n\n--a--\n"))
		m.post(1, crlf("Content-Type: "+head+"\n"))
		m.post(1, head)
	}
	m.post(1, "")
	m.post(1, "\r\n")
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for _, item := range []string{"BODYSTRUCTURE", "BODY", "ENVELOPE", "FULL", "BODY.PEEK[]", "BODY.PEEK[1]", "BODY.PEEK[1.1.HEADER]", "BODY.PEEK[TEXT]", "BINARY.PEEK[1]"} {
		n := 0
		for _, s := range c.want("FETCH 1:* "+item, "OK") {
			if strings.Contains(s, " FETCH (") {
				n++
			}
			if strings.Contains(s, "(BODYSTRUCTURE ())") {
				t.Error("no children:", s)
			}
		}
		if n != 20 {
			t.Errorf("%s: %d responses", item, n)
		}
	}
}

func TestBrokenHeaderIsGivenAsItIs(t *testing.T) {
	m := sample(t)
	for _, raw := range []string{oddPost, "Subject: bare\n\nlines\nof LF only\n", "no header at all", "Subject: x\r\n\r\n\x00\x00\xff"} {
		uid := m.post(1, raw)
		_, addr := serve(t, m)
		c := loggedIn(t, addr, "bob@example.org")
		c.want("SELECT Lists/talk", "OK")
		c.send(fmt.Sprintf("a UID FETCH %d (RFC822.SIZE BODY.PEEK[])\r\n", uid))
		head := c.line()
		if !strings.HasSuffix(head, fmt.Sprintf("RFC822.SIZE %d BODY[] {%d}", len(raw), len(raw))) {
			t.Fatal(head)
		}
		got := make([]byte, len(raw))
		if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, withoutNULs([]byte(raw))) {
			t.Errorf("%q came as %q (%v)", raw, got, err)
		}
	}
}

func TestNULInBinary(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("EXAMINE Lists/talk", "OK")
	if got := c.want("FETCH 2 BINARY[3]", "OK"); got[0] != "* 2 FETCH (BINARY[3] ~{6}\n\x00\x01\x02\x03\x04\x05)" {
		t.Errorf("%q", got)
	}
}

// A post that came between the last poll and IDLE is told when IDLE begins.
func TestIdleLooksBeforeItWaits(t *testing.T) {
	m := sample(t)
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	for i := range 20 {
		m.post(1, plainPost)
		c.send("a IDLE\r\n")
		for want := range 2 {
			if s := c.line(); want == 1 && s != fmt.Sprintf("* %d EXISTS", 4+i) && s != "+ idling" {
				t.Fatal(s)
			}
		}
		c.send("DONE\r\n")
		c.until("a")
	}
}

func TestClientsThatGoAwayWhileIdling(t *testing.T) {
	m := sample(t)
	s, addr := serve(t, m)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			c := loggedIn(t, addr, "alice@example.org")
			c.want("SELECT Lists/talk", "OK")
			c.send("a IDLE\r\n")
			c.line()
			_ = c.Close()
			m.post(1, plainPost)
		})
	}
	all.Wait()
	s.gone(t)
}

// gone waits until no connection is left.
func (s *Server) gone(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.fronts)
		s.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections are still there", n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.boxes) != 0 || len(s.perIP) != 0 || len(s.perPerson) != 0 {
		t.Errorf("left: %d boxes, %d addresses, %d people", len(s.boxes), len(s.perIP), len(s.perPerson))
	}
}

func TestClientThatNeverReadsIsCut(t *testing.T) {
	m := sample(t)
	m.post(1, "Subject: large\r\n\r\n"+strings.Repeat("0123456789abcdef\r\n", 200_000))
	s, addr := serve(t, m, func(_ *Options, tm *times) { tm.write = 50 * time.Millisecond })
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.send(strings.Repeat("a FETCH 4 BODY.PEEK[]\r\n", 50))
	s.gone(t)
}

func TestSilentClientsAreCut(t *testing.T) {
	const bye = "* BYE You were silent for too long"
	s, addr := serve(t, sample(t), func(_ *Options, tm *times) { tm.stranger = 50 * time.Millisecond })
	silent := dial(t, addr)
	silent.line()
	if got := silent.line() + silent.line(); got != bye {
		t.Error(got)
	}
	s.gone(t)
	s, addr = serve(t, sample(t), func(_ *Options, tm *times) { tm.rest = 50 * time.Millisecond })
	half, slow := dial(t, addr), loggedIn(t, addr, "alice@example.org")
	half.line()
	half.send("a LOG")
	slow.send("b SEARCH TEXT {100+}\r\nabc")
	for _, c := range []*client{half, slow} {
		if got := c.line() + c.line(); got != bye {
			t.Error(got)
		}
	}
	s.gone(t)
}

// An octet now and then keeps no stranger in.
func TestDrippingStrangersAreCut(t *testing.T) {
	s, addr := serve(t, sample(t), func(_ *Options, tm *times) { tm.entry = 100 * time.Millisecond })
	c := dial(t, addr)
	c.line()
	stop := make(chan struct{})
	var drip sync.WaitGroup
	drip.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_, _ = c.Write([]byte("a"))
			}
		}
	})
	s.gone(t)
	close(stop)
	drip.Wait()
}

func TestConnectionLimits(t *testing.T) {
	s, addr := serveFar(t, false, func(o *Options, _ *times) { o.MaxPerIP, o.MaxConnections = 2, 5 })
	var got []string
	for range 8 {
		got = append(got, dial(t, addr).line()[:12])
	}
	const ok, bye = "* OK [CAPABI", "* BYE [UNAVA"
	// far gives the addresses .1 .1 .2 .2 .2 .3 .3 .3
	want := []string{ok, ok, ok, ok, bye, ok, bye, bye}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("connection %d: %q", i+1, got[i])
		}
	}
	_ = s
}

func TestOnePersonHasSoManyConnections(t *testing.T) {
	s, addr := serve(t, sample(t))
	var mine []*client
	for range maxPerPerson {
		mine = append(mine, loggedIn(t, addr, "alice@example.org"))
	}
	late := dial(t, addr)
	late.line()
	late.want("LOGIN alice@example.org secret", "NO [LIMIT]")
	loggedIn(t, addr, "bob@example.org")
	mine[0].want("LOGOUT", "OK")
	mine[0].line() // it is gone
	late.want("LOGIN alice@example.org secret", "OK")
	for _, c := range append(mine, late) {
		_ = c.Close()
	}
	_ = s
}

// Those who ask for much and read nothing hold one message each at most: the one
// that is being sent, which they share.
func TestClientsThatNeverReadHoldLittle(t *testing.T) {
	m := sample(t)
	m.post(1, "Subject: large\r\n\r\n"+strings.Repeat("0123456789abcdef\r\n", 400_000))
	s, addr := serve(t, m)
	before := inUse()
	for range 50 {
		c := loggedIn(t, addr, "alice@example.org")
		c.want("SELECT Lists/talk", "OK")
		c.send(strings.Repeat("a FETCH 1:4 (ENVELOPE BODY.PEEK[])\r\n", 200))
	}
	blocked := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for f := range s.fronts {
			if !f.mu.TryLock() {
				n++ // it is writing
			} else {
				f.mu.Unlock()
			}
		}
		return n
	}
	for end := time.Now().Add(patience); blocked() < 50; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of 50 are written to", blocked())
		}
	}
	if grown := (inUse() - before) >> 20; grown > 32 {
		t.Errorf("50 clients that do not read 7 MB each hold %d MB", grown)
	}
	s.cut()
}

func TestWrongPasswordsAreCountedOverConnections(t *testing.T) {
	_, addr := serveFar(t, false, func(o *Options, _ *times) { o.AllowInsecureAuth, o.MaxPerIP = true, 100 })
	s := New(Options{Archive: nil, Auth: people{}})
	peer := peerOf(farConn{nil, net.IPv4(192, 0, 2, 1)})
	for range maxPerNetwork {
		if s.fails.many(peer, noon, time.Minute) {
			t.Fatal("too early")
		}
		s.fails.add(peer, noon, time.Minute)
	}
	if !s.fails.many(peer, noon, time.Minute) || s.fails.many(peer, noon.Add(2*time.Minute), time.Minute) {
		t.Error("not counted, or not forgotten")
	}
	c := dial(t, addr)
	c.line()
	for i := range maxFailures {
		all := c.do("t", "LOGIN alice@example.org wrong")
		if bye := strings.HasPrefix(all[0], "* BYE"); bye != (i == maxFailures-1) {
			t.Errorf("attempt %d: %q", i, all)
		}
	}
	if s := c.line(); s != "" {
		t.Error(s)
	}
}

func TestTheThrottleHoldsFewAddresses(t *testing.T) {
	var th throttle
	for i := range 3 * maxNetworks {
		th.add(peerOf(farConn{nil, net.IPv4(10, byte(i>>16), byte(i>>8), byte(i))}), noon, time.Minute)
	}
	if len(th.seen) > maxNetworks {
		t.Error(len(th.seen))
	}
}

func TestShutdownCutsWhoDoesNotListen(t *testing.T) {
	m := sample(t)
	m.post(1, "Subject: large\r\n\r\n"+strings.Repeat("0123456789abcdef\r\n", 200_000))
	s, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.send("a FETCH 4 (" + strings.Repeat("BODY.PEEK[] ", 50) + "UID)\r\n")
	c.line() // it has begun, and will not end
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	s.gone(t)
}

// hardening is the table of the defects of go-imap that were found by looking at
// it, each with what shows that it does not reach anybody: tests, and dialogues.
var hardening = []struct {
	defect string
	tests  []func(*testing.T)
	plays  []string
}{
	{"BODYSTRUCTURE of a multipart without parts panics", []func(*testing.T){TestMultipartWithoutPartsPoisonsNothing, TestRealClientReadsTortureMail}, []string{"odd"}},
	{"BODY[]<1.9223372036854775807> panics", nil, []string{"partial"}},
	{"BODY[] of a broken header is empty, of bare LF longer than it was", []func(*testing.T){TestBrokenHeaderIsGivenAsItIs, TestRealArchivesComeBackByteForByte}, []string{"odd"}},
	{"LIST with many stars takes exponential time", []func(*testing.T){TestTenStarsCostNothing, TestMatchIsTheDefinition}, []string{"list"}},
	{"implicit TLS waits for a silent client without end", []func(*testing.T){TestSilentTLSClientsAreCut}, nil},
	{"no limits of connections, addresses, people, attempts; no times", []func(*testing.T){TestConnectionLimits, TestOnePersonHasSoManyConnections,
		TestWrongPasswordsAreCountedOverConnections, TestSilentClientsAreCut, TestDrippingStrangersAreCut, TestTheThrottleHoldsFewAddresses}, []string{"login"}},
	{"the payload of a non-synchronising literal that is too large is taken for commands", []func(*testing.T){TestOversizedLiteralIsNotTakenForCommands}, []string{"literals"}},
	{"a synchronising literal that is too large is not answered", []func(*testing.T){TestOversizedLiteralIsAnsweredAtOnce}, nil},
	{"what comes between the last poll and IDLE is told late", []func(*testing.T){TestIdleLooksBeforeItWaits}, []string{"idle"}},
	{"the end of the connection within IDLE races with Close", []func(*testing.T){TestClientsThatGoAwayWhileIdling}, nil},
	{"errors become SERVERBUG, wrong arguments too", []func(*testing.T){TestNoCommandIsAServerBug}, []string{"away", "garbage"}},
	{"a wrapped TLS connection is offered no AUTH", []func(*testing.T){TestStartTLS, TestImplicitTLS, TestCapabilitiesAreTrue}, nil},
	{"Close only, no shutdown that says BYE", []func(*testing.T){TestShutdownCutsWhoDoesNotListen}, []string{"byebye"}},
	{"a response has no write deadline once writes are gathered", []func(*testing.T){TestClientThatNeverReadsIsCut, TestClientsThatNeverReadHoldLittle}, nil},
	{"EXAMINE does not forbid STORE, BODY[] marks as seen", nil, []string{"seen", "store"}},
	{"flush after each response, sets and literals without a limit", []func(*testing.T){TestLineThatNeverEnds}, []string{"literals", "pipeline"}},
	{"compress/flate keeps back what is flushed partially, a bomb unpacks without end", []func(*testing.T){TestCompressPartialFlush, TestCompressBombs}, []string{"compress"}},
}

// TestHardeningIsComplete: the dialogues that the table names are there; that the
// tests are, the compiler sees.
func TestHardeningIsComplete(t *testing.T) {
	for _, row := range hardening {
		if len(row.tests)+len(row.plays) == 0 {
			t.Errorf("%s: nothing shows it", row.defect)
		}
		for _, name := range row.plays {
			if _, err := os.Stat(filepath.Join("testdata", name+".dialogue")); err != nil {
				t.Errorf("%s: %v", row.defect, err)
			}
		}
	}
}
