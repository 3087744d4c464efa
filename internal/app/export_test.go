package app

import (
	"crypto/tls"
	"time"
)

// CertCheck is how often certificates are looked at.
const CertCheck = certCheck

// LoadTLS gives loadTLS to tests.
func LoadTLS(certFile, keyFile string, now func() time.Time) (*tls.Config, error) {
	return loadTLS(certFile, keyFile, now)
}

// CheckRelays gives checkRelays to tests.
func (a *App) CheckRelays() error { return a.checkRelays() }
