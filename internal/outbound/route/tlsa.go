package route

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// TLSA is a record that names a certificate or key of a host (RFC 6698 2.1).
type TLSA struct {
	Usage    uint8 // 2: an anchor of its chain, 3: its own; 0 and 1 are not used in SMTP (RFC 7672 3.1.3)
	Selector uint8 // 0: the certificate, 1: its public key
	Matching uint8 // 0: Data is all of it, 1: its SHA-256, 2: its SHA-512
	Data     []byte
}

const (
	usageAnchor = 2
	usageOwn    = 3
	maxTLSA     = 32 // records of a host
)

var errDANE = errors.New("no TLSA record fits the certificate")

// usable reports whether the record can be used in SMTP (RFC 7672 3.1).
func (t TLSA) usable() bool {
	size, known := map[uint8]int{0: 0, 1: sha256.Size, 2: sha512.Size}[t.Matching]
	return (t.Usage == usageAnchor || t.Usage == usageOwn) && t.Selector <= 1 && known &&
		len(t.Data) > 0 && (size == 0 || len(t.Data) == size)
}

// fits reports whether the record names c.
func (t TLSA) fits(c *x509.Certificate) bool {
	of := c.Raw
	if t.Selector == 1 {
		of = c.RawSubjectPublicKeyInfo
	}
	switch t.Matching {
	case 1:
		sum := sha256.Sum256(of)
		of = sum[:]
	case 2:
		sum := sha512.Sum512(of)
		of = sum[:]
	}
	return bytes.Equal(of, t.Data)
}

// dane asks for a host's TLSA records, and gives how long the answer holds (0: not
// known): who changes a certificate waits for that time only (RFC 7671 8.1). A host
// whose records cannot be told is not to be used (RFC 7672 2.1.1).
func (r *Router) dane(ctx context.Context, h *Host) (time.Duration, error) {
	v, ok := r.o.DNS.(Validating)
	if !ok {
		return 0, nil
	}
	a, err := v.TLSA(ctx, "_"+r.o.Port+"._tcp."+h.Name)
	if err != nil {
		return 0, fmt.Errorf("TLSA of %s: %w", h.Name, err)
	}
	if !a.Secure || len(a.Records) == 0 {
		return a.TTL, nil
	}
	h.dane = true
	for _, t := range a.Records[:min(len(a.Records), maxTLSA)] {
		if t.usable() {
			h.tlsa = append(h.tlsa, t)
		}
	}
	return a.TTL, nil
}

// verify holds the certificates of a connection against the records. With usage
// 3 neither names nor dates matter (RFC 7672 3.1.1); with 2 the chain must end
// in the anchor and the certificate must be for the host. RFC 7672 3.2.2 would let the
// recipients' domain do as well, but a connection is for all domains of the host: who
// has a certificate for one of them must not get the mail of the others.
func verify(records []TLSA, certs []*x509.Certificate, host string, now time.Time) error {
	if len(certs) == 0 {
		return errDANE
	}
	var anchors, others *x509.CertPool
	for _, t := range records {
		if t.Usage == usageOwn {
			if t.fits(certs[0]) {
				return nil
			}
			continue
		}
		for _, c := range certs {
			if t.fits(c) {
				if anchors == nil {
					anchors = x509.NewCertPool()
				}
				anchors.AddCert(c)
			}
		}
		if t.Selector == 0 && t.Matching == 0 { // the anchor itself, which the server need not send
			if c, err := x509.ParseCertificate(t.Data); err == nil {
				if anchors == nil {
					anchors = x509.NewCertPool()
				}
				anchors.AddCert(c)
			}
		}
	}
	if anchors == nil {
		return errDANE
	}
	others = x509.NewCertPool()
	for _, c := range certs[1:] {
		others.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: anchors, Intermediates: others, DNSName: host, CurrentTime: now})
	return err
}

// daneConfig is TLS for a host with TLSA records that can be used.
func (r *Router) daneConfig(cfg *tls.Config, h *Host) {
	cfg.InsecureSkipVerify = true // VerifyConnection does it
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		return verify(h.tlsa, s.PeerCertificates, h.Name, r.o.Now())
	}
}
