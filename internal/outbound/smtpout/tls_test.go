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
