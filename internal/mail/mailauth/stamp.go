package mailauth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"strconv"
	"strings"

	"plenary/internal/fault"
)

// stamp is the constant part of a signature field, and the key.
type stamp struct {
	key     crypto.Signer
	options crypto.SignerOpts
	text    string // up to and with "bh="
	relaxed []byte // the same, canonical
}

// stamps writes the signature field of each key as far as it is constant.
func stamps(keys []Key, names []string, o Options) ([]stamp, error) {
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fault.New(fault.Invalid, "a message is signed with 1 to %d keys, not %d", maxKeys, len(keys))
	}
	if o.Time.IsZero() && o.Expire != 0 || o.Expire < 0 {
		return nil, fault.New(fault.Invalid, "a signature expires after its time, and that is not given")
	}
	var all []stamp
	for _, k := range keys {
		if err := k.check(); err != nil {
			return nil, err
		}
		s := stamp{key: k.Signer}
		algorithm := "ed25519-sha256"
		s.options = crypto.Hash(0) // RFC 8463 3: Ed25519 signs the SHA-256 hash as its message
		if _, ok := k.Signer.Public().(*rsa.PublicKey); ok {
			algorithm, s.options = "rsa-sha256", crypto.SHA256
		}
		f := folder{column: len(signatureField)}
		f.text.WriteString(signatureField)
		for _, tag := range []string{" v=1;", " a=" + algorithm + ";", " c=relaxed/relaxed;", " d=" + k.Domain + ";", " s=" + k.Selector + ";"} {
			f.add(tag)
		}
		if !o.Time.IsZero() {
			f.add(" t=" + strconv.FormatInt(o.Time.Unix(), 10) + ";")
			if o.Expire > 0 {
				f.add(" x=" + strconv.FormatInt(o.Time.Add(o.Expire).Unix(), 10) + ";")
			}
		}
		for i, n := range names {
			start, end := "", ":"
			if i == 0 {
				start = " h="
			}
			if i == len(names)-1 {
				end = ";"
			}
			f.add(start + n + end)
		}
		f.text.WriteString("\r\n bh=")
		s.text = f.text.String()
		s.relaxed = append([]byte("dkim-signature:"), appendRelaxed(nil, []byte(s.text[len(signatureField):]))...)
		all = append(all, s)
	}
	return all, nil
}

const signatureField = "DKIM-Signature:"

// folder writes words and breaks the line before one that would make it too
// long. A word that begins with a space keeps it; the others get one only after
// a break, where RFC 6376 3.5 allows it.
type folder struct {
	text   strings.Builder
	column int
}

func (f *folder) add(word string) {
	if f.column+len(word) > foldAt {
		f.text.WriteString("\r\n ")
		word = strings.TrimPrefix(word, " ")
		f.column = 1
	}
	f.text.WriteString(word)
	f.column += len(word)
}

// check tells whether a key can sign at all.
func (k Key) check() error {
	if !isDomain(k.Domain) || !isDomain(k.Selector) || len(RecordName(k.Domain, k.Selector)) > maxDomain {
		return fault.New(fault.Invalid, "%q with the selector %q is no name in the DNS", k.Domain, k.Selector)
	}
	if k.Signer == nil {
		return fault.New(fault.Invalid, "the DKIM key %s of %s is missing", k.Selector, k.Domain)
	}
	switch pub := k.Signer.Public().(type) {
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if pub.N.BitLen() >= minRSA {
			return nil
		}
		return fault.New(fault.Invalid, "the RSA key %s of %s has less than %d bits", k.Selector, k.Domain, minRSA)
	default:
		return fault.New(fault.Invalid, "the DKIM key %s of %s is neither RSA nor Ed25519", k.Selector, k.Domain)
	}
}

// isDomain tells a name of letters, digits and hyphens (RFC 5321 4.1.2), which
// RFC 6376 wants for domain and selector.
func isDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
