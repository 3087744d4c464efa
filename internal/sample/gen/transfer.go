package gen

import (
	"bytes"
	"encoding/base64"
	"mime/quotedprintable"
)

func longLines(b []byte) bool {
	for _, line := range bytes.Split(b, []byte("\n")) {
		if len(line) > 900 { // RFC 5322 2.1.1 ends at 998
			return true
		}
	}
	return false
}

func transfer(how string, body []byte) []byte {
	switch how {
	case "quoted-printable":
		var out bytes.Buffer
		w := quotedprintable.NewWriter(&out)
		_, _ = w.Write(body) // a bytes.Buffer takes everything
		_ = w.Close()
		return bytes.ReplaceAll(out.Bytes(), []byte("\r\n"), []byte("\n"))
	case "base64":
		return lines76(bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")))
	}
	return body
}

// lines76 is base64 in lines of 76, RFC 2045 6.8.
func lines76(body []byte) []byte {
	s := base64.StdEncoding.EncodeToString(body)
	var out bytes.Buffer
	for len(s) > 76 {
		out.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	out.WriteString(s + "\n")
	return out.Bytes()
}

// bits tells how a composite part must be declared, RFC 2045 6.4.
func bits(b []byte) string {
	for _, c := range b {
		if c >= 0x80 {
			return "8bit"
		}
	}
	return "7bit"
}
