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
	"plenary/internal/list/archive"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/bulk"
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
func TestIdleConnectionsCostLittle(t *testing.T) { idleConnections(t, 0) }

// TestIdleConnectionsCostLittleAfterWork: the same when the server has served
// everything before, and has had a moment to put things away.
func TestIdleConnectionsCostLittleAfterWork(t *testing.T) {
	posts := 4000
	if testing.Short() {
		posts = 300
	}
	idleConnections(t, posts)
}

const (
	restLimit = 70  // MB that a server at rest holds
	idleLimit = 150 // with 2,000 connections
)

func idleConnections(t *testing.T, posts int) {
	people, each := 40, 50
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
	fill(t, a, list, posts)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	cert, key := certFiles(t, dir)
	s := testkit.Launch(t, testkit.Env(dir, "PLENARY_IMAP_TLS_LISTEN=127.0.0.1:0", "PLENARY_TLS_CERT_FILE="+cert, "PLENARY_TLS_KEY_FILE="+key))
	at := s.Ready()
	fresh := s.Memory()
	if posts > 0 {
		askEverything(testkit.DialIMAP(t, at.IMAP, names[0], passwords[0]))
		worked := s.Memory()
		fresh = settled(s, restLimit, time.Minute)
		t.Logf("%d MB after work, %d MB at rest", worked>>20, fresh>>20)
		if fresh>>20 > restLimit {
			t.Errorf("%d MB are held at rest", fresh>>20)
		}
	}
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
	used := settled(s, idleLimit, 2*time.Second) // what the handshakes left is given back when they are over
	cpu, began := s.CPU(), time.Now()
	if r := testkit.Send(t, at.SMTP, names[0], []string{"talk@lists.example.org"}, testkit.Mail("From: "+names[0], "To: talk@lists.example.org",
		"Subject: news", "Message-ID: <news@example.org>", "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", "News.")); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	accepted := time.Since(began)
	for _, c := range all {
		if got := c.Response(); got != fmt.Sprintf("* %d EXISTS", posts+1) {
			t.Fatal(got)
		}
	}
	t.Logf("%d connections over TLS: %d MB resident, %d MB before them; a post was accepted after %v, all were told after %v and %v of CPU",
		len(all), used>>20, fresh>>20, accepted.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), s.CPU()-cpu)
	if used>>20 > idleLimit {
		t.Errorf("%d connections hold %d MB", len(all), used>>20)
	}
	if log := s.Log(); strings.Contains(log, "level\":\"ERROR") {
		t.Error(log)
	}
}

// settled is what the server holds: at once when that is within the limit, else
// when it is, or patience ends.
func settled(s *testkit.Serve, limit int64, patience time.Duration) int64 {
	held := s.Memory()
	for end := time.Now().Add(patience); held>>20 > limit && time.Now().Before(end); held = s.Memory() {
		time.Sleep(100 * time.Millisecond)
	}
	return held
}

// fill imports made posts.
func fill(t *testing.T, a *app.App, list *model.List, posts int) {
	g := bulk.New(bulk.Options{Seed: 1, Largest: 12000})
	for at := 0; at < posts; at += 250 {
		var batch []*model.NewPost
		for range min(250, posts-at) {
			m := g.Next()
			batch = append(batch, archive.Make(list, m.Raw, nil, model.At(m.ReceivedAt), true))
		}
		if n, err := a.Store.ImportPosts(context.Background(), list.ID, batch, "bulk", int64(at)); err != nil || n != len(batch) {
			t.Fatal(n, err)
		}
	}
}

// askEverything asks what mail programs ask, of all posts, and leaves.
func askEverything(c *testkit.IMAP) {
	c.OK("SELECT " + mailbox)
	for _, command := range []string{
		"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", "FETCH 1:* (BODYSTRUCTURE)", "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])",
		"FETCH 1:* (BODY.PEEK[HEADER])", "FETCH 1:* (BODY.PEEK[])", "SORT (DATE) UTF-8 ALL", "SORT (SUBJECT FROM) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
		"SEARCH TEXT a", "SEARCH BODY e", "SEARCH FROM user", "SEARCH SUBJECT r", "SEARCH SINCE 1-Jan-2005",
	} {
		c.OK(command)
	}
	for n := 1; n < 200; n++ {
		c.OK(fmt.Sprintf("FETCH %d (BODY.PEEK[])", n))
	}
	c.OK("LOGOUT")
	_ = c.Close()
}
