package imapd

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// far makes connections look as if they came from elsewhere.
type far struct {
	net.Listener
	mu sync.Mutex
	n  int
}

func (l *far) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return farConn{c, net.IPv4(192, 0, 2, byte(l.n/3+1))}, nil // three connections each
}

type farConn struct {
	net.Conn
	ip net.IP
}

func (c farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: c.ip, Port: 1} }

// serveFar runs a door whose clients are elsewhere.
func serveFar(t testing.TB, implicit bool, change func(*Options, *times)) (*Server, string) {
	t.Helper()
	s, _ := serve(t, sample(t), change)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run := s.Serve
	if implicit {
		run = s.ServeTLS
	}
	go func() { _ = run(context.Background(), &far{Listener: l}) }()
	return s, l.Addr().String()
}

func TestStartTLS(t *testing.T) {
	conf := certificate(t)
	_, addr := serveFar(t, false, func(o *Options, _ *times) { o.TLSConfig = conf })
	c := dial(t, addr)
	if s := c.line(); !strings.Contains(s, " STARTTLS LOGINDISABLED AUTH=ANONYMOUS]") {
		t.Fatal(s)
	}
	c.want("LOGIN alice@example.org secret", "NO [PRIVACYREQUIRED]")
	c.want("AUTHENTICATE PLAIN", "NO [PRIVACYREQUIRED]")
	c.want("STARTTLS now", "BAD")
	c.want("STARTTLS", "OK")
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	under := dialled(t, tc)
	if got := under.want("CAPABILITY", "OK"); strings.Contains(got[0], "STARTTLS") || !strings.Contains(got[0], "AUTH=PLAIN") {
		t.Error(got)
	}
	under.want("STARTTLS", "BAD")
	under.want("LOGIN alice@example.org secret", "OK")
	under.want("SELECT Lists/talk", "OK")
	under.want("FETCH 1:* BODY.PEEK[]", "OK")
}

func dialled(t testing.TB, c net.Conn) *client {
	t.Helper()
	cl := &client{t: t, Conn: c}
	cl.reset()
	return cl
}

func TestWhatFollowsStartTLSInTheClearIsNotObeyed(t *testing.T) {
	conf := certificate(t)
	_, addr := serveFar(t, false, func(o *Options, _ *times) { o.TLSConfig = conf })
	c := dial(t, addr)
	c.line()
	c.send("a STARTTLS\r\nb LOGIN alice@example.org secret\r\n")
	if got := c.line() + c.line(); got != "* BYE Nothing may follow STARTTLS before TLS has begun" {
		t.Error(got)
	}
}

func TestAnonymousNeedsNoTLS(t *testing.T) {
	_, addr := serveFar(t, false, func(*Options, *times) {})
	c := dial(t, addr)
	if s := c.line(); !strings.Contains(s, " LOGINDISABLED AUTH=ANONYMOUS]") {
		t.Error(s)
	}
	c.want("STARTTLS", "NO")
	c.want("AUTHENTICATE ANONYMOUS =", "OK")
}

func TestImplicitTLS(t *testing.T) {
	conf := certificate(t)
	_, addr := serveFar(t, true, func(o *Options, _ *times) { o.TLSConfig = conf })
	raw, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := dialled(t, raw)
	if s := c.line(); strings.Contains(s, "STARTTLS") || !strings.Contains(s, "AUTH=PLAIN") {
		t.Error(s)
	}
	c.want("LOGIN alice@example.org secret", "OK")
	c.want("SELECT Lists/talk", "OK")
	c.want("FETCH 1 BODY.PEEK[]", "OK")
}

func TestSilentTLSClientsAreCut(t *testing.T) {
	conf := certificate(t)
	s, addr := serveFar(t, true, func(o *Options, tm *times) { o.TLSConfig, tm.handshake = conf, 50*time.Millisecond })
	for _, say := range []string{"", "a NOOP\r\n", "\x16\x03\x01\x02\x00"} {
		c := dial(t, addr)
		c.send(say)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		b, err := io.ReadAll(c.r)
		if errors.Is(err, os.ErrDeadlineExceeded) || bytes.Contains(b, []byte("IMAP")) || bytes.Contains(b, []byte("BUG")) {
			t.Errorf("%q: %q %v", say, b, err)
		}
	}
	s.gone(t)
}
