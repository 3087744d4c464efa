package app

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// TestFetchPolicy asks a server on loopback that has a certificate for
// example.com and its subdomains.
func TestFetchPolicy(t *testing.T) {
	const text = "version: STSv1\r\nmode: none\r\nmax_age: 1\r\n"
	plain := func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain; charset=utf-8") }
	for _, c := range []struct {
		name   string
		serve  http.HandlerFunc
		domain string
		err    string
	}{
		{"good", func(w http.ResponseWriter, _ *http.Request) { plain(w); _, _ = w.Write([]byte(text)) }, "example.com", ""},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "example.com", "302"},
		{"absent", http.NotFound, "example.com", "404"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "example.com", "text/plain"},
		{"too long", func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			_, _ = w.Write([]byte(strings.Repeat("x", 70000)))
		}, "example.com", "longer"},
		{"another name", func(w http.ResponseWriter, _ *http.Request) { plain(w) }, "example.org", "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked string
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Host + r.URL.Path
				c.serve(w, r)
			}))
			s.Config.ErrorLog = nil
			s.StartTLS()
			defer s.Close()
			f := &stsFetcher{publicClient(func(netip.Addr) bool { return true })}
			tr := f.client.Transport.(*http.Transport)
			// The wildcard of httptest's certificate stands for one label.
			tr.TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
			}
			got, err := f.Policy(t.Context(), c.domain)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil || string(got) != text || asked != "mta-sts.example.com/.well-known/mta-sts.txt" {
				t.Errorf("%q, %v, asked for %s", got, err, asked)
			}
		})
	}
}

// TestPolicyHostsArePublic: a name that leads to our own machines is not
// followed.
func TestPolicyHostsArePublic(t *testing.T) {
	f := &stsFetcher{publicClient(nil)}
	tr := f.client.Transport.(*http.Transport)
	for _, at := range []string{"127.0.0.1:443", "10.0.0.1:443", "[::1]:443"} {
		if _, err := tr.DialContext(t.Context(), "tcp", at); err == nil || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("%s: %v", at, err)
		}
	}
}
