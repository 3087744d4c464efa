package app_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
)

const host = "lists.example.org"

// pair is a certificate in two files.
type pair struct{ cert, key string }

// write makes a self-signed certificate with this serial number.
func (p pair) write(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{p.cert: {Type: "CERTIFICATE", Bytes: der}, p.key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_700_000_000+serial, 0) // each pair another time, however quickly they follow
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// trusted is a client's configuration that trusts the pair alone.
func (p pair) trusted(t *testing.T) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(p.cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots, ServerName: host}
}

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	p.write(t, 1)
	return p
}

func TestRenewedCertificateIsTaken(t *testing.T) {
	p, now := newPair(t), time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	c, err := app.LoadTLS(p.cert, p.key, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	serves := func(what string, serial int64) {
		t.Helper()
		got, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(what, err)
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil || leaf.SerialNumber.Int64() != serial {
			t.Errorf("%s: certificate %d is served, not %d (%v)", what, leaf.SerialNumber, serial, err)
		}
	}
	p.write(t, 2)
	serves("too early to look", 1)
	now = now.Add(app.CertCheck)
	serves("renewed", 2)
	p.write(t, 3)
	if err := os.WriteFile(p.key, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(app.CertCheck)
	serves("the key is broken", 2)
	p.write(t, 4)
	now = now.Add(app.CertCheck)
	serves("renewed again", 4)
	_ = os.Remove(p.cert)
	now = now.Add(app.CertCheck)
	serves("the file is gone", 4)
	if _, err := app.LoadTLS(p.cert, p.key, time.Now); err == nil || !strings.Contains(err.Error(), "tls.cert_file") {
		t.Errorf("a start without the certificate: %v", err)
	}
}

func TestSTARTTLSOnEveryDoor(t *testing.T) {
	cert := newPair(t)
	p := testkit.Start(t, func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = cert.cert, cert.key
		c.IMAP.TLSListen = "127.0.0.1:0"
	})
	for _, d := range []struct {
		name, addr                        string
		hello, offers, start, ready, then string
	}{
		{"SMTP", p.At.SMTP, "EHLO c.example.net", "STARTTLS", "STARTTLS", "220", "NOOP"},
		{"LMTP", p.At.LMTP, "LHLO c.example.net", "STARTTLS", "STARTTLS", "220", "NOOP"},
		{"IMAP", p.At.IMAP, "a CAPABILITY", "STARTTLS", "a STARTTLS", "a OK", "a NOOP"},
	} {
		t.Run(d.name, func(t *testing.T) {
			nc := dial(t, d.addr)
			in := bufio.NewReader(nc)
			line(t, in, "")
			if all := ask(t, nc, in, d.hello); !strings.Contains(all, d.offers) {
				t.Fatalf("STARTTLS is not offered: %s", all)
			}
			if all := ask(t, nc, in, d.start); !strings.HasPrefix(all, d.ready) {
				t.Fatal(all)
			}
			secure := tls.Client(nc, cert.trusted(t))
			in = bufio.NewReader(secure)
			if d.name == "IMAP" {
				d.hello = "a CAPABILITY"
			}
			if all := ask(t, secure, in, d.hello); strings.Contains(all, "STARTTLS") {
				t.Errorf("STARTTLS is offered inside TLS: %s", all)
			}
			if all := ask(t, secure, in, d.then); !strings.Contains(all, "OK") && !strings.HasPrefix(all, "250") {
				t.Error(all)
			}
		})
	}
	t.Run("IMAPS", func(t *testing.T) {
		secure := tls.Client(dial(t, p.At.IMAPS), cert.trusted(t))
		in := bufio.NewReader(secure)
		if greeting := line(t, in, ""); !strings.HasPrefix(greeting, "* OK") {
			t.Error(greeting)
		}
	})
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	nc, err := net.DialTimeout(network, addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(2 * testkit.Patience))
	return nc
}

// ask says a line and gives the whole answer.
func ask(t *testing.T, nc net.Conn, in *bufio.Reader, say string) string {
	t.Helper()
	if _, err := fmt.Fprintf(nc, "%s\r\n", say); err != nil {
		t.Fatal(err)
	}
	tag := ""
	if strings.HasPrefix(say, "a ") {
		tag = "a "
	}
	return line(t, in, tag)
}

// line reads an answer: of IMAP up to the line with the tag, of SMTP up to the
// one without a hyphen.
func line(t *testing.T, in *bufio.Reader, tag string) string {
	t.Helper()
	var all strings.Builder
	for {
		l, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, all.String())
		}
		all.WriteString(l)
		if strings.HasPrefix(l, tag) && (tag != "" || len(l) < 4 || l[3] != '-') {
			return all.String()
		}
	}
}

func TestSubmission(t *testing.T) {
	cert := newPair(t)
	p := testkit.Start(t, func(c *config.Config) {
		c.TLS.CertFile, c.TLS.KeyFile = cert.cert, cert.key
		c.SMTP.SubmissionListen = "127.0.0.1:0"
	})
	l := p.List("talk@"+host, model.Discussion)
	p.Add(l, model.RoleSubscriber, "ann@example.org", "bo@example.net")
	secret := p.Password("ann@example.org")
	open := func() *smtp.Client {
		c, err := smtp.NewClient(dial(t, p.At.Submission), host)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartTLS(cert.trusted(t)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := open().Mail("ann@example.org"); err == nil || !strings.HasPrefix(err.Error(), "530") {
		t.Errorf("mail without a password: %v", err)
	}
	if err := open().Auth(smtp.PlainAuth("", "ann@example.org", "wrong", host)); err == nil || !strings.HasPrefix(err.Error(), "535") {
		t.Errorf("a wrong password: %v", err)
	}
	c := open()
	if err := c.Auth(smtp.PlainAuth("", "ann@example.org", secret, host)); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail("ann@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("talk@" + host); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(testkit.Mail("From: ann@example.org", "To: talk@"+host, "Subject: submitted", "Message-ID: <s@example.org>", "", "Hello."))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := p.Caught("bo@example.net", 1)[0]
	if text := string(got.Data); !strings.Contains(text, "Subject: submitted\r\n") {
		t.Error(text)
	}
}
