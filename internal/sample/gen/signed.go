package gen

import (
	"bytes"
	"fmt"
	"io/fs"
)

// signed wraps e in multipart/signed, RFC 1847. The signatures were made once,
// over exactly these bytes, and lie beside the other files: a changed text
// needs a new one.
func (b *builder) signed(m *Message, e *entity, how string) (*entity, error) {
	m.Signed = bytes.ReplaceAll(e.bytes(), []byte("\n"), []byte("\r\n"))
	sig := &entity{encoding: "7bit"}
	params := ""
	switch how {
	case "pgp": // RFC 3156 5
		data, err := fs.ReadFile(b.src, "files/"+m.Key+".sig.asc")
		if err != nil {
			return nil, err
		}
		sig.kind = "application/pgp-signature; name=\"signature.asc\""
		sig.fields = []string{"Content-Description: OpenPGP digital signature", "Content-Disposition: attachment; filename=\"signature.asc\""}
		sig.body = data
		params = "protocol=\"application/pgp-signature\"; micalg=pgp-sha512"
	case "smime": // RFC 8551 3.5.3
		data, err := fs.ReadFile(b.src, "files/"+m.Key+".p7s")
		if err != nil {
			return nil, err
		}
		sig.kind = "application/pkcs7-signature; name=\"smime.p7s\""
		sig.encoding = "base64"
		sig.fields = []string{"Content-Disposition: attachment; filename=\"smime.p7s\""}
		sig.body = lines76(data)
		params = "protocol=\"application/pkcs7-signature\"; micalg=sha-256"
	default:
		return nil, fmt.Errorf("sign: %q", how)
	}
	out := multipart(m, "signed", []*entity{e, sig})
	out.kind += "; " + params
	return out, nil
}
