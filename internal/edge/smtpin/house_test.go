package smtpin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/intake"
)

// testDesk answers by the local part of the address and remembers what came.
type testDesk struct {
	mu      sync.Mutex
	got     []intake.Incoming
	receive func(context.Context, intake.Incoming) []intake.Outcome // instead of the usual
}

const secret = "db: secret detail in /var/lib/plenary/plenary.db"

var errSecret = errors.New(secret)

func (d *testDesk) Accepts(ctx context.Context, recipient string) error {
	local, _, _ := strings.Cut(recipient, "@")
	switch {
	case ctx.Err() != nil:
		return fault.Wrap(fault.Temporary, ctx.Err(), "too late")
	case local == "unknown":
		return fault.New(fault.NotFound, "There is no list %s here", recipient)
	case local == "closed":
		return fault.New(fault.Forbidden, "This list is closed")
	case local == "busy":
		return fault.Wrap(fault.Temporary, errSecret, "Please try again later")
	case local == "broken":
		return errSecret
	case local == "panic":
		panic(secret)
	}
	return nil
}

func (d *testDesk) Receive(ctx context.Context, in intake.Incoming) []intake.Outcome {
	d.mu.Lock()
	d.got = append(d.got, in)
	receive := d.receive
	d.mu.Unlock()
	if receive != nil {
		return receive(ctx, in)
	}
	var out []intake.Outcome
	for _, r := range in.Recipients {
		o := intake.Outcome{Recipient: r}
		local, _, _ := strings.Cut(r, "@")
		switch local {
		case "refuse":
			o.Kind, o.Text = fault.Forbidden, "Only subscribers may post to "+r
		case "accents":
			o.Kind, o.Text = fault.Forbidden, "Die Liste „Bücherei“ ist zu\r\n250 OK – geschlossen…\x00 日"
		case "later":
			o.Kind, o.Text = fault.Temporary, "Please try again later"
		case "full":
			o.Kind, o.Text = fault.StorageFull, "The disk is full, please try again later"
		case "silent":
			o.Kind = fault.Internal
		case "crash":
			panic(secret)
		case "lost":
			continue
		default:
			o.Accepted = true
		}
		out = append(out, o)
	}
	return out
}

