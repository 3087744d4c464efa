package tlsrpt_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/tlsrpt"
)

func TestDestinations(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []string
		want    string
	}{
		{"a mail address", []string{"v=TLSRPTv1; rua=mailto:tls@example.com"}, "mailto:tls@example.com"},
		{"several", []string{"v=TLSRPTv1;rua=mailto:tls@example.com , https://example.com/v1/tls;"}, "mailto:tls@example.com https://example.com/v1/tls"},
		{"an extension before it", []string{"v=TLSRPTv1; x=y; rua=mailto:tls@example.com; z=1"}, "mailto:tls@example.com"},
		{"beside other records", []string{"v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@example.com"}, "mailto:a@example.com"},
		{"space before the semicolon", []string{"v=TLSRPTv1 ;rua=mailto:a@example.com"}, "mailto:a@example.com"},
		{"two records are none", []string{"v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; rua=mailto:b@example.com"}, ""},
		{"another version", []string{"v=TLSRPTv10; rua=mailto:a@example.com"}, ""},
		{"the version last", []string{"rua=mailto:a@example.com; v=TLSRPTv1;"}, ""},
		{"nothing", nil, ""},
		{"no rua", []string{"v=TLSRPTv1;"}, ""},
		{"in clear", []string{"v=TLSRPTv1; rua=http://example.com/,ftp://example.com/x"}, ""},
		{"two addresses in one", []string{"v=TLSRPTv1; rua=mailto:a@example.com%2Cb@example.com"}, ""},
		{"a line end", []string{"v=TLSRPTv1; rua=mailto:a@example.com%0D%0ABcc:b@example.com"}, ""},
		{"a password", []string{"v=TLSRPTv1; rua=https://u:p@example.com/"}, ""},
		{"no host", []string{"v=TLSRPTv1; rua=https:///x"}, ""},
		{"the same again and too many", []string{"v=TLSRPTv1; rua=mailto:a@x.example,mailto:a@x.example,mailto:b@x.example,mailto:c@x.example,mailto:d@x.example,mailto:e@x.example"},
			"mailto:a@x.example mailto:b@x.example mailto:c@x.example mailto:d@x.example"},
		{"too long", []string{"v=TLSRPTv1; x=" + strings.Repeat("y", 5000) + "; rua=mailto:a@example.com"}, ""},
	} {
		if got := strings.Join(tlsrpt.Destinations(c.records), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if a := tlsrpt.MailAddress("mailto:tls%2Breports@example.com?subject=x"); a != "tls+reports@example.com" {
		t.Errorf("%q", a)
	}
}

func report() *tlsrpt.Report {
	counts := []model.TLSCount{
		{Policy: "sts", MXHost: "mx1.example.com", Sessions: 5326},
		{Policy: "sts", MXHost: "mx1.example.com", IP: "2001:db8::1", Result: "certificate-expired", Sessions: 3},
		{Policy: "sts", MXHost: "mx2.example.com", IP: "192.0.2.2", Result: "starttls-not-supported", Sessions: 200},
		{Policy: "sts", Result: "sts-policy-fetch-error", Sessions: 1},
		{Policy: "no-policy-found", MXHost: "mx3.example.com", Sessions: 7},
	}
	return tlsrpt.New(tlsrpt.Origin{Host: "lists.example.org", Contact: "postmaster@example.org",
		Sender: func(ip string) string {
			if strings.Contains(ip, ":") {
				return "2001:db8::99"
			}
			return "198.51.100.9"
		},
		Policy: func(kind string, hosts []string) ([]string, []string) {
			if kind != "sts" {
				return nil, nil
			}
			if want := []string{"mx1.example.com", "mx2.example.com"}; !slices.Equal(hosts, want) {
				panic(hosts)
			}
			return []string{"version: STSv1", "mode: enforce", "mx: *.example.com", "max_age: 86400"}, []string{"*.example.com"}
		}}, time.Date(2026, 4, 1, 13, 0, 0, 0, time.UTC), "example.com", counts)
}

// TestReport holds a report against the schema of RFC 8460 4.4, field by field.
func TestReport(t *testing.T) {
	z, err := report().Gzip()
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := schema(got); err != nil {
		t.Errorf("%v:\n%s", err, text)
	}
	p := got["policies"].([]any)
	if len(p) != 2 {
		t.Fatalf("%d policies", len(p))
	}
	sum := p[1].(map[string]any)["summary"].(map[string]any)
	if sum["total-successful-session-count"] != 5326.0 || sum["total-failure-session-count"] != 204.0 {
		t.Errorf("%v", sum)
	}
	first := p[1].(map[string]any)["failure-details"].([]any)[0].(map[string]any)
	if first["result-type"] != "starttls-not-supported" || first["sending-mta-ip"] != "198.51.100.9" || first["receiving-ip"] != "192.0.2.2" {
		t.Errorf("%v", first)
	}
	if again, _ := report().Gzip(); !bytes.Equal(z, again) {
		t.Error("the same day gives two reports")
	}
}

// schema is RFC 8460 4.4: which fields there are, of what form, which may be
// left out.
func schema(r map[string]any) error {
	str := func(m map[string]any, key string) (string, error) {
		s, ok := m[key].(string)
		if !ok || s == "" {
			return "", fmt.Errorf("%s is %v", key, m[key])
		}
		return s, nil
	}
	only := func(m map[string]any, keys ...string) error {
		for k := range m {
			if !slices.Contains(keys, k) {
				return fmt.Errorf("there is no field %q", k)
			}
		}
		return nil
	}
	if err := only(r, "organization-name", "date-range", "contact-info", "report-id", "policies"); err != nil {
		return err
	}
	for _, k := range []string{"organization-name", "contact-info", "report-id"} {
		if _, err := str(r, k); err != nil {
			return err
		}
	}
	dates, _ := r["date-range"].(map[string]any)
	var at [2]time.Time
	for i, k := range []string{"start-datetime", "end-datetime"} {
		s, err := str(dates, k)
		if err != nil {
			return err
		}
		if at[i], err = time.Parse(time.RFC3339, s); err != nil || !strings.HasSuffix(s, "Z") {
			return fmt.Errorf("%s: %q, %v", k, s, err)
		}
	}
	if at[0].Hour()+at[0].Minute()+at[0].Second() != 0 || at[1].Sub(at[0]) != 24*time.Hour-time.Second {
		return fmt.Errorf("%v is no day", at)
	}
	policies, ok := r["policies"].([]any)
	if !ok || len(policies) == 0 {
		return fmt.Errorf("policies is %v", r["policies"])
	}
	for _, p := range policies {
		if err := policySchema(p.(map[string]any), str, only); err != nil {
			return err
		}
	}
	return nil
}

func policySchema(p map[string]any, str func(map[string]any, string) (string, error), only func(map[string]any, ...string) error) error {
	policy, _ := p["policy"].(map[string]any)
	sum, _ := p["summary"].(map[string]any)
	if err := only(p, "policy", "summary", "failure-details"); err != nil {
		return err
	}
	if err := only(policy, "policy-type", "policy-string", "policy-domain", "mx-host"); err != nil {
		return err
	}
	kind, err := str(policy, "policy-type")
	if err != nil || !slices.Contains([]string{"tlsa", "sts", "no-policy-found"}, kind) {
		return fmt.Errorf("policy-type %q", kind)
	}
	if _, err := str(policy, "policy-domain"); err != nil {
		return err
	}
	for _, k := range []string{"policy-string", "mx-host"} {
		texts, isList := policy[k].([]any)
		if policy[k] != nil && !isList || kind == "sts" && len(texts) == 0 {
			return fmt.Errorf("%s is %v", k, policy[k])
		}
	}
	var counts [2]float64
	for i, k := range []string{"total-successful-session-count", "total-failure-session-count"} {
		n, ok := sum[k].(float64)
		if !ok || n < 0 {
			return fmt.Errorf("%s is %v", k, sum[k])
		}
		counts[i] = n
	}
	results := []string{"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted", "validation-failure",
		"tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"} // 4.3
	failures, _ := p["failure-details"].([]any)
	all := 0.0
	for _, f := range failures {
		m := f.(map[string]any)
		if err := only(m, "result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "failed-session-count",
			"additional-information", "failure-reason-code"); err != nil {
			return err
		}
		if s, err := str(m, "result-type"); err != nil || !slices.Contains(results, s) {
			return fmt.Errorf("result-type %q", s)
		}
		for _, k := range []string{"sending-mta-ip", "receiving-ip"} {
			if s, ok := m[k].(string); ok {
				if _, err := netip.ParseAddr(s); err != nil {
					return fmt.Errorf("%s: %w", k, err)
				}
			}
		}
		n, ok := m["failed-session-count"].(float64)
		if !ok || n < 1 {
			return fmt.Errorf("failed-session-count is %v", m["failed-session-count"])
		}
		all += n
	}
	if all != counts[1] {
		return fmt.Errorf("%v failures, the sum is %v", all, counts[1])
	}
	return nil
}

// TestMessage reads the mail with another reader, against RFC 8460 5.3.
func TestMessage(t *testing.T) {
	r := report()
	z, err := r.Gzip()
	if err != nil {
		t.Fatal(err)
	}
	raw := r.Message("tls@example.com", z, time.Date(2026, 4, 2, 1, 0, 0, 0, time.UTC))
	for l := range bytes.Lines(raw) {
		if len(l) > 80 || !bytes.HasSuffix(l, []byte("\r\n")) {
			t.Errorf("the line %q", l)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Trim(m.Header.Get("Message-ID"), "<>")
	for k, want := range map[string]string{
		"TLS-Report-Domain": "example.com", "TLS-Report-Submitter": "lists.example.org", "To": "<tls@example.com>",
		"Subject":        "Report Domain: example.com Submitter: lists.example.org Report-ID: <" + id + ">",
		"Auto-Submitted": "auto-generated",
	} {
		if got := m.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "tlsrpt" {
		t.Fatalf("%s %v %v", kind, params, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	if p, err := parts.NextPart(); err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
		t.Fatal(p, err)
	}
	p, err := parts.NextPart()
	if err != nil || p.Header.Get("Content-Type") != "application/tlsrpt+gzip" || p.FileName() != "lists.example.org!example.com!1775001600!1775087999.json.gz" {
		t.Fatal(p.Header, p.FileName(), err)
	}
	body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
	if err != nil || !bytes.Equal(body, z) {
		t.Errorf("%d octets of %d, %v", len(body), len(z), err)
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Error(err)
	}
}
