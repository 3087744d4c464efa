package app

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"plenary/internal/outbound/route"
)

// Limits of fetching a policy (RFC 8461 3.3 suggests 64 kB and a minute).
const (
	maxPolicyBody   = 64 << 10
	policyTimeout   = 20 * time.Second
	policyHeaders   = 16 << 10
	policyIdle      = 2 // connections kept; each domain has a host of its own
	policyIdleFor   = 5 * time.Second
	policyDialAfter = 10 * time.Second
)

// publicClient asks hosts that strangers name: at public addresses only, without
// following redirects. allowed says which addresses may be asked; nil is
// route.Public.
func publicClient(allowed func(netip.Addr) bool) *http.Client {
	if allowed == nil {
		allowed = route.Public
	}
	d := &net.Dialer{Timeout: policyDialAfter, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr()) {
			return fmt.Errorf("%s is not a public address", address)
		}
		return nil
	}}
	return &http.Client{
		Timeout: policyTimeout,
		// No proxy: the address could not be checked, and the certificate must
		// be the host's own.
		Transport: &http.Transport{DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: policyDialAfter,
			MaxResponseHeaderBytes: policyHeaders, MaxIdleConns: policyIdle, IdleConnTimeout: policyIdleFor},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// https is the client for what strangers name.
func (a *App) https() *http.Client {
	if a.client == nil {
		a.client = publicClient(nil)
	}
	return a.client
}

// stsFetcher gets MTA-STS policies by HTTPS; it is a route.Fetcher.
type stsFetcher struct{ client *http.Client }

// Policy implements route.Fetcher.
func (f *stsFetcher) Policy(ctx context.Context, domain string) ([]byte, error) {
	url := "https://mta-sts." + domain + "/.well-known/mta-sts.txt"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status) // redirects too (RFC 8461 3.3)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); !strings.EqualFold(kind, "text/plain") {
		return nil, fmt.Errorf("%s: its type is %.60q, not text/plain", url, resp.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPolicyBody+1))
	if err == nil && len(text) > maxPolicyBody {
		err = fmt.Errorf("%s: it is longer than %d octets", url, maxPolicyBody)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
