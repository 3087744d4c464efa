package gen

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// assemble joins fields, in the order of the client, and body. On top stands
// the trace field of the host that took the message for the list.
func assemble(m *Message, fields map[string]string, body *entity) []byte {
	fields["Content-Type"] = body.kind
	fields["Content-Transfer-Encoding"] = body.encoding
	var out bytes.Buffer
	out.WriteString(received(m))
	for _, name := range strings.Fields(m.client.order) {
		if value := fields[name]; value != "" {
			out.WriteString(foldField(name, value))
		}
	}
	for _, f := range append(m.Author.fields[:len(m.Author.fields):len(m.Author.fields)], m.extra...) {
		name, value, _ := strings.Cut(f, ": ")
		out.WriteString(foldField(name, value))
	}
	out.WriteString("\n")
	out.Write(body.body)
	return out.Bytes()
}

// received uses the addresses for documentation, RFC 5737 and RFC 3849.
func received(m *Message) string {
	sum := digest(m.Key, "trace")
	host := "mail." + domain(m.Author.Address)
	ip := fmt.Sprintf("192.0.2.%d", 10+sum[0]%200)
	if sum[0]%5 == 0 {
		ip = fmt.Sprintf("IPv6:2001:db8:%x::%x", 16+int(sum[1]), 1+int(sum[2]))
	}
	at := m.Arrived.UTC().Add(time.Duration(2+sum[3]%7) * time.Second)
	return "Received: from " + host + " (" + host + " [" + ip + "])\n" +
		"\tby lists.example.org with ESMTPS id " + strings.ToUpper(hex.EncodeToString(sum[4:10])) + ";\n" +
		"\t" + at.Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\n"
}

// mbox joins the messages, RFC 4155 with the quoting of mboxrd: every line
// that is "From " after any number of ">" gets one more.
func mbox(msgs []*Message) []byte {
	var out bytes.Buffer
	for _, m := range msgs {
		out.WriteString("From " + m.Author.Address + " " + m.Arrived.UTC().Format(time.ANSIC) + "\n")
		for _, line := range bytes.SplitAfter(m.Raw, []byte("\n")) {
			if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
				out.WriteByte('>')
			}
			out.Write(line)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
