package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"plenary/internal/list/keys"
)

// CertCheck is how often certificates are looked at.
const CertCheck = certCheck

// LoadTLS gives the TLS of the doors, read as when they open, to tests.
func LoadTLS(certFile, keyFile string, now func() time.Time) (*tls.Config, error) {
	c := newCertificate(certFile, keyFile, now)
	return c.config(), c.load()
}

// CheckRelays gives checkRelays to tests.
func (a *App) CheckRelays() error { return a.checkRelays() }

// Repeat does a periodic job until ctx ends.
func (a *App) Repeat(ctx context.Context, name string, every time.Duration, run func(context.Context) error) {
	a.repeat(ctx, job{name, every, run})
}

// Outside lets the direct way out believe these certificates only, and finds
// MTA-STS policies at this address. It is called before Ready.
func (a *App) Outside(roots *x509.CertPool, https string) {
	a.outTLS = &tls.Config{RootCAs: roots}
	a.client = publicClient(func(netip.Addr) bool { return true })
	tr := a.client.Transport.(*http.Transport)
	tr.TLSClientConfig = &tls.Config{RootCAs: roots}
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, https)
	}
}

// ReportTLS sends the reports on TLS that are due at a moment.
func (a *App) ReportTLS(ctx context.Context, now time.Time) error { return a.tlsReports.run(ctx, now) }

// WriteTLSCounts writes the counts of TLS sessions down now.
func (a *App) WriteTLSCounts(ctx context.Context) { a.writeTLSCounts(ctx) }

// ForgetKeys lets keys of DKIM be read anew.
func (a *App) ForgetKeys() { a.keys.Now = func() time.Time { return time.Now().Add(keys.Refresh) } }

// TakePart lets a node say that it lives.
func (a *App) TakePart(ctx context.Context) { a.takePart(ctx) }

// Part is which of the nodes that send this is.
func (a *App) Part() (node, nodes int) {
	a.partMu.Lock()
	defer a.partMu.Unlock()
	return a.part[0], a.part[1]
}
