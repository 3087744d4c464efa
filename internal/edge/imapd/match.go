package imapd

// pattern is a LIST pattern (RFC 9051 6.3.9): "*" stands for any characters,
// "%" for any but the delimiter.
type pattern string

// compile joins neighbouring wildcards: the wider one counts.
func compile(s string) pattern {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if last := len(b) - 1; last >= 0 && wild(s[i]) && wild(b[last]) {
			if s[i] == '*' {
				b[last] = '*'
			}
			continue
		}
		b = append(b, s[i])
	}
	return pattern(b)
}

func wild(c byte) bool { return c == '*' || c == '%' }

// match walks the name once with the set of places in the pattern that are
// possible: the time is the product of the lengths, however many wildcards
// there are.
func (p pattern) match(name string) bool {
	now, next := make([]bool, len(p)+1), make([]bool, len(p)+1)
	now[0] = true
	p.spread(now)
	for i := 0; i < len(name); i++ {
		clear(next)
		for j := 0; j < len(p); j++ {
			switch {
			case !now[j]:
			case p[j] == '*' || p[j] == '%' && name[i] != delimiter:
				next[j] = true
			case p[j] == name[i] && !wild(p[j]):
				next[j+1] = true
			}
		}
		p.spread(next)
		now, next = next, now
	}
	return now[len(p)]
}

// spread lets wildcards stand for nothing.
func (p pattern) spread(at []bool) {
	for j := 0; j < len(p); j++ {
		if at[j] && wild(p[j]) {
			at[j+1] = true
		}
	}
}
