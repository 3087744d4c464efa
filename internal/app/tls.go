package app

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"plenary/internal/fault"
)

// How often the certificate's files are looked at.
const certCheck = time.Minute

// certificate serves a key pair from files and takes a renewed one without a
// restart.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the certificate file, when pair was read
	looked  time.Time
}

// newCertificate names the files, or gives nil without any. It reads nothing: the
// command line must work whatever has become of them.
func newCertificate(certFile, keyFile string, now func() time.Time) *certificate {
	if certFile == "" {
		return nil
	}
	return &certificate{certFile: certFile, keyFile: keyFile, now: now}
}

// config is the TLS of all doors, or nil without a certificate.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// load reads the pair for the first time; no door opens without it.
func (c *certificate) load() error {
	if c == nil {
		return nil
	}
	if _, err := c.get(nil); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read the certificate (tls.cert_file, tls.key_file)")
	}
	return nil
}

// get gives the pair, read again when its file has changed; a broken new pair
// keeps the old one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && c.now().Sub(c.looked) < certCheck {
		return c.pair, nil
	}
	c.looked = c.now()
	info, err := os.Stat(c.certFile)
	if err == nil && c.pair != nil && info.ModTime().Equal(c.changed) {
		return c.pair, nil
	}
	pair, loadErr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err == nil {
		err = loadErr
	}
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, err
	}
	c.pair, c.changed = &pair, info.ModTime()
	return c.pair, nil
}
