package token

// letters is Crockford's alphabet in lower case: no i, l, o, u.
const letters = "0123456789abcdefghjkmnpqrstvwxyz"

// encode writes raw as base32 without padding.
func encode(raw []byte) string {
	out := make([]byte, 0, maxToken)
	var bits uint
	var n int
	for _, b := range raw {
		bits = bits<<8 | uint(b)
		for n += 8; n >= 5; n -= 5 {
			out = append(out, letters[bits>>(n-5)&31])
		}
		bits &= 0xFF
	}
	if n > 0 {
		out = append(out, letters[bits<<(5-n)&31])
	}
	return string(out)
}

// decode reads what encode wrote, in any case, with o for 0, i and l for 1.
// Spare bits must be zero, so a token has one spelling but for these.
func decode(s string) ([]byte, bool) {
	if len(s) > maxToken {
		return nil, false
	}
	out := make([]byte, 0, len(s)*5/8)
	var bits uint
	var n int
	for i := 0; i < len(s); i++ {
		v := value(s[i])
		if v < 0 {
			return nil, false
		}
		bits = (bits<<5 | uint(v)) & 0xFFFF
		if n += 5; n >= 8 {
			n -= 8
			out = append(out, byte(bits>>n))
		}
	}
	return out, n < 5 && bits&(1<<n-1) == 0
}

// value gives the value of a letter, or -1.
func value(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		c += 'a' - 'A'
	}
	switch c {
	case 'o':
		return 0
	case 'i', 'l':
		return 1
	}
	for i := 10; i < len(letters); i++ {
		if letters[i] == c {
			return i
		}
	}
	return -1
}
