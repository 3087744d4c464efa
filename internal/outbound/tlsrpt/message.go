package tlsrpt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

const lineOctets = 57 // before base64: lines of 76 (RFC 2045 6.8)

// Message is the report as a mail (RFC 8460 5.3), from the contact address, with
// CRLF line ends and without a signature. To is an address.
func (r *Report) Message(to string, zipped []byte, now time.Time) []byte {
	boundary := "tlsrpt-" + strings.ReplaceAll(strings.Split(r.ID, "@")[0], ".", "-")
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("From: TLS reports <%s>", r.Contact)
	line("To: <%s>", to)
	line("Date: %s", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	line("Message-ID: <%s>", r.ID)
	line("Subject: Report Domain: %s", r.domain) // the words are the RFC's
	line(" Submitter: %s", r.submitter)
	line(" Report-ID: <%s>", r.ID)
	line("TLS-Report-Domain: %s", r.domain) // by which list/posting knows it
	line("TLS-Report-Submitter: %s", r.submitter)
	line("Auto-Submitted: auto-generated")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	line("This is the report of %s on TLS with the mail hosts of", r.submitter)
	line("%s on %s (RFC 8460).", r.domain, r.Dates.Start.Format(time.DateOnly))
	line("")
	line("--%s", boundary)
	line("Content-Type: application/tlsrpt+gzip")
	line("Content-Transfer-Encoding: base64")
	line("Content-Disposition: attachment;\r\n\tfilename=\"%s\"", r.file())
	line("")
	for len(zipped) > 0 {
		n := min(len(zipped), lineOctets)
		line("%s", base64.StdEncoding.EncodeToString(zipped[:n]))
		zipped = zipped[n:]
	}
	line("")
	line("--%s--", boundary)
	return b.Bytes()
}
