package imapd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"plenary/internal/testkit/real"
)

// packer is a connection on which the client packs.
type packer struct {
	net.Conn
	w   *flate.Writer
	out bytes.Buffer // what w makes of a command goes out in one write: the server hears the end of one before all of it
	r   io.Reader
}

func (p *packer) Write(b []byte) (int, error) {
	if _, err := p.w.Write(b); err != nil {
		return 0, err
	}
	if err := p.w.Flush(); err != nil {
		return 0, err
	}
	if _, err := p.out.WriteTo(p.Conn); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *packer) Read(b []byte) (int, error) { return p.r.Read(b) }

// pack turns a connection to DEFLATE.
func (c *client) pack() {
	c.t.Helper()
	c.want("COMPRESS DEFLATE", "OK DEFLATE active")
	p := &packer{Conn: c.Conn, r: flate.NewReader(c.r)}
	var err error
	if p.w, err = flate.NewWriter(&p.out, 6); err != nil {
		c.t.Fatal(err)
	}
	c.Conn = p
	c.r = bufio.NewReader(c.Conn)
}

func TestCompressSaysTheSame(t *testing.T) {
	m := sample(t)
	_, addr := serve(t, m)
	plain, packed := loggedIn(t, addr, "alice@example.org"), loggedIn(t, addr, "alice@example.org")
	packed.pack()
	for _, command := range []string{
		"SELECT Lists/talk", "FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])", "SEARCH SUBJECT {3+}\r\nodd", "NOOP",
		"FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "THREAD REFERENCES UTF-8 ALL",
	} {
		a, b := plain.do("t", command), packed.do("t", command)
		if strings.Join(a, "\n") != strings.Join(b, "\n") {
			t.Errorf("%s\n plain %q\npacked %q", command, a, b)
		}
	}
	if caps := packed.want("CAPABILITY", "OK")[0]; strings.Contains(caps, "COMPRESS") {
		t.Error("offered again:", caps)
	}
	if got := packed.do("t", "COMPRESS DEFLATE"); got[0] != "t NO [COMPRESSIONACTIVE] DEFLATE is active already" {
		t.Error(got)
	}
	packed.send("t IDLE\r\n")
	packed.line()
	m.post(1, plainPost)
	if got := packed.line(); got != "* 4 EXISTS" {
		t.Error(got)
	}
	packed.send("DONE\r\n")
	packed.until("t")
	packed.send("x LOGOUT\r\n")
	if got := packed.until("x"); got[len(got)-1] != "x OK LOGOUT completed" {
		t.Error(got)
	}
}

// TestPackingPaysOverALongWayOnly: what is written unpacks to the same over a short
// way, where nothing is made smaller, and over a long one.
func TestPackingPaysOverALongWayOnly(t *testing.T) {
	s, _ := serve(t, sample(t))
	for _, after := range []time.Duration{nearby / 2, 3 * nearby} {
		var out bytes.Buffer
		d := &deflater{dst: &out, pool: &s.buffers}
		d.heard(after)
		r := flate.NewReader(&out)
		said, packed := 0, 0
		for i, n := range []int{1, 40, 300, 8000, 8000, 64 << 10, 200_000, 5, 70_000} {
			want := []byte(strings.Repeat(fmt.Sprintf("* %d FETCH (FLAGS ())\r\n", i), n/20+1)[:n])
			if _, err := d.Write(want); err != nil {
				t.Fatal(err)
			}
			said, packed = said+n, packed+out.Len()
			got := make([]byte, n)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d octets after %v came back changed: %v", n, after, err)
			}
		}
		if small := packed < said/5; small == (after < nearby) {
			t.Errorf("after %v: %d octets for %d", after, packed, said)
		}
	}
}

// TestFarClientsGetItPacked: one whose first command takes its time.
func TestFarClientsGetItPacked(t *testing.T) {
	m := sample(t)
	m.post(1, plainPost+strings.Repeat("All of them the same line.\r\n", 4000))
	_, addr := serve(t, m)
	c := loggedIn(t, addr, "alice@example.org")
	c.want("SELECT Lists/talk", "OK")
	c.pack()
	time.Sleep(3 * nearby)
	wire := &wireCount{Conn: c.Conn.(*packer).Conn}
	c.Conn.(*packer).r = flate.NewReader(wire)
	if got := c.want("FETCH 4 BODY.PEEK[]", "OK")[0]; len(got) < 100_000 || wire.n > 10_000 {
		t.Errorf("%d octets on the way for %d", wire.n, len(got))
	}
}

// wireCount counts what comes in.
type wireCount struct {
	net.Conn
	n int
}

func (c *wireCount) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}

