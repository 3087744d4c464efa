package dns_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"plenary/internal/testkit/dns"
)

func TestGoResolverReadsIt(t *testing.T) {
	s, err := dns.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.MX("example.org", 10, "mx.example.org")
	s.MX("null.example", 0, ".")
	s.Host("mx.example.org", "127.0.0.2", "::1")
	s.TXT("example.org", strings.Repeat("x", 700))
	s.CNAME("www.example.org", "mx.example.org")
	s.Fail("broken.example", dnsmessage.RCodeServerFailure)
	s.SmallUDP()
	r, ctx := s.Resolver(), context.Background()
	if mx, err := r.LookupMX(ctx, "example.org."); err != nil || len(mx) != 1 || mx[0].Host != "mx.example.org." || mx[0].Pref != 10 {
		t.Errorf("MX: %v, %v", mx, err)
	}
	if mx, err := r.LookupMX(ctx, "null.example."); err != nil || len(mx) != 1 || mx[0].Host != "." {
		t.Errorf("null MX: %v, %v", mx, err)
	}
	if a, err := r.LookupNetIP(ctx, "ip", "www.example.org."); err != nil || len(a) != 2 {
		t.Errorf("addresses through a CNAME: %v, %v", a, err)
	}
	if txt, err := r.LookupTXT(ctx, "example.org."); err != nil || len(txt) != 1 || len(txt[0]) != 700 {
		t.Errorf("long TXT by TCP: %v, %v", txt, err)
	}
	var de *net.DNSError
	if _, err := r.LookupMX(ctx, "absent.example."); !errors.As(err, &de) || !de.IsNotFound {
		t.Errorf("no such name: %v", err)
	}
	if _, err := r.LookupMX(ctx, "broken.example."); !errors.As(err, &de) || de.IsNotFound || !de.IsTemporary {
		t.Errorf("SERVFAIL: %v", err)
	}
	if n := s.Asked("example.org", dnsmessage.TypeMX); n != 1 {
		t.Errorf("MX asked %d times", n)
	}
}
