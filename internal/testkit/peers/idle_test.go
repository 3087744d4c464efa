package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenary/internal/app"
	"plenary/internal/model"
	"plenary/internal/testkit"
)

// certFiles makes a certificate for this machine.
func certFiles(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lists.example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestIdleConnectionsCostLittle: mail programs that wait over TLS, in a process of
// their own so that only the server's half is counted, and all are told of a new
// post.
func TestIdleConnectionsCostLittle(t *testing.T) {
	people, each, limit := 40, 50, 150
	if testing.Short() {
		people = 4
	}
	dir := t.TempDir()
	c := testkit.Config(dir)
	a, err := app.New(context.Background(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	p := testkit.Around(t, a)
	list := p.List("talk@lists.example.org", model.Discussion)
	names, passwords := make([]string, people), make([]string, people)
	for i := range names {
		names[i] = fmt.Sprintf("reader%d@example.org", i)
		p.Add(list, model.RoleSubscriber, names[i])
		passwords[i] = p.Password(names[i])
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	cert, key := certFiles(t, dir)
	s := testkit.Launch(t, testkit.Env(dir, "PLENARY_IMAP_TLS_LISTEN=127.0.0.1:0", "PLENARY_TLS_CERT_FILE="+cert, "PLENARY_TLS_KEY_FILE="+key))
	at := s.Ready()
	fresh := s.Memory()
	var all []*testkit.IMAP
	for i := range people * each {
		conn, err := tls.Dial("tcp", at.IMAPS, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // of this test
		if err != nil {
			t.Fatal(err)
		}
		c := testkit.OverIMAP(t, conn, names[i%people], passwords[i%people])
		c.OK("SELECT " + mailbox)
		c.Idle()
		all = append(all, c)
	}
	used := s.Memory()
	for range 20 { // what the handshakes left is given back when they are over
		if int(used>>20) <= limit {
			break
		}
		time.Sleep(100 * time.Millisecond)
		used = s.Memory()
	}
	cpu, began := s.CPU(), time.Now()
	if r := testkit.Send(t, at.SMTP, names[0], []string{"talk@lists.example.org"}, testkit.Mail("From: "+names[0], "To: talk@lists.example.org",
		"Subject: news", "Message-ID: <news@example.org>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "News.")); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	accepted := time.Since(began)
	for _, c := range all {
		if got := c.Response(); got != "* 1 EXISTS" {
			t.Fatal(got)
		}
	}
	t.Logf("%d connections over TLS: %d MB resident, %d MB before them; a post was accepted after %v, all were told after %v and %v of CPU",
		len(all), used>>20, fresh>>20, accepted.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), s.CPU()-cpu)
	if int(used>>20) > limit {
		t.Errorf("%d connections hold %d MB", len(all), used>>20)
	}
	if log := s.Log(); strings.Contains(log, "level\":\"ERROR") {
		t.Error(log)
	}
}
