package app

import (
	"context"
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

// Repeat does a periodic job until ctx ends.
func (a *App) Repeat(ctx context.Context, name string, every time.Duration, run func(context.Context) error) {
	a.repeat(ctx, job{name, every, run})
}
