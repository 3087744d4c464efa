package smtpout_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

// certificate makes one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestTLSAndAUTH(t *testing.T) {
	server, pool := certificate(t)
	trusting := &tls.Config{RootCAs: pool}
	for _, c := range []struct {
		name       string
		o          sink.Options
		mode       smtpout.TLSMode
		client     *tls.Config
		user, pass string
		err        string // part of the error of Connect, empty: it works
	}{
		{"none", sink.Options{TLS: server}, smtpout.TLSNone, nil, "", "", ""},
		{"opportunistic, nobody to trust", sink.Options{TLS: server}, "", nil, "", "", ""},
		{"opportunistic, not offered", sink.Options{}, smtpout.TLSOpportunistic, nil, "", "", ""},
		{"required", sink.Options{TLS: server}, smtpout.TLSRequired, trusting, "", "", ""},
		{"required, lower case", sink.Options{TLS: server, LowerCase: true}, smtpout.TLSRequired, trusting, "", "", ""},
		{"required, offer taken out on the way", sink.Options{}, smtpout.TLSRequired, trusting, "", "", "no STARTTLS"},
		{"required, unknown certificate", sink.Options{TLS: server}, smtpout.TLSRequired, nil, "", "", "certificate"},
		{"implicit", sink.Options{TLS: server, ImplicitTLS: true}, smtpout.TLSImplicit, trusting, "", "", ""},
		{"implicit, unknown certificate", sink.Options{TLS: server, ImplicitTLS: true}, smtpout.TLSImplicit, nil, "", "", "certificate"},
		{"password by PLAIN", sink.Options{TLS: server, Username: "u", Password: "p"}, smtpout.TLSRequired, trusting, "u", "p", ""},
		{"password by LOGIN", sink.Options{TLS: server, Username: "u", Password: "p", NoAuthPlain: true}, smtpout.TLSRequired, trusting, "u", "p", ""},
		{"wrong password", sink.Options{TLS: server, Username: "u", Password: "p"}, smtpout.TLSRequired, trusting, "u", "q", "535"},
		{"password, opportunistic, nobody to trust", sink.Options{TLS: server, Username: "u", Password: "p"}, "", nil, "u", "p", "certificate"},
		{"password, offer taken out on the way", sink.Options{Username: "u", Password: "p"}, "", nil, "u", "p", "does not go in clear"},
		{"password in clear, asked for", sink.Options{Username: "u", Password: "p"}, smtpout.TLSNone, nil, "u", "p", ""},
		{"password, no AUTH", sink.Options{TLS: server}, smtpout.TLSRequired, trusting, "u", "p", "neither AUTH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := collector(t, c.o)
			r := relay(k.Addr())
			r.TLS, r.TLSConfig, r.Username, r.Password = c.mode, c.client, c.user, c.pass
			results, err := send(t, r, plainLetters(3))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil || brief(results) != "ok 250, ok 250, ok 250" {
				t.Errorf("%s, %v", brief(results), err)
			}
		})
	}
}

// TestInjectedBeforeTLS: octets that follow the reply to STARTTLS were put there
// by somebody on the way.
func TestInjectedBeforeTLS(t *testing.T) {
	d := hello("STARTTLS").and("c< STARTTLS", "raw> 220 go\r\n250 mail\r\n")
	r := relay(peer(t, d))
	r.TLS = smtpout.TLSRequired
	if _, err := r.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "before the TLS handshake") {
		t.Errorf("%v", err)
	}
}

// TestTLSThatDoesNotWork: an offer of TLS that does not hold keeps no letter
// back where nobody asked for TLS, and every letter where somebody did.
func TestTLSThatDoesNotWork(t *testing.T) {
	offer := hello("STARTTLS").and("c< STARTTLS")
	refused := offer.and("s> 454 4.7.0 TLS not available due to local problem")
	broken := offer.and("s> 220 go", "x")
	clear := dialogue{"c< MAIL", "s> 250 ok", "c< RCPT", "s> 250 ok", "c< DATA", "s> 354 go on", "c< ...", "c< .", "s> 250 yes", "c< QUIT"}
	anew := hello("STARTTLS").and(clear...)
	for _, c := range []struct {
		name string
		ds   []dialogue
		mode smtpout.TLSMode
		user string
		told string // InClear; "-": there is none
		err  string
	}{
		{"refused", []dialogue{refused.and(clear...)}, "", "", "454 4.7.0", ""},
		{"refused, nobody to tell", []dialogue{refused.and(clear...)}, "", "", "-", ""},
		{"refused, required", []dialogue{refused}, smtpout.TLSRequired, "", "", "454 4.7.0"},
		{"refused, a password", []dialogue{refused}, "", "u", "", "454 4.7.0"},
		{"refused because it closes", []dialogue{offer.and("s> 421 4.3.2 going down")}, "", "", "", "421"},
		{"broken", []dialogue{broken, anew}, "", "", "TLS: ", ""},
		{"broken, nobody to tell", []dialogue{broken}, "", "", "-", "TLS: "},
		{"broken, required", []dialogue{broken}, smtpout.TLSRequired, "", "", "TLS: "},
		{"broken, a password", []dialogue{broken}, "", "u", "", "TLS: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := relay(peer(t, c.ds...))
			r.TLS, r.Username = c.mode, c.user
			told := ""
			if c.told != "-" {
				r.InClear = func(why error) { told += why.Error() }
			}
			results, err := send(t, r, plainLetters(1))
			switch {
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || told != ""):
				t.Errorf("%v, want %q; told %q", err, c.err, told)
			case c.err == "" && (err != nil || brief(results) != "ok 250" || !strings.Contains("-"+told, c.told)):
				t.Errorf("%s, %v; told %q", brief(results), err, told)
			}
		})
	}
}
