package route

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

func TestTLSA(t *testing.T) {
	now := time.Now()
	key := func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k }
	caKey, leafKey := key(), key()
	caTpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	issue := func(tpl, parent *x509.Certificate, pub *ecdsa.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, tpl, parent, pub, by)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := x509.ParseCertificate(der)
		return c
	}
	ca := issue(caTpl, caTpl, &caKey.PublicKey, caKey)
	leaf := issue(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"mx.example"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)},
		ca, &leafKey.PublicKey, caKey)
	sum256 := func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	sum512 := func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }
	chain := []*x509.Certificate{leaf, ca}
	later := now.Add(48 * time.Hour)
	for _, c := range []struct {
		name  string
		r     TLSA
		certs []*x509.Certificate
		host  string
		at    time.Time
		ok    bool
	}{
		{"3 1 1", TLSA{3, 1, 1, sum256(leaf.RawSubjectPublicKeyInfo)}, chain, "mx.example", now, true},
		{"3 1 1, another name, too old", TLSA{3, 1, 1, sum256(leaf.RawSubjectPublicKeyInfo)}, chain[:1], "other.example", later, true},
		{"3 0 2", TLSA{3, 0, 2, sum512(leaf.Raw)}, chain, "mx.example", now, true},
		{"3 0 0", TLSA{3, 0, 0, leaf.Raw}, chain, "mx.example", now, true},
		{"3 1 1 of the anchor", TLSA{3, 1, 1, sum256(ca.RawSubjectPublicKeyInfo)}, chain, "mx.example", now, false},
		{"2 0 1", TLSA{2, 0, 1, sum256(ca.Raw)}, chain, "mx.example", now, true},
		{"2 1 2", TLSA{2, 1, 2, sum512(ca.RawSubjectPublicKeyInfo)}, chain, "mx.example", now, true},
		{"2, another name", TLSA{2, 0, 1, sum256(ca.Raw)}, chain, "other.example", now, false},
		{"2, too old", TLSA{2, 0, 1, sum256(ca.Raw)}, chain, "mx.example", later, false},
		{"2, the anchor is not sent", TLSA{2, 0, 1, sum256(ca.Raw)}, chain[:1], "mx.example", now, false},
		{"2 0 0, the anchor is not sent", TLSA{2, 0, 0, ca.Raw}, chain[:1], "mx.example", now, true},
		{"no certificates", TLSA{3, 1, 1, sum256(leaf.RawSubjectPublicKeyInfo)}, nil, "mx.example", now, false},
	} {
		if !c.r.usable() {
			t.Errorf("%s: not usable", c.name)
		}
		if err := verify([]TLSA{c.r}, c.certs, c.host, c.at); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, r := range []TLSA{{0, 0, 1, sum256(ca.Raw)}, {1, 0, 1, sum256(ca.Raw)}, {3, 2, 1, sum256(ca.Raw)}, {3, 1, 1, []byte("short")}, {3, 1, 9, sum256(ca.Raw)}, {3, 1, 0, nil}} {
		if r.usable() {
			t.Errorf("%d %d %d is usable", r.Usage, r.Selector, r.Matching)
		}
	}
}