func (d *testDesk) messages() []intake.Incoming {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// Authenticate knows one person.
func (d *testDesk) Authenticate(_ context.Context, username, password string) (string, error) {
	switch {
	case username == "anna" && password == "right":
		return "anna@example.org", nil
	case username == "away":
		return "", fault.Wrap(fault.Temporary, errSecret, "away")
	case username == "panic":
		panic(secret)
	}
	return "", fault.New(fault.Unauthenticated, "no such account: %s", username)
}

// testLog gathers the log, so that what went wrong can be looked for there.
type testLog struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// house is one server on a loopback port with its desk.
type house struct {
	t      testing.TB
	desk   *testDesk
	log    *testLog
	server *Server
	addr   net.Addr
}

func build(t testing.TB, opt Options) (*Server, *testDesk, *testLog) {
	t.Helper()
	desk, log := &testDesk{}, &testLog{}
	if opt.Desk == nil {
		opt.Desk = desk
	}
	opt.Hostname = "mail.example.org"
	opt.Logger = slog.New(slog.NewTextHandler(log, nil))
	return New(opt), desk, log
}

func open(t testing.TB, opt Options) *house { return openOn(t, opt, "tcp", "127.0.0.1:0", false) }

func openOn(t testing.TB, opt Options, network, address string, implicitTLS bool) *house {
	t.Helper()
	server, desk, log := build(t, opt)
	h := &house{t: t, desk: desk, log: log, server: server}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr()
	serve := server.Serve
	if implicitTLS {
		serve = server.ServeTLS
	}
	served := make(chan error, 1)
	go func() { served <- serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // clients of tests do not say goodbye
		server.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h
}

// client speaks raw octets; nothing of it knows SMTP.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	utf8 bool // the last MAIL asked for SMTPUTF8: replies may hold it
}

const patience = 20 * time.Second // a guard against hanging, nothing is measured by it

func (h *house) dial() *client {
	h.t.Helper()
	conn, err := net.Dial(h.addr.Network(), h.addr.String())
	if err != nil {
		h.t.Fatal(err)
	}
	return newClient(h.t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if s == "" {
		return // on a pipe even nothing would wait for a reader
	}
	if at := strings.LastIndex(s, "MAIL FROM:"); at >= 0 {
		mail, _, _ := strings.Cut(s[at:], "\r\n")
		c.utf8 = strings.Contains(mail, " SMTPUTF8")
	}
	if _, err := c.conn.Write([]byte(s)); err != nil {
		c.t.Fatalf("sending %.60q: %v", s, err)
	}
}

// line reads one reply line, without its CRLF; "" is the end.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		if errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "timeout") {
			c.t.Fatalf("waiting for a reply: %v", err)
		}
		return ""
	}
	if !strings.HasSuffix(line, "\r\n") {
		c.t.Fatalf("reply without CRLF: %q", line)
	}
	if strings.Contains(line, "secret") {
		c.t.Fatalf("detail leaked: %q", line)
	}
	if len(line) > maxReplyLine || strings.ContainsFunc(line[:len(line)-2], func(r rune) bool { return r < ' ' || r > '~' && !(c.utf8 && mayBeSaid(r)) }) {
		c.t.Fatalf("reply not fit for the wire: %q", line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

func (c *client) expect(pattern string) string {
	c.t.Helper()
	line := c.line()
	if !regexp.MustCompile("^(?:" + pattern + ")").MatchString(line) {
		c.t.Fatalf("got %q, want %s", line, pattern)
	}
	return line
}

// reply reads one whole reply, of any number of lines.
func (c *client) reply() []string {
	c.t.Helper()
	var lines []string
	for {
		line := c.line()
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return lines
		}
	}
}

// say sends a command line and expects one reply.
func (c *client) say(line, pattern string) {
	c.t.Helper()
	c.send(line + "\r\n")
	lines := c.reply()
	last := lines[len(lines)-1]
	if !regexp.MustCompile("^(?:" + pattern + ")").MatchString(last) {
		c.t.Fatalf("%.80q: got %q, want %s", line, last, pattern)
	}
}

// hello goes through greeting and EHLO.
func (c *client) hello() {
	c.t.Helper()
	c.expect("220 ")
	c.say("EHLO client.example", "250 ")
}

// to opens a transaction.
func (c *client) to(recipients ...string) {
	c.t.Helper()
	c.say("MAIL FROM:<anna@example.org>", "250 2.1.0 ")
	for _, r := range recipients {
		c.say("RCPT TO:<"+r+">", "250 2.1.5 ")
	}
}

func (c *client) startTLS() {
	c.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
}

// message gives one of len octets with CRLF lines.
func message(octets int) string {
	var b strings.Builder
	b.WriteString("Subject: size\r\n\r\n")
	for b.Len() < octets-2 {
		if b.Len()%72 == 70 && b.Len() < octets-4 {
			b.WriteString("\r\n")
			continue
		}
		b.WriteByte('x')
	}
	return b.String() + "\r\n"
}

var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mail.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func testTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{testCertificate()}} }

// show writes what the desk got in the form the dialogues use.
func show(in intake.Incoming) string {
	who := in.Peer.Account
	if who == "" {
		who = "-"
	}
	return fmt.Sprintf("%s %s %s <%s> -> %s %q", in.Peer.Protocol, in.Peer.Helo, who, in.ReversePath,
		strings.Join(in.Recipients, ","), in.Raw)
}

// ehlo asks a server that announces itself through net/textproto's eyes.
func (c *client) ehlo() map[string]bool {
	c.t.Helper()
	c.send("EHLO client.example\r\n")
	_, text, err := textproto.NewReader(c.in).ReadResponse(250)
	if err != nil {
		c.t.Fatal(err)
	}
	caps := map[string]bool{}
	for _, line := range strings.Split(text, "\n")[1:] {
		caps[line] = true
	}
	return caps
}