// TestCompressLargeBodies packs what does not fit one buffer, through TLS.
func TestCompressLargeBodies(t *testing.T) {
	m := sample(t)
	var body strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&body, "line %d of many, %x\r\n", i, i*2654435761)
	}
	want := strings.ReplaceAll(plainPost, "They are green.\r\n", body.String())
	m.post(1, want)
	conf := certificate(t)
	s, _ := serve(t, m, func(o *Options, _ *times) { o.TLSConfig = conf })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.ServeTLS(context.Background(), l) }()
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, Conn: conn, r: bufio.NewReader(conn), exact: true}
	c.line()
	c.want("LOGIN alice@example.org secret", "OK")
	c.pack()
	c.want("SELECT Lists/talk", "OK")
	for range 3 {
		if got := c.want("FETCH 4 BODY.PEEK[]", "OK")[0]; !strings.Contains(got, want) {
			t.Fatalf("%d octets instead of %d", len(got), len(want))
		}
	}
}

// TestCompressPartialFlush sends blocks that end with an empty fixed block and
// no more, as zlib's Z_PARTIAL_FLUSH does and mbsync with it.
func TestCompressPartialFlush(t *testing.T) {
	_, addr := serve(t, sample(t))
	c := loggedIn(t, addr, "alice@example.org")
	c.want("COMPRESS DEFLATE", "OK")
	c.r = bufio.NewReader(flate.NewReader(c.r))
	// A fixed block of literals (RFC 1951 3.2.6), bit by bit, then an empty one.
	var out []byte
	var bit uint
	put := func(v, n uint, msb bool) {
		for i := range n {
			b := v >> i & 1
			if msb {
				b = v >> (n - 1 - i) & 1
			}
			if bit%8 == 0 {
				out = append(out, 0)
			}
			out[len(out)-1] |= byte(b << (bit % 8))
			bit++
		}
	}
	put(0, 1, false)
	put(1, 2, false)
	for _, b := range []byte("t NOOP\r\n") {
		put(0x30+uint(b), 8, true)
	}
	put(0, 7, true) // end of block
	put(0, 1, false)
	put(1, 2, false)
	put(0, 7, true)
	c.send(string(out))
	if got := c.line(); got != "t OK NOOP completed" {
		t.Error(got)
	}
}

func TestCompressBombs(t *testing.T) {
	for name, step := range map[string]struct {
		send string
		bye  string
	}{
		"literal": {"t SEARCH SUBJECT {40000000+}\r\n" + strings.Repeat("a", 40_000_000), "* BYE [TOOBIG] That unpacks to too much"},
		"line":    {strings.Repeat("a", 40_000_000) + "\r\n", "* BYE [TOOBIG] That unpacks to too much"},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, sample(t))
			c := loggedIn(t, addr, "alice@example.org")
			c.want("COMPRESS DEFLATE", "OK")
			var packed bytes.Buffer
			w, _ := flate.NewWriter(&packed, 9)
			_, _ = w.Write([]byte(step.send))
			_ = w.Flush()
			go func() { _, _ = c.Conn.Write(packed.Bytes()) }()
			c.r = bufio.NewReader(flate.NewReader(c.r))
			if got := c.line(); got != step.bye {
				t.Error(got)
			}
		})
	}
	t.Run("garbage", func(t *testing.T) {
		_, addr := serve(t, sample(t))
		c := loggedIn(t, addr, "alice@example.org")
		c.want("COMPRESS DEFLATE", "OK")
		c.send("t NOOP\r\nt NOOP\r\n")
		c.r = bufio.NewReader(flate.NewReader(c.r))
		if got := c.line(); got != "* BYE That is not what DEFLATE makes" {
			t.Error(got)
		}
	})
}

// TestMbsyncCompressed pulls a list with mbsync, which packs where it can.
func TestMbsyncCompressed(t *testing.T) {
	program := real.Program(t, "mbsync")
	m := sample(t)
	for range 400 { // so many that it packs hundreds of commands behind one flush
		m.post(1, plainPost)
	}
	_, addr := serve(t, m)
	host, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	rc := fmt.Sprintf("IMAPAccount a\nHost %s\nPort %s\nUser alice@example.org\nPass secret\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount a\n\n"+
		"MaildirStore near\nPath %[3]s/mail/\nInbox %[3]s/inbox\n\nChannel talk\nFar :far:\"Lists/talk\"\nNear :near:talk\nCreate Near\nSync Pull\nSyncState *\n", host, port, dir)
	if err := os.WriteFile(filepath.Join(dir, "rc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-Dn", "-c", filepath.Join(dir, "rc"), "talk")
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	files, _ := filepath.Glob(filepath.Join(dir, "mail", "talk", "*", "*"))
	if err != nil || len(files) < 403 {
		t.Fatalf("%v, %d messages\n%.3000s", err, len(files), out)
	}
	if !bytes.Contains(out, []byte("COMPRESS DEFLATE")) {
		t.Skip("skipped: this mbsync does not pack")
	}
}
