package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"plenary/internal/fault"
	"plenary/internal/list/posting"
	"plenary/internal/mail/address"
	"plenary/internal/model"
	"plenary/internal/outbound/route"
	"plenary/internal/outbound/tlsrpt"
	"plenary/internal/store"
)

// Limits of sending reports on TLS.
const (
	reportEvery   = 30 * time.Minute
	reportFirst   = 10 * time.Minute // after midnight: every node has written its counts
	reportSpread  = 4 * time.Hour    // RFC 8460 4.1 asks not to send all at once
	reportBatch   = 200              // domains looked at at a time
	reportAtOnce  = 8
	reportTLSA    = 4       // hosts whose records are told
	reportAnswer  = 4 << 10 // octets read of an answer to a POST
	reportTimeout = 30 * time.Second
)

// tlsReporter sends the reports on TLS (RFC 8460) of yesterday to the domains
// that ask for them, until today is over. That a report was made is noted in the
// transaction that queues it, so each is mailed once, whatever becomes of us; a
// POST may be repeated after a crash, with the same report-id.
type tlsReporter struct {
	store   *store.Store
	dns     route.DNS
	keys    posting.Keys
	client  *http.Client
	host    string
	contact address.Address
	port    string // of mail hosts
	log     *slog.Logger
}

// newTLSReporter makes it; nil where no reports are wanted.
func (a *App) newTLSReporter(names route.DNS) (*tlsReporter, error) {
	text := a.Config.Outbound.TLSReports
	if text == "" {
		return nil, nil
	}
	contact, err := address.Parse(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "outbound.tls_reports must be an address")
	}
	return &tlsReporter{store: a.Store, dns: names, keys: a.keys, client: a.https(), host: a.Config.Hostname, contact: contact,
		port: a.Config.Outbound.MXPort, log: a.Log}, nil
}

// reportTLS is the periodic job.
func (a *App) reportTLS(ctx context.Context) error { return a.tlsReports.run(ctx, time.Now()) }

// run sends what is due.
func (t *tlsReporter) run(ctx context.Context, now time.Time) error {
	yesterday := now.UTC().AddDate(0, 0, -1)
	day := yesterday.Format(time.DateOnly)
	signs, err := t.keys.For(ctx, t.contact.Domain)
	if err != nil {
		return err
	}
	sent, unsigned := 0, 0
	for after := ""; ; {
		domains, err := t.store.UnreportedTLS(ctx, day, after, reportBatch)
		if err != nil {
			return err
		}
		if len(domains) == 0 {
			break
		}
		after = domains[len(domains)-1]
		var mu sync.Mutex
		var wg sync.WaitGroup
		var none []string
		slots := make(chan struct{}, reportAtOnce)
		for _, d := range domains {
			if !t.due(d, now) {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				how := t.report(ctx, yesterday, d, now, len(signs) > 0)
				mu.Lock()
				defer mu.Unlock()
				switch how {
				case reportNotWanted:
					none = append(none, d)
				case reportSent:
					sent++
				case reportUnsigned:
					unsigned++
				}
			})
		}
		wg.Wait()
		if err := t.store.SkipTLSReports(ctx, day, none); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if unsigned > 0 {
		t.log.Warn("reports on TLS wait, because they must be signed: plenary dkim create "+t.contact.Domain, "reports", unsigned)
	}
	if sent > 0 {
		t.log.Info("reports on TLS were sent", "day", day, "reports", sent)
	}
	return nil
}

// due reports whether the hour of a domain's report has come.
func (t *tlsReporter) due(domain string, now time.Time) bool {
	h := fnv.New32a()
	_, _ = io.WriteString(h, t.host+" "+domain)
	wait := reportFirst + time.Duration(h.Sum32())%reportSpread
	return now.Sub(now.UTC().Truncate(24*time.Hour)) >= wait
}

// reportOutcome is how a report fared.
type reportOutcome uint8

const (
	reportLater reportOutcome = iota // tried again next time
	reportNotWanted
	reportSent
	reportUnsigned // it may only go by mail and there is no key
)

