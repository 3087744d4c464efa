package word

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// utf7Letters is the base64 alphabet of RFC 2152, without padding.
var utf7Letters = base64.RawStdEncoding

// decodeUTF7 reads UTF-7 (RFC 2152). What is no valid shift sequence stays as it stands.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); {
		if b[i] != '+' {
			out.WriteRune(windows1252(b[i]))
			i++
			continue
		}
		end := i + 1
		for end < len(b) && isBase64(b[end]) {
			end++
		}
		switch {
		case end == i+1:
			out.WriteByte('+')
		default:
			out.WriteString(utf7Run(b[i+1 : end]))
		}
		if end < len(b) && b[end] == '-' {
			end++
		}
		i = end
	}
	return out.String()
}

// utf7Run decodes one shifted run of base64 to text.
func utf7Run(run []byte) string {
	if len(run)%4 == 1 { // cannot be whole octets: drop the odd letter
		run = run[:len(run)-1]
	}
	octets := make([]byte, utf7Letters.DecodedLen(len(run)))
	n, _ := utf7Letters.Decode(octets, run)
	units := make([]uint16, 0, n/2)
	for i := 0; i+1 < n; i += 2 {
		units = append(units, uint16(octets[i])<<8|uint16(octets[i+1]))
	}
	return string(utf16.Decode(units))
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
