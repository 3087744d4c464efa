package mailauth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"plenary/internal/fault"
)

// maxString is the length of one string of a TXT record, RFC 1035 3.3.
const maxString = 255

// RecordName is where verifiers look for the public key: a name in the DNS
// without a dot at the end (RFC 6376 3.6.2.1).
func RecordName(domain, selector string) string { return selector + "._domainkey." + domain }

// Record is the text of the TXT record that publishes a public key, RSA or
// Ed25519 (RFC 6376 3.6.1, RFC 8463 4); any other is Invalid.
func Record(pub crypto.PublicKey) (string, error) {
	kind, data, err := publicKey(pub)
	if err != nil {
		return "", err
	}
	return "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(data), nil
}

func publicKey(pub crypto.PublicKey) (kind string, data []byte, err error) {
	switch pub := pub.(type) {
	case ed25519.PublicKey:
		return "ed25519", pub, nil
	case *rsa.PublicKey:
		data, err = x509.MarshalPKIXPublicKey(pub)
		return "rsa", data, fault.Wrap(fault.Invalid, err, "the RSA key cannot be written")
	}
	return "", nil, fault.New(fault.Invalid, "a DKIM key is RSA or Ed25519")
}

// Strings cuts the text of a TXT record into strings of at most 255 octets;
// readers join them again without a space.
func Strings(record string) []string {
	var out []string
	for len(record) > maxString {
		out = append(out, record[:maxString])
		record = record[maxString:]
	}
	return append(out, record)
}

// Publishes tells whether a TXT record as found in the DNS, its strings joined,
// holds this public key.
func Publishes(record string, pub crypto.PublicKey) bool {
	kind, data, err := publicKey(pub)
	if err != nil {
		return false
	}
	want := base64.StdEncoding.EncodeToString(data)
	found, k := false, "rsa" // the default of k=
	for i, tag := range strings.Split(record, ";") {
		name, value, _ := strings.Cut(tag, "=")
		value = strings.Join(strings.Fields(value), "")
		switch strings.TrimSpace(name) {
		case "v":
			if i != 0 || value != "DKIM1" {
				return false
			}
		case "k":
			k = value
		case "p":
			found = value == want
		}
	}
	return found && k == kind
}