// report makes and sends one domain's report.
func (t *tlsReporter) report(ctx context.Context, day time.Time, domain string, now time.Time, signed bool) reportOutcome {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if strings.HasPrefix(domain, "[") {
		return reportNotWanted
	}
	txt, err := t.dns.TXT(ctx, tlsrpt.Prefix+domain)
	if err != nil {
		return reportLater
	}
	to := tlsrpt.Destinations(txt.Records)
	if len(to) == 0 {
		return reportNotWanted
	}
	counts, err := t.store.TLSCountsOf(ctx, day.Format(time.DateOnly), domain)
	if err != nil {
		return reportLater
	}
	r := tlsrpt.New(tlsrpt.Origin{Host: t.host, Contact: t.contact.String(), Sender: t.sender(ctx),
		Policy: func(kind string, hosts []string) ([]string, []string) { return t.policy(ctx, kind, domain, hosts) }}, day, domain, counts)
	zipped, err := r.Gzip()
	if err != nil {
		t.log.Error("a report on TLS cannot be written", "domain", domain, "err", err)
		return reportLater
	}
	var sent []string
	var letters []store.ReportLetter
	unsigned := false
	for _, uri := range to {
		mail := tlsrpt.MailAddress(uri)
		switch {
		case mail != "" && !signed:
			unsigned = true // who gets it would have to ignore it (RFC 8460 3)
			continue
		case mail != "":
			letters = append(letters, store.ReportLetter{Distribution: model.Distribution{Lane: model.LaneLetters, Recipient: mail},
				Data: r.Message(mail, zipped, now)})
		default:
			if err := t.post(ctx, uri, zipped); err != nil {
				t.log.Warn("a report on TLS was not taken", "domain", domain, "uri", uri, "err", err)
				continue
			}
		}
		sent = append(sent, uri)
	}
	if len(sent) == 0 && unsigned {
		return reportUnsigned
	}
	if len(sent) == 0 {
		return reportLater
	}
	fresh, err := t.store.SaveTLSReport(ctx, model.TLSReport{Day: day.Format(time.DateOnly), Domain: domain, SentTo: strings.Join(sent, " "), At: model.At(now)}, letters)
	if err != nil {
		t.log.Warn("a report on TLS was not noted", "domain", domain, "err", err)
	}
	if !fresh {
		return reportLater
	}
	return reportSent
}

// post hands a report to an HTTPS endpoint (RFC 8460 5.4).
func (t *tlsReporter) post(ctx context.Context, uri string, zipped []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, bytes.NewReader(zipped))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/tlsrpt+gzip")
	resp, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, reportAnswer)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s", resp.Status) // redirects too: they are not followed
	}
	return nil
}

// sender tells our own address towards another: that of our host name of the
// same family, which is the public one also behind a translator of addresses.
func (t *tlsReporter) sender(ctx context.Context) func(string) string {
	ours, err := t.dns.Addrs(ctx, t.host)
	return func(ip string) string {
		to, perr := netip.ParseAddr(ip)
		if err != nil || perr != nil {
			return ""
		}
		for _, a := range ours.Records {
			if a.Is4() == to.Is4() {
				return a.String()
			}
		}
		return ""
	}
}

// policy is the text of the policy that is known of a domain.
func (t *tlsReporter) policy(ctx context.Context, kind, domain string, hosts []string) (text, patterns []string) {
	switch route.PolicyType(kind) {
	case route.PolicySTS:
		p, err := t.store.FindSTSPolicy(ctx, domain)
		if p == nil || err != nil {
			return nil, nil
		}
		text = []string{"version: STSv1", "mode: " + p.Mode}
		for _, m := range p.Patterns() {
			text = append(text, "mx: "+m)
		}
		return append(text, fmt.Sprintf("max_age: %d", p.MaxAge)), p.Patterns()
	case route.PolicyTLSA:
		v, ok := t.dns.(route.Validating)
		for _, h := range hosts[:min(len(hosts), reportTLSA)] {
			if !ok {
				break
			}
			a, err := v.TLSA(ctx, "_"+t.port+"._tcp."+h)
			if err != nil {
				continue
			}
			for _, r := range a.Records {
				text = append(text, fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.Matching, hex.EncodeToString(r.Data)))
			}
		}
	}
	return text, nil
}
