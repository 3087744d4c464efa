package message

import (
	"strconv"
	"strings"
	"time"
)

// Date gives the time of the Date field. It reads RFC 5322 with the obsolete
// forms of section 4.3, and what archives hold besides: asctime, ISO 8601, dots
// between digits, two and three digit years, names of months and zones as
// people spelled them. A missing or unknown zone counts as UTC. ok is false when
// there is no day, month and year to be found.
func (h Header) Date() (t time.Time, ok bool) {
	return ParseDate(h.Get("Date"))
}

// maxDate bounds what is read of a date, in octets.
const maxDate = 256

// ParseDate reads a date as Header.Date does.
func ParseDate(s string) (time.Time, bool) {
	if len(s) > maxDate {
		s = s[:maxDate]
	}
	comment := ""
	if i := strings.IndexByte(s, '('); i >= 0 {
		comment = strings.Trim(s[i:], "() ")
		s = stripComments(s)
	}
	d := dateReader{month: -1, day: -1, year: -1, zone: noZone}
	for _, w := range dateWords(s) {
		d.word(w)
	}
	if d.zone == noZone && comment != "" {
		d.word(comment)
	}
	return d.time()
}

// noZone says that no zone was seen.
const noZone = 1 << 20

// dateReader gathers the parts of a date.
type dateReader struct {
	day, month, year  int
	hour, minute, sec int
	clock             bool
	zone              int // minutes east of UTC
}

// dateWords parts a date at white space and commas, and before a zone glued to the time.
func dateWords(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == ';' || r == '"' || r == 0xA0 })
	out := make([]string, 0, len(words)+1)
	for _, w := range words {
		if strings.Contains(w, ":") {
			if i := strings.LastIndexAny(w, "+-"); i > strings.IndexByte(w, ':') {
				out = append(out, w[:i], w[i:])
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

// word takes one word into account.
func (d *dateReader) word(w string) {
	lower := strings.ToLower(w)
	switch {
	case !d.clock && d.readISO(w):
	case !d.clock && d.readClock(w):
	case d.clock && (lower == "pm" || lower == "p.m."):
		if d.hour < 12 {
			d.hour += 12
		}
	case d.clock && (lower == "am" || lower == "a.m."):
		if d.hour == 12 {
			d.hour = 0
		}
	case d.readOffset(w), d.month < 0 && d.readDashed(lower), d.readNumber(w):
	case d.month < 0 && monthOf(lower) > 0:
		d.month = monthOf(lower)
	default:
		if z, ok := zones[lower]; ok && d.zone == noZone {
			d.zone = z
		}
	}
}

// readClock reads 15:04, 15:04:05, 15.04.05 and 3:04pm.
func (d *dateReader) readClock(w string) bool {
	lower := strings.ToLower(w)
	pm, am := strings.HasSuffix(lower, "pm"), strings.HasSuffix(lower, "am")
	if pm || am {
		w = w[:len(w)-2]
	}
	parts := strings.Split(w, ":")
	if len(parts) == 1 && strings.Count(w, ".") == 2 && d.month >= 0 {
		parts = strings.Split(w, ".")
	}
	if len(parts) < 2 || len(parts) > 4 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		if i == 3 {
			break
		}
		p, _, _ = strings.Cut(p, ".") // fractions of a second
		v, err := strconv.ParseUint(strings.TrimRight(p, "Zz"), 10, 16)
		if err != nil {
			return false
		}
		n[i] = int(v)
	}
	if n[0] > 24 || n[1] > 59 || n[2] > 61 {
		return false
	}
	if pm && n[0] < 12 {
		n[0] += 12
	}
	d.hour, d.minute, d.sec, d.clock = n[0], n[1], min(n[2], 59), true
	return true
}

// readISO reads 2006-01-02, 2006/01/02 and 2006-01-02T15:04:05.
func (d *dateReader) readISO(w string) bool {
	if d.year >= 0 || len(w) < 8 || w[0] < '0' || w[0] > '9' {
		return false
	}
	date, clock := w, ""
	if i := strings.IndexAny(w, "Tt"); i > 0 {
		date, clock = w[:i], w[i+1:]
	}
	parts := strings.FieldsFunc(date, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	if len(parts) != 3 || len(parts[0]) != 4 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return false
		}
		n[i] = int(v)
	}
	if n[1] < 1 || n[1] > 12 {
		return false
	}
	d.year, d.month, d.day = n[0], n[1], n[2]
	if clock != "" {
		d.readClock(clock)
		if strings.HasSuffix(clock, "Z") || strings.HasSuffix(clock, "z") {
			d.zone = 0
		}
	}
	return true
}

// readDashed reads 2-Jan-2006 and 2-Jan-06.
func (d *dateReader) readDashed(w string) bool {
	parts := strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	if len(parts) != 3 || monthOf(parts[1]) == 0 {
		return false
	}
	d.month = monthOf(parts[1])
	return d.readNumber(parts[0]) && d.readNumber(parts[2])
}

// readOffset reads +0200, -02:00, GMT+2 and UTC-0500.
func (d *dateReader) readOffset(w string) bool {
	i := strings.IndexAny(w, "+-")
	if i < 0 || i > 4 || d.day < 0 {
		return false
	}
	if i > 0 {
		if _, ok := zones[strings.ToLower(w[:i])]; !ok {
			return false
		}
	}
	digits := strings.ReplaceAll(w[i+1:], ":", "")
	v, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || digits == "" {
		return false
	}
	minutes := int(v)/100*60 + int(v)%100
	if len(digits) <= 2 {
		minutes = int(v) * 60
	}
	if minutes > 14*60 || int(v)%100 > 59 && len(digits) > 2 {
		minutes = 0 // nonsense, as -2400 from broken clocks
	}
	if w[i] == '-' {
		minutes = -minutes
	}
	d.zone = minutes
	return true
}

// readNumber takes a bare number for the day, then for the year.
func (d *dateReader) readNumber(w string) bool {
	w = strings.TrimSuffix(w, ".")
	for _, suffix := range []string{"st", "nd", "rd", "th"} {
		w = strings.TrimSuffix(w, suffix)
	}
	v, err := strconv.ParseUint(w, 10, 16)
	if err != nil {
		return false
	}
	n := int(v)
	switch {
	case d.day < 0 && n >= 1 && n <= 31 && len(w) <= 2:
		d.day = n
	case d.year < 0 && n <= 9999:
		d.year = fullYear(n, len(w))
	default:
		return false
	}
	return true
}

// fullYear widens short years (RFC 5322 4.3); three digits come from programs
// that count from 1900.
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 50:
		return 2000 + n
	case digits <= 3 && n < 1000:
		return 1900 + n
	}
	return n
}

