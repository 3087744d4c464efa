package mailauth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"

	"plenary/internal/fault"
)

// Sign gives the DKIM-Signature fields of one copy, one for each key, with CRLF;
// they go before the whole message. holes fill the holes in order; a field in
// them ends with its line end. Copies that are equal share one signature: the
// bytes must not be changed.
//
// Invalid: a hole too many or too few, a line in a header hole that is no field
// or not one of the personal ones, or one such field twice. Internal: the key
// refused.
func (p *Prepared) Sign(holes ...[]byte) ([]byte, error) {
	if len(holes) != p.holes {
		return nil, fault.New(fault.Invalid, "the message has %d holes, not %d", p.holes, len(holes))
	}
	if p.holes == 0 {
		p.once.Do(func() { p.shared, p.err = p.sign(nil) })
		return p.shared, p.err
	}
	return p.sign(holes)
}

func (p *Prepared) sign(holes [][]byte) ([]byte, error) {
	h, err := p.hashHeader(holes[:p.inHeader])
	if err != nil {
		return nil, err
	}
	bodySum, err := p.hashBody(holes[p.inHeader:])
	if err != nil {
		return nil, err
	}
	var out []byte
	var first [sha256.Size]byte
	for i := range p.stamps {
		s := &p.stamps[i]
		sum, err := s.hash(h, bodySum)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			copy(first[:], sum)
			if same := p.last.Load(); same != nil && same.sum == first {
				return same.out, nil
			}
		}
		if out, err = s.stamp(out, sum, bodySum); err != nil {
			return nil, err
		}
	}
	p.last.Store(&memo{sum: first, out: out})
	return out, nil
}

// hashHeader goes on from what all copies share with the fields of one.
func (p *Prepared) hashHeader(holes [][]byte) (hash.Cloner, error) {
	h, err := p.header.Clone()
	if err != nil || len(p.personal) == 0 && len(holes) == 0 {
		return h, err
	}
	var have [maxPersonal][]byte
	for _, hole := range holes {
		if err := p.fill(&have, hole); err != nil {
			return nil, err
		}
	}
	line := make([]byte, 0, 512)
	for i := range p.personal {
		s := &p.personal[i]
		line = append(line, s.below...)
		if have[i] != nil {
			line = appendField(line, s.name, have[i])
		}
	}
	h.Write(line)
	return h, nil
}

// fill takes the fields out of a hole in the header.
func (p *Prepared) fill(have *[maxPersonal][]byte, hole []byte) error {
	at := -1 // the field that may be continued
	for len(hole) > 0 {
		n := bytes.IndexByte(hole, '\n') + 1
		switch {
		case n == 0:
			return fault.New(fault.Invalid, "a personal field does not end its line")
		case isEmpty(hole[:n]):
			return fault.New(fault.Invalid, "there is an empty line among the personal fields")
		case hole[0] != ' ' && hole[0] != '\t':
			name, value := fieldOf(hole[:n])
			if at = p.find(name); at < 0 {
				return fault.New(fault.Invalid, "%q is not among the personal fields", name)
			}
			if have[at] != nil {
				return fault.New(fault.Invalid, "the personal field %s stands twice", name)
			}
			have[at] = value
		case at < 0:
			return fault.New(fault.Invalid, "a personal field begins with white space")
		default:
			have[at] = have[at][:len(have[at])+n] // they lie side by side in the hole
		}
		hole = hole[n:]
	}
	return nil
}

func (p *Prepared) find(name string) int {
	for i := range p.personal {
		if p.personal[i].name == name {
			return i
		}
	}
	return -1
}

// hashBody gives the hash of one copy's body in base64.
func (p *Prepared) hashBody(holes [][]byte) (string, error) {
	if p.tail == nil {
		return p.bodySum, nil
	}
	b, err := p.body.clone()
	if err != nil {
		return "", err
	}
	for _, piece := range p.tail {
		if piece.Personal {
			b.write(holes[0])
			holes = holes[1:]
			continue
		}
		b.write(piece.Data)
	}
	return base64.StdEncoding.EncodeToString(b.sum()), nil
}

// hash ends the header's hash with the signature field itself, its b= empty
// (RFC 6376 3.7).
func (s *stamp) hash(h hash.Cloner, bodySum string) ([]byte, error) {
	own, err := h.Clone()
	if err != nil {
		return nil, err
	}
	own.Write(s.relaxed)
	own.Write([]byte(bodySum + "; b="))
	return own.Sum(nil), nil
}

// stamp appends the finished field.
func (s *stamp) stamp(out, sum []byte, bodySum string) ([]byte, error) {
	made, err := s.key.Sign(rand.Reader, sum, s.options) // neither PKCS #1 v1.5 nor Ed25519 uses the randomness
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the DKIM key cannot sign")
	}
	out = append(append(out, s.text...), bodySum...)
	out = append(out, ";\r\n b="...)
	text := base64.StdEncoding.EncodeToString(made)
	for len(text) > foldAt-4 {
		out = append(append(out, text[:foldAt-4]...), "\r\n "...)
		text = text[foldAt-4:]
	}
	return append(append(out, text...), "\r\n"...), nil
}