// time puts the parts together.
func (d *dateReader) time() (time.Time, bool) {
	if d.day < 1 || d.day > 31 || d.month < 1 || d.year < 1900 || d.year > 9999 {
		return time.Time{}, false
	}
	zone := time.UTC
	if d.zone != noZone && d.zone != 0 {
		zone = time.FixedZone("", d.zone*60)
	}
	return time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.sec, 0, zone), true
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// monthOf reads the name of a month by its first three letters, or gives 0.
// German, French, Spanish and Dutch names that begin otherwise are known too.
func monthOf(w string) int {
	if len(w) < 3 {
		return 0
	}
	if m, ok := otherMonths[w]; ok {
		return m
	}
	if m, ok := otherMonths[w[:3]]; ok {
		return m
	}
	if i := strings.Index(months, w[:3]); i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}

var otherMonths = map[string]int{"mär": 3, "mrz": 3, "märz": 3, "maerz": 3, "mai": 5, "okt": 10, "dez": 12, "fév": 2, "avr": 4, "aoû": 8, "août": 8, "déc": 12,
	"ene": 1, "abr": 4, "ago": 8, "dic": 12, "mei": 5, "mrt": 3, "juin": 6, "juil": 7}

// zones gives minutes east of UTC for the names RFC 5322 4.3 knows and those
// archives are full of. Single letters count as UTC (RFC 5322 4.3).
var zones = map[string]int{
	"ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 60, "bst": 60, "met": 60, "cet": 60, "mez": 60, "met-1met": 60, "dst": 0,
	"cest": 120, "mest": 120, "mesz": 120, "metdst": 120, "eet": 120, "sast": 120, "eest": 180, "msk": 180, "msd": 240, "ist": 330,
	"hkt": 480, "sgt": 480, "awst": 480, "jst": 540, "kst": 540, "acst": 570, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
	"edt": -240, "est": -300, "cdt": -300, "cst": -360, "mdt": -360, "mst": -420, "pdt": -420, "pst": -480, "akst": -540, "hst": -600, "ast": -240, "adt": -180,
}

// stripComments removes comments (RFC 5322 3.2.2); an unclosed one ends the value.
func stripComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				out.WriteString(s[i : i+2])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
			continue
		case c == ')' && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			out.WriteByte(s[i])
		}
	}
	return out.String()
}
